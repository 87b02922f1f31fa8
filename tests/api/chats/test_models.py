"""Which model a question names: its own, the conversation's, none; and what there is to choose."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from api.chats.models import choose_model
from api.core import Core
from schemas.errors import Refused
from schemas.model_names import model_chain, provider_of
from schemas.settings import ModelSettings, Settings
from schemas.settings.models import SecondModelSettings, ThirdModelSettings
from schemas.settings.section import Secret
from tests.support.api_process import House, Person, events
from tests.support.problems import is_problem
from tests.support.standalone import asked_event
from tests.support.talk import Talk

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECOND = SecondModelSettings(provider="zhipu", api_key=Secret("hidden"), base_url="http://10.0.0.7/v4", name="glm-4.6")
CHAIN = Settings(
    model=ModelSettings(provider="openai", name="stub", base_url="http://10.0.0.8/v1", api_key=Secret("hidden")),
    model_second=SECOND,
    model_third=ThirdModelSettings(provider="local", name="ignored"),
)


async def test_the_chain_has_each_name_once_in_the_order_of_the_settings():
    assert model_chain(CHAIN) == (("stub", "openai"), ("glm-4.6", "zhipu"), ("local", "local"))
    assert model_chain(Settings()) == (("local", "local"),)
    assert model_chain(replace(CHAIN, model_second=replace(SECOND, name="stub"))) == (("stub", "openai"), ("local", "local"))
    assert [provider_of(CHAIN, name) for name in ("", "glm-4.6", "local", "gone")] == ["openai", "zhipu", "local", "openai"]


async def test_an_unknown_name_is_refused_with_those_there_are():
    assert [choose_model(CHAIN, name) for name in ("", "glm-4.6")] == ["", "glm-4.6"]
    with pytest.raises(Refused) as refused:
        choose_model(CHAIN, "gpt-9")
    (error,) = refused.value.errors
    assert (refused.value.code, error.field, error.limit) == ("validation_failed", "model", "stub, glm-4.6, local")


@pytest.fixture
def chain(house: House) -> Iterator[None]:
    """Three models may be chosen."""
    live = house.ports(Core).live.whole
    before = live.value
    live.replace(replace(before, model=CHAIN.model, model_second=CHAIN.model_second, model_third=CHAIN.model_third))
    yield
    live.replace(before)


async def test_models_are_listed_without_secrets_and_addresses(house: House, ada: Person, chain: None):
    listed = await ada.call("GET", "/models")
    assert listed.json()["items"] == [
        {"name": "stub", "provider": "openai", "default": True},
        {"name": "glm-4.6", "provider": "zhipu", "default": False},
        {"name": "local", "provider": "local", "default": False},
    ]
    assert not any(each in listed.text for each in ("hidden", "10.0.0"))
    assert (await house.client.get("/api/v1/models")).status_code == 401


async def test_a_conversation_has_a_model_and_a_question_may_name_another(house: House, ada: Person, chain: None):
    """Also one that is edited, answered once more, or asked without a conversation."""
    talk = Talk(house, ada, await ada.conversation(model="glm-4.6"))
    first, question = await talk.ask(content="How many days?")
    assert question.model == "glm-4.6"
    _, question = await talk.ask(content="And now?", model="local")
    assert question.model == "local"
    _, question = await talk.ask(f"messages/{first['message']['id']}/edit", content="And why?", model="stub")
    assert question.model == "stub"
    for body, model in (({}, "glm-4.6"), ({"model": "local"}, "local")):
        _, question = await talk.ask(f"replies/{first['reply_id']}/regenerate", **body)
        assert question.model == model
    stale = await ada.call("PATCH", f"/conversations/{talk.id}", json={"model": "local"}, headers={"if-match": '"99"'})
    is_problem(stale, 412, "lost_update")
    changed = await ada.call("PATCH", f"/conversations/{talk.id}", json={"model": ""})
    assert (changed.json()["model"], (await ada.call("GET", f"/conversations/{talk.id}")).json()["model"]) == ("", "")
    body, headers = {"question": "Days?", "model": "local"}, ada.headers | {"accept": "text/event-stream"}
    async with house.client.stream("POST", "/api/v1/knowledge/query", json=body, headers=headers) as answer:
        reply = str((await anext(events(answer))).data["reply_id"])
    assert (await asked_event(house, reply)).model == "local"


async def test_an_unknown_model_is_refused_wherever_it_is_named(house: House, ada: Person, chain: None):
    """A question that names none is answered even when its conversation's model is gone: nothing is wrong with the question."""
    talk = Talk(house, ada, await ada.conversation(model="glm-4.6"))
    wrong = {"model": "gpt-9"}
    for method, path, body in (
        ("POST", "/conversations", wrong),
        ("PATCH", f"/conversations/{talk.id}", wrong),
        ("POST", f"/conversations/{talk.id}/messages", {"content": "Days?", **wrong}),
        ("POST", "/knowledge/query", {"question": "Days?", **wrong}),
    ):
        refused = is_problem(await ada.call(method, path, json=body), 422, "validation_failed")
        (error,) = refused["errors"]
        assert (error["field"], error["limit"]) == ("model", "stub, glm-4.6, local")
    live = house.ports(Core).live.whole
    live.replace(replace(live.value, model_second=SecondModelSettings()))
    _, question = await talk.ask(content="Days?")
    assert question.model == "glm-4.6"
