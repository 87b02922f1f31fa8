"""An answer that takes longer than whoever asked can wait: the agents' part is spoken by the test."""

import uuid
from collections.abc import AsyncIterator

import msgspec
import openai
import pytest
import pytest_asyncio

from api.chats.ports import ChatPorts
from api.core import Core
from schemas.errors import Unavailable
from schemas.settings import Settings
from tests.support.api_process import House, events, opened, with_limits
from tests.support.problems import is_problem
from tests.support.reply_speaker import Speaker
from tests.support.standalone import asked_event, client_of
from tests.support.worker_states import chat, say

pytestmark = pytest.mark.asyncio(loop_scope="session")
ASK = {"question": "How many days of leave?"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def impatient(api_settings: Settings) -> AsyncIterator[House]:
    """The same installation, where no answer comes in time."""
    limits = msgspec.structs.replace(api_settings.limits, query_wait_s=0.05)
    redis = msgspec.structs.replace(api_settings.redis, key_prefix=f"t{uuid.uuid4().hex[:10]}")
    async with opened(msgspec.structs.replace(api_settings, limits=limits, redis=redis)) as running:
        yield running


async def test_later(impatient: House):
    """202 with the place to look; open there until it has ended; then nothing is left to cancel."""
    eve = await impatient.person()
    answer = await eve.call("POST", "/knowledge/query", json=ASK)
    assert answer.status_code == 202
    body, place = answer.json(), answer.headers["location"]
    assert (body["state"], place) == ("open", f"/api/v1/knowledge/queries/{body['reply_id']}")
    assert body["stream"] == f"{place}/stream"
    path = place.removeprefix("/api/v1")
    assert (await eve.call("GET", path)).json() == body
    assert (await eve.call("POST", f"{path}/cancel")).status_code == 202
    question = await asked_event(impatient, body["reply_id"])
    speaker = Speaker(impatient, eve, question.conversation_id, body["reply_id"])
    assert await impatient.ports(ChatPorts).reply_locks.is_cancelled(speaker.tenant, body["reply_id"])
    await speaker.started()
    await speaker.completed("25")
    done = (await eve.call("GET", path)).json()
    assert (done["state"], done["answer"]) == ("complete", "25")
    is_problem(await eve.call("POST", f"{path}/cancel"), 409, "reply_finished")


async def test_failed(impatient: House):
    """What the answer failed with is the answer, with its status."""
    eve = await impatient.person()
    key = {"idempotency-key": uuid.uuid4().hex}
    reply = (await eve.call("POST", "/knowledge/query", json=ASK, headers=key)).json()["reply_id"]
    question = await asked_event(impatient, reply)
    await Speaker(impatient, eve, question.conversation_id, reply).failed()
    settings = msgspec.structs.replace(impatient.settings, limits=msgspec.structs.replace(impatient.settings.limits, query_wait_s=20.0))
    async with opened(settings) as patient:
        answer = await patient.client.post("/api/v1/knowledge/query", json=ASK, headers=eve.headers | key)
    is_problem(answer, 502, "model_unavailable")


async def test_places(api_settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """Answers without a conversation take their places, too; a question that did not reach the log gives its place back."""
    async with opened(with_limits(api_settings, replies_open_max=1, query_wait_s=0.05)) as house:
        eve = await house.person()
        with monkeypatch.context() as broken:
            broken.setattr(house.ports(Core).publisher, "publish", unreachable)
            is_problem(await eve.call("POST", "/knowledge/query", json=ASK), 503, "kafka_unavailable")
        first = await eve.call("POST", "/knowledge/query", json=ASK)
        assert first.status_code == 202
        assert (await asked_event(house, first.json()["reply_id"])).reserved
        assert is_problem(await eve.call("POST", "/knowledge/query", json=ASK), 429, "rate_limited")["rule"] == "replies_open"
        async with client_of(house, eve.token) as official:
            with pytest.raises(openai.RateLimitError):
                await official.chat.completions.create(model="claw", messages=[{"role": "user", "content": "Days?"}])


async def test_too_long_a_wait(api_settings: Settings):
    """Refused with the time to come back, before anything is asked; what was asked before is found all the same."""
    settings = with_limits(api_settings, enabled=False, chat_wait_s_max=30, query_wait_s=0.05)
    async with opened(settings) as house:
        eve = await house.person()
        await say(house, chat(50, 2))
        path, headers = "/api/v1/knowledge/query", eve.headers | {"accept": "text/event-stream", "idempotency-key": "mine"}
        async with house.client.stream("POST", path, json=ASK, headers=headers) as answer:
            accepted = await anext(events(answer))
        assert (accepted.data["queue_position"], accepted.data["estimated_wait_s"]) == (50, 25)
        await say(house, chat(90, 2))
        refused = await eve.call("POST", "/knowledge/query", json=ASK)
        is_problem(refused, 503, "overloaded")
        assert refused.headers["retry-after"] == "15"
        again = await eve.call("POST", "/knowledge/query", json=ASK, headers={"idempotency-key": "mine"})
        assert (again.status_code, again.json()["reply_id"]) == (202, accepted.data["reply_id"])
        async with client_of(house, eve.token) as official:
            with pytest.raises(openai.InternalServerError) as overloaded:
                await official.chat.completions.create(model="claw", messages=[{"role": "user", "content": "Days?"}])
        assert (overloaded.value.status_code, overloaded.value.code) == (503, "overloaded")


async def unreachable(*_: object) -> None:
    raise Unavailable("kafka_unavailable")
