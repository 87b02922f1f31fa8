"""A watch without its log: who gets which record, and what becomes of a subscriber that does not read."""

from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry, Gauge

from api.http import watch as watching
from api.http.open_count import OpenCount
from api.http.watch import TopicWatch, Update, watch
from domain.documents.topics import DOCUMENTS_PROGRESSED
from schemas.errors import Refused
from schemas.settings import KafkaSettings
from streams.clock import SystemClock
from streams.log.tail import TopicTail


class Number(msgspec.Struct):
    value: int


class Numbers:
    """The numbers of one group: the table lags behind by all that was read lately."""

    def __init__(self, group: bytes) -> None:
        self.group, self.table, self.allowed = group, [1], True

    async def snapshot(self, take_recent: Callable[[], list[int]]) -> Number | None:
        return Number(sum([*self.table, *take_recent()]))

    async def update(self, data: int) -> tuple[str, Number]:
        return "number", Number(data)

    async def check_access(self) -> None:
        if not self.allowed:
            raise Refused("not_found", "it is not shared any more")


def decoded(value: bytes) -> int | None:
    return int(value) if value.isdigit() else None


@pytest_asyncio.fixture
async def numbers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TopicWatch[int]]:
    """Its tail never starts: the test takes the place of the log."""
    monkeypatch.setattr(TopicTail, "start", lambda tail: tail.reached.set())
    made = TopicWatch(KafkaSettings(), DOCUMENTS_PROGRESSED, lambda key: key[:1], decoded)
    yield made
    await made.stop()


@pytest.fixture
def streams() -> OpenCount:
    return OpenCount(Gauge("streams", "Open.", registry=CollectorRegistry()), 10, "streams")


async def test_records_go_to_the_subscribers_of_their_group(numbers: TopicWatch[int]):
    async with numbers.subscribe(b"a") as first, numbers.subscribe(b"a") as second, numbers.subscribe(b"b") as other:
        for subscriber in (first, second, other):
            subscriber.mark_current()
        numbers._take(0, 7, b"a/1", b"5")
        numbers._take(0, 8, b"a/1", None)
        numbers._take(0, 9, b"a/1", b"no number")
        assert await first.next_updates(0) == await second.next_updates(0) == [Update(0, 7, 5)]
        assert await other.next_updates(0) == []
        assert (numbers.recent(b"a"), numbers.recent(b"b")) == ([5], [])
        assert numbers.is_following
    assert not numbers.is_following


async def test_a_full_queue_and_missed_records_make_a_subscriber_stale(numbers: TopicWatch[int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "UPDATES_MAX", 2)
    async with numbers.subscribe(b"a") as subscriber:
        subscriber.mark_current()
        for offset in range(3):
            numbers._take(0, offset, b"a", b"1")
        assert (subscriber.stale, await subscriber.next_updates(0)) == (True, [])
        subscriber.mark_current()
        numbers._mark_all_stale()
        assert (subscriber.stale, numbers.recent(b"a")) == (True, [])


async def test_a_snapshot_then_updates_then_the_end_of_access(
    numbers: TopicWatch[int], streams: OpenCount, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(watching, "HEARTBEAT_S", 0.0)
    watched = Numbers(b"a")
    frames = watch(numbers, watched, SystemClock(), streams)
    async with numbers.subscribe(b"b"):  # the log was followed before
        numbers._take(0, 1, b"a", b"4")
        snapshot = await anext(frames)
        assert (snapshot.event, snapshot.data) == ("snapshot", b'{"value":5}')
        assert streams.count == 1
        assert (await anext(frames)).event == "heartbeat"
        numbers._take(0, 2, b"a", b"6")
        update = await anext(frames)
        assert (update.id, update.event, update.data) == ("0.2", "number", b'{"value":6}')
        watched.allowed = False
        end = await anext(frames)
        assert (end.event, msgspec.json.decode(end.data)["code"]) == ("failed", "not_found")
        assert [frame async for frame in frames] == []
    assert streams.count == 0


async def test_a_snapshot_that_cannot_be_made_is_tried_again(numbers: TopicWatch[int], streams: OpenCount, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watching, "SNAPSHOT_PAUSE_S", 0.0)

    class Outage(Numbers):
        tries = 0

        async def snapshot(self, take_recent: Callable[[], list[int]]) -> Number | None:
            self.tries += 1
            return None if self.tries == 1 else await super().snapshot(take_recent)

    frames = watch(numbers, Outage(b"a"), SystemClock(), streams)
    assert [(await anext(frames)).event for _ in range(2)] == ["heartbeat", "snapshot"]
    await frames.aclose()
