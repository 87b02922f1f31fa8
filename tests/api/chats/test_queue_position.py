"""Questions that wait: their place is told with the acceptance and while they wait; too long a wait refuses before anything is written."""

import asyncio

import msgspec
import pytest

from api.chats.estimates import QueueEstimate
from api.chats.queue_position import QueueTracker, advance_position
from domain.chats.relay import HEARTBEAT
from schemas.settings import LimitSettings
from tests.support.api_process import Person, events, opened, with_limits
from tests.support.problems import is_problem
from tests.support.reply_speaker import Speaker
from tests.support.worker_states import chat, say

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_place_only_moves_forward():
    """Those who came later wait behind; with nobody waiting there is no place."""
    assert advance_position(None, None, 0) is None
    assert advance_position(QueueEstimate(0, 0.0), 3, 1) is None
    first = advance_position(QueueEstimate(11, 5.5), None, 0)
    assert first is not None
    assert (first.ahead, first.wait_s) == (10, 5)
    later = advance_position(QueueEstimate(100, 50.0), first.ahead, 2.0)
    assert later is not None
    assert (later.ahead, later.wait_s) == (6, 3)
    shorter = advance_position(QueueEstimate(2, 1.0), later.ahead, 0.1)
    assert shorter is not None
    assert shorter.ahead == 1
    unknown = advance_position(QueueEstimate(50, None), shorter.ahead, 9)
    assert unknown is not None
    assert (unknown.ahead, unknown.wait_s) == (1, None)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic_s(self) -> float:
        return self.now_s


class Told:
    """Estimates that say what the test says."""

    queue: QueueEstimate | None = None

    async def question_queue(self, _tenant: str) -> QueueEstimate | None:
        return self.queue


async def test_waiting_says_only_news_and_heartbeats_in_time():
    estimates, clock = Told(), Hand()
    waiting = QueueTracker(estimates, clock, "1.2.0", "t")  # type: ignore[arg-type]  # the parts of them that it uses
    estimates.queue = QueueEstimate(5, 10.0)
    frame = await waiting.next_frame()
    assert frame is not None
    assert (frame.id, frame.event) == ("1.2.0", "queued")
    assert msgspec.json.decode(frame.data) == {"position": 4, "estimated_wait_s": 8}
    assert await waiting.next_frame() is None
    clock.now_s += 4
    moved_on = await waiting.next_frame()
    assert moved_on is not None
    assert msgspec.json.decode(moved_on.data) == {"position": 2, "estimated_wait_s": 4}
    estimates.queue = None
    clock.now_s += 9
    assert await waiting.next_frame() is None
    clock.now_s += 1
    assert await waiting.next_frame() is HEARTBEAT


async def test_after_the_search_only_the_queued_are_told():
    """They wait for the model; whoever was not queued has a model that thinks."""
    for queued in (True, False):
        estimates, clock = Told(), Hand()
        estimates.queue = QueueEstimate(5, 10.0)
        waiting = QueueTracker(estimates, clock, "1.2.0", "t")  # type: ignore[arg-type]  # the parts of them that it uses
        await waiting.next_frame()
        waiting.mark_retrieved("1.3.1", queued=queued)
        clock.now_s += 4
        frame = await waiting.next_frame()
        assert (frame is not None) is queued
        if frame is not None:
            assert (frame.id, frame.event) == ("1.3.1", "queued")
        clock.now_s += 11
        estimates.queue = None
        assert await waiting.next_frame() is HEARTBEAT


async def test_too_long_a_wait_refuses_before_anything_is_written(api_settings):
    """With the time to come back; the turn is free, nothing is listed, and a question that was taken before is still found."""
    settings = msgspec.structs.replace(with_limits(api_settings), limits=LimitSettings(enabled=False, chat_wait_s_max=30))
    async with opened(settings) as house:
        ada = await house.person()
        conversation = await ada.conversation()
        path, key = f"/conversations/{conversation}/messages", {"idempotency-key": "mine"}
        await say(house, chat(50, 2))
        accepted = await ada.call("POST", path, json={"content": "Days?"}, headers=key)
        assert accepted.status_code == 202
        assert (accepted.json()["queue_position"], accepted.json()["estimated_wait_s"]) == (50, 25)
        await Speaker(house, ada, conversation, accepted.json()["reply_id"]).answer("25")
        await say(house, chat(90, 2))
        refused = await ada.call("POST", path, json={"content": "And?"})
        is_problem(refused, 503, "overloaded")
        assert refused.headers["retry-after"] == "15"
        assert len((await ada.call("GET", path)).json()["items"]) == 2
        again = await ada.call("POST", path, json={"content": "Days?"}, headers=key)
        assert again.json() == accepted.json()
        await say(house, chat(0, 2))
        assert (await ada.call("POST", path, json={"content": "And?"})).status_code == 202


async def test_the_place_is_told_on_the_stream(api_settings):
    """``accepted`` has it, ``queued`` follows under the same id, and resuming from that id repeats nothing and loses nothing."""
    async with opened(with_limits(api_settings, enabled=False)) as house:
        ada = await house.person()
        conversation = await ada.conversation()
        await say(house, chat(4, 2))
        path = f"/api/v1/conversations/{conversation}/messages"
        async with (
            asyncio.timeout(10),
            house.client.stream("POST", path, json={"content": "Days?"}, headers=_events(ada)) as answer,
        ):
            told = events(answer)
            accepted, queued = await anext(told), await anext(told)
            assert (accepted.data["queue_position"], accepted.data["estimated_wait_s"]) == (4, 2)
            assert (queued.event, queued.id) == ("queued", accepted.id)
            assert queued.data["position"] <= 3
            reply = accepted.data["reply_id"]
            speaker = Speaker(house, ada, conversation, reply)
            await speaker.started()
            while (retrieved := await anext(told)).event == "queued":
                pass
            await say(house, chat(2, 2))  # it moves on, and still waits for the model
            moved_on = await anext(told)
            assert (retrieved.event, moved_on.event, moved_on.id) == ("retrieved", "queued", retrieved.id)
            assert moved_on.data["position"] <= 1
            await speaker.extended(1, "25")
            await speaker.completed("25")
            rest = [each.event async for each in told]
        assert [name for name in rest if name != "queued"] == ["delta", "completed"]
        stream = f"/api/v1/conversations/{conversation}/replies/{reply}/stream"
        async with house.client.stream("GET", stream, headers=ada.headers | {"last-event-id": queued.id}) as answer:
            assert [each.event async for each in events(answer)] == ["retrieved", "delta", "completed"]


def _events(person: Person) -> dict[str, str]:
    return person.headers | {"accept": "text/event-stream"}
