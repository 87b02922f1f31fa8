"""Counters rebuilt beside the ones in use, and audited against their topic."""

import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.redis.client import RedisClient
from schemas.errors import Unavailable
from streams.log.range_reader import LogRecord
from streams.tables.counters import Change, Counter, CounterFeed
from streams.tables.shadow_rebuild import ShadowRebuild
from streams.tables.windows import Months, Scale, tumbling

pytestmark = pytest.mark.stack
NOW = datetime.now(UTC)
DAY_S = 86_400
SCALES = (Scale("day", tumbling(DAY_S), 400 * DAY_S), Scale("month", Months(), 400 * DAY_S))


@dataclass(frozen=True)
class Kept:
    """A record as the reader gives it."""

    offset: int
    value: bytes
    timestamp: int = int(NOW.timestamp() * 1000)
    key: bytes = b""


@dataclass
class Log:
    """Partition 0 in memory, for the feed and for the rebuild; a value is ``event id:key:amount``."""

    records_kept: list[Kept] = field(default_factory=list)
    begin: int = 0
    between: Any = None  # called once, when a batch was handed out

    @property
    def end(self) -> int:
        return self.records_kept[-1].offset + 1 if self.records_kept else self.begin

    def append(self, event_id: str, key: str, amount: int) -> Kept:
        self.records_kept.append(Kept(self.end, f"{event_id}:{key}:{amount}".encode()))
        return self.records_kept[-1]

    async def records(self, partition: int, start: int, stop: int | None = None) -> AsyncGenerator[LogRecord, None]:
        for each in self.records_kept:
            if start <= each.offset and (stop is None or each.offset < stop):
                yield LogRecord(each.offset, each.value)

    async def bounds(self, partition: int) -> tuple[int, int]:
        return self.begin, self.end

    async def offset_for_time(self, partition: int, at: datetime) -> int:
        return next((each.offset for each in self.records_kept if each.timestamp >= at.timestamp() * 1000), self.end)

    async def batches(self, partition: int, begin: int, end: int) -> AsyncGenerator[Sequence[Kept], None]:
        some = [each for each in self.records_kept if begin <= each.offset < end]
        for each in some:
            yield [each]
            if self.between is not None:
                between, self.between = self.between, None
                await between()


def changes_of(record: LogRecord) -> tuple[str, Sequence[Change]] | None:
    event_id, key, amount = (record.value or b"").decode().split(":")
    return (event_id, [Change(key, {"n": int(amount)}, NOW)]) if key else None


@dataclass
class Table:
    log: Log
    counter: Counter
    feed: CounterFeed
    shadows: ShadowRebuild

    async def counted(self, event_id: str, key: str, amount: int) -> None:
        """On the log, and counted."""
        kept = self.log.append(event_id, key, amount)
        await self.feed.feed(0, kept.offset, event_id, [Change(key, {"n": amount}, NOW)])

    async def sums(self, scale: str = "day") -> dict[str, int]:
        return {key: (await self.counter.current(key, NOW, scale=scale)).get("n", 0) for key in "ab"}


@pytest.fixture
def table(redis: RedisClient, prefix: str) -> Table:
    return made(redis, prefix)


def made(redis: RedisClient, prefix: str) -> Table:
    log = Log()
    counter = Counter(redis, prefix, f"c{uuid.uuid4().hex}", partitions=1, scales=SCALES)
    feed = CounterFeed(counter, log, changes_of)
    return Table(log, counter, feed, ShadowRebuild(redis, prefix, counter, log, changes_of))


async def test_readers_and_the_feed_go_over_to_what_was_rebuilt(redis: RedisClient, prefix: str, table: Table) -> None:
    """After a wrong sum: the same process reads the right one with its very next look, and counts on from there; nothing is left over."""
    await table.counted("e0", "a", 1)
    await table.counted("e1", "b", 2)
    await redis.hincrby(table.counter.shard_key(0, table.counter.value_part("a", SCALES[0].bucket(NOW), "day")), "n", 100)
    stranger = Counter(redis, prefix, table.counter.name, partitions=1, scales=SCALES)
    assert (await stranger.current("a", NOW, scale="day"))["n"] == 101
    assert await table.shadows.rebuild() == 2
    assert await table.sums() == await table.sums("month") == {"a": 1, "b": 2}
    assert (await stranger.current("a", NOW, scale="day"))["n"] == 1
    await table.counted("e2", "a", 4)
    assert await table.sums() == {"a": 5, "b": 2}
    generations = {key.decode().split(":")[4] async for key in redis.scan_iter(match=f"{prefix}:counter:{{{table.counter.name}:*")}
    assert generations == {"g1", "generation", "generations"}


async def test_what_happens_during_a_rebuild_is_in_it(table: Table) -> None:
    """The shadow catches up with the mark in use before it takes over."""
    for n in range(3):
        await table.counted(f"e{n}", "a", 1)

    async def meanwhile() -> None:
        assert await table.sums() == {"a": 3, "b": 0}
        await table.counted("e9", "b", 7)

    table.log.between = meanwhile
    assert await table.shadows.rebuild() == 4
    assert await table.sums() == {"a": 3, "b": 7}


async def test_one_rebuild_at_a_time(redis: RedisClient, table: Table) -> None:
    """The second is told; one whose turn was taken over does not switch."""
    await table.counted("e0", "a", 1)

    async def meanwhile() -> None:
        with pytest.raises(Unavailable, match="another process"):
            await table.shadows.rebuild()

    table.log.between = meanwhile
    await table.shadows.rebuild()

    async def taken_over() -> None:
        await redis.set(table.shadows._key(0, "builder"), "another")

    table.log.between = taken_over
    with pytest.raises(Unavailable):
        await table.shadows.rebuild()
    assert await table.counter.generation(0) == 1


async def test_a_mark_beyond_the_log_gives_way(redis: RedisClient, table: Table) -> None:
    """The topic was made anew and Redis was not: the log is the record."""
    await table.counted("e0", "a", 1)
    await redis.set(table.counter.shard_key(0, "mark"), 99)
    await table.shadows.rebuild()
    assert await table.counter.mark(0) == 0


async def test_what_the_log_keeps_no_more_is_accounted_for(table: Table) -> None:
    """The mark stands at the end of a log that retention has emptied, so that the next event is no gap."""
    table.log.begin = 40
    await table.shadows.rebuild()
    assert await table.counter.mark(0) == 39


async def test_an_audit_names_what_differs_and_only_that(redis: RedisClient, table: Table) -> None:
    """A sum that is wrong, one that is missing, one that nobody wrote."""
    await table.counted("e0", "a", 1)
    await table.counted("e0", "a", 1)  # a repeat on the log counts once
    await table.counted("e1", "b", 2)
    assert (await table.shadows.find_differences(NOW)).differences == []
    counter = table.counter
    day, month = SCALES[0].bucket(NOW), SCALES[1].bucket(NOW)
    await redis.hincrby(counter.shard_key(0, counter.value_part("a", day, "day")), "n", 5)
    await redis.delete(counter.shard_key(0, counter.value_part("b", month, "month")))
    await redis.hset(counter.shard_key(0, counter.value_part("ghost", day, "day")), "n", "3")
    compared = await table.shadows.find_differences(NOW)
    found = {(each.scale, each.bucket, each.key): (dict(each.counted), dict(each.recounted)) for each in compared.differences}
    assert found == {("day", day, "a"): ({"n": 6}, {"n": 1}), ("month", month, "b"): ({}, {"n": 2}), ("day", day, "ghost"): ({"n": 3}, {})}
    assert compared.events == 3
    await table.shadows.rebuild()
    assert (await table.shadows.find_differences(NOW)).differences == []


async def test_an_audit_counts_along_with_the_feed(table: Table) -> None:
    """Events that come while it reads are no differences."""
    for n in range(3):
        await table.counted(f"e{n}", "a", 1)

    async def meanwhile() -> None:
        for n in range(5):
            await table.counted(f"m{n}", "ab"[n % 2], 1)

    table.log.between = meanwhile
    assert (await table.shadows.find_differences(NOW)).differences == []


async def test_buckets_the_log_cannot_vouch_for_are_not_compared(table: Table) -> None:
    """Its beginning has gone: only buckets that began after that are, and with ``since`` only those from then on."""
    await table.counted("e0", "a", 1)
    await table.counted("e1", "a", 1)
    table.log.begin, table.log.records_kept = 1, table.log.records_kept[1:]
    assert (await table.shadows.find_differences(NOW)).values == 0
    table.log.begin = 0
    assert [each.key for each in (await table.shadows.find_differences(NOW)).differences] == ["a", "a"]
    assert (await table.shadows.find_differences(NOW, since=NOW + timedelta(days=40))).values == 0


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(st.tuples(st.integers(0, 4), st.sampled_from("ab"), st.integers(-3, 3)), st.just("rebuild")), max_size=12))
async def test_rebuilds_at_any_moment_change_no_sum(redis: RedisClient, prefix: str, steps: list[Any]) -> None:
    """Whatever the order of events, repeats and rebuilds, the sums are those of the log."""
    table = made(redis, prefix)
    seen: set[int] = set()
    model = {"a": 0, "b": 0}
    for step in steps:
        if step == "rebuild":
            await table.shadows.rebuild()
        else:
            event, key, amount = step
            await table.counted(f"e{event}", key, amount)
            model[key] += amount if event not in seen else 0
            seen.add(event)
        assert await table.sums() == model
    assert (await table.shadows.find_differences(NOW)).differences == []
