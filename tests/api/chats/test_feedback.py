"""Feedback: readable when it is acknowledged, replaceable, once per request, and an event for whoever learns from it."""

import uuid

import pytest

from api.core import Core
from domain.chats.topics import FEEDBACK_GIVEN
from schemas.chats import FeedbackGiven
from tests.support.api_people import asked
from tests.support.api_process import House, Person, read_metrics
from tests.support.problems import is_problem
from tests.support.reply_speaker import Speaker, all_events

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def answered(house: House, person: Person) -> tuple[str, str]:
    """A conversation and its answer."""
    conversation = await person.conversation()
    reply = (await asked(person, conversation))["reply_id"]
    await Speaker(house, person, conversation, reply).answer("25 days")
    return conversation, reply


async def test_given_and_given_again(house: House, ada: Person) -> None:
    """It stands in the list of messages and in the reply; the last word counts; both words are on the log."""
    conversation, reply = await answered(house, ada)
    path = f"/conversations/{conversation}/replies/{reply}"
    given = {"rating": "down", "comment": "Out of date.", "tags": ["old"]}
    answer = await ada.call("POST", f"{path}/feedback", json=given)
    assert (answer.status_code, answer.json()) == (200, given)
    assert (await ada.call("GET", path)).json()["message"]["feedback"] == given
    await ada.call("POST", f"{path}/feedback", json={"rating": "up"})
    items = (await ada.call("GET", f"/conversations/{conversation}/messages")).json()["items"]
    assert {each["role"]: (each["feedback"] or {}).get("rating") for each in items} == {"assistant": "up", "user": None}
    events: list[FeedbackGiven] = await all_events(house.settings, FEEDBACK_GIVEN, ada.user["id"], 2)
    assert [(each.data.rating, each.data.model, each.data.reply_id) for each in events] == [("down", "m", reply), ("up", "m", reply)]
    assert 'claw_feedback_total{model="m",rating="down"}' in await read_metrics(house)


async def test_the_same_request_is_one_word(house: House, ada: Person) -> None:
    conversation, reply = await answered(house, ada)
    path, key = f"/conversations/{conversation}/replies/{reply}/feedback", {"idempotency-key": uuid.uuid4().hex}
    for _ in range(2):
        assert (await ada.call("POST", path, headers=key, json={"rating": "up"})).status_code == 200
    is_problem(await ada.call("POST", path, headers=key, json={"rating": "down"}), 409, "idempotency_conflict")
    await ada.call("POST", path, json={"rating": "down"})
    assert [each.data.rating for each in await all_events(house.settings, FEEDBACK_GIVEN, ada.user["id"], 2)] == ["up", "down"]


async def test_only_of_ones_own_answers(house: House, ada: Person, bob: Person) -> None:
    """Not of somebody else's, of a question, or of what is no rating; gone with the conversation."""
    conversation, reply = await answered(house, ada)
    path = f"/conversations/{conversation}/replies/{reply}"
    assert (await bob.call("POST", f"{path}/feedback", json={"rating": "up"})).status_code == 404
    question = next(
        each for each in (await ada.call("GET", f"/conversations/{conversation}/messages")).json()["items"] if each["role"] == "user"
    )
    wrong = f"/conversations/{conversation}/replies/{question['id']}/feedback"
    assert (await ada.call("POST", wrong, json={"rating": "up"})).status_code == 404
    for bad in ({"rating": "sideways"}, {"rating": "up", "tags": ["\n"]}, {"rating": "up", "comment": "x" * 2_001}, {}):
        is_problem(await ada.call("POST", f"{path}/feedback", json=bad), 422, "validation_failed")
    await ada.call("POST", f"{path}/feedback", json={"rating": "up"})
    scope = f"{(await house.ports(Core).read_models.accounts.get(ada.user['id'], ada.user['id'])).tenant}/{conversation}"  # type: ignore[union-attr]
    assert await house.ports(Core).read_models.feedback.count(scope) == 1
    await ada.call("DELETE", f"/conversations/{conversation}")
    assert await house.ports(Core).read_models.feedback.count(scope) == 0
