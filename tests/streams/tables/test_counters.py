"""Counters: whatever is delivered twice, skipped or forgotten by Redis, the sums are those of the log."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.kafka import connection_options
from adapters.redis.client import RedisClient
from domain.usage.topics import USAGE_RECORDED
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.range_reader import LogRecord, RangeReader
from streams.tables.counters import ApplyResult, Change, Counter, CounterFeed, OffsetGap, hopping, tumbling

pytestmark = pytest.mark.stack
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
FOR_EVER_S = 100 * 365 * 86_400


class Log:
    """A partition in memory: offsets with holes, as retention and compaction leave them. A value is ``event id:key:amount``."""

    def __init__(self, records: dict[int, bytes]) -> None:
        self.kept = records
        self.reads = 0

    async def records(self, partition: int, start: int, stop: int | None = None) -> AsyncGenerator[LogRecord, None]:
        self.reads += 1
        for offset in sorted(self.kept):
            if start <= offset and (stop is None or offset < stop):
                yield LogRecord(offset, self.kept[offset])


def changes_of(record: LogRecord) -> tuple[str, Sequence[Change]] | None:
    event_id, key, amount = (record.value or b"").decode().split(":")
    return (event_id, [Change(key, {"n": int(amount), "events": 1}, NOON)]) if key else None


def make(redis: RedisClient, prefix: str, log: Log, **options: object) -> tuple[Counter, CounterFeed]:
    counter = Counter(redis, prefix, f"c{uuid.uuid4().hex}", partitions=1, **options)  # type: ignore[arg-type]
    return counter, CounterFeed(counter, log, changes_of)


def model(log: Log, upto: int) -> dict[str, dict[str, int]]:
    """Each event id that counts once, in order, up to an offset."""
    sums: dict[str, dict[str, int]] = {"a": {}, "b": {}}
    seen: set[str] = set()
    for offset in sorted(log.kept):
        event_id, key, amount = log.kept[offset].decode().split(":")
        if offset > upto or not key or event_id in seen:
            continue
        seen.add(event_id)
        sums[key] = {"n": sums[key].get("n", 0) + int(amount), "events": sums[key].get("events", 0) + 1}
    return sums


async def snapshot(redis: RedisClient, prefix: str, counter: Counter) -> dict[bytes, bytes]:
    keys = [key async for key in redis.scan_iter(match=f"{prefix}:counter:{{{counter.name}:*", count=1000)]
    return {key: await redis.execute_command("DUMP", key) for key in keys}


async def restore(redis: RedisClient, prefix: str, counter: Counter, before: dict[bytes, bytes]) -> None:
    """What a failover does: the writes after ``before`` are gone."""
    for key in await snapshot(redis, prefix, counter):
        await redis.delete(key)
    for key, value in before.items():
        await redis.restore(key, 0, value)


CONTENTS = ["a:1", "b:-2", "a:0", "b:3", "a:5", ":0"]  # of event ids 0 to 5; the last cannot be counted
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["deliver", "together"]), st.integers(0, 7)),
        st.tuples(st.sampled_from(["save", "lose", "assign"]), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ids=st.lists(st.integers(0, len(CONTENTS) - 1), min_size=1, max_size=8),
    holes=st.lists(st.integers(1, 3), min_size=8, max_size=8),
    steps=STEPS,
)
async def test_any_deliveries_and_any_loss_equal_the_model(
    redis: RedisClient, prefix: str, ids: list[int], holes: list[int], steps: list[tuple[str, int]]
) -> None:
    """Deliveries in any order with any repeats, ids twice on the log, holes, Redis thrown back at any moment: the sums of the log."""
    offsets = [sum(holes[: n + 1]) - 1 for n in range(len(ids))]
    log = Log({offset: f"e{id_}:{CONTENTS[id_]}".encode() for offset, id_ in zip(offsets, ids, strict=True)})
    counter, feed = make(redis, prefix, log, window=tumbling(3600), retention_s=FOR_EVER_S)
    saved: dict[bytes, bytes] = {}
    for what, n in [*steps, ("assign", 0)]:
        if what == "save":
            saved = await snapshot(redis, prefix, counter)
        elif what == "lose":
            await restore(redis, prefix, counter, saved)
        elif what == "assign":
            await feed.catch_up(0)
        elif what == "together":  # this one and all behind it
            some = [(offset, changes_of(LogRecord(offset, log.kept[offset]))) for offset in offsets[n:]]
            await feed.feed_many([(0, offset, *(found or ("", ()))) for offset, found in some])
            assert await counter.mark(0) == offsets[-1] or not some
        elif n < len(offsets) and (found := changes_of(LogRecord(offsets[n], log.kept[offsets[n]]))):
            await feed.feed(0, offsets[n], *found)
            assert await counter.mark(0) >= offsets[n]
        assert {key: await counter.current(key, NOON) for key in "ab"} == model(log, await counter.mark(0))
    assert await counter.mark(0) == offsets[-1]


async def test_a_gap_is_told_not_guessed(redis: RedisClient, prefix: str) -> None:
    """Without somebody who vouches for the stretch between, nothing is counted."""
    counter, _ = make(redis, prefix, Log({}))
    change = [Change("a", {"n": 1}, NOON)]
    assert await counter.apply(0, 5, "e5", change) == OffsetGap(-1)
    assert await counter.apply(0, 5, "e5", change, after=-1) == ApplyResult(counted=True)
    assert await counter.apply(0, 5, "e5", change) == ApplyResult(counted=False)
    assert await counter.apply(0, 7, "e7", change) == OffsetGap(5)
    assert await counter.apply(0, 7, "e7", change, after=6) == OffsetGap(5)
    assert await counter.apply(0, 6, "e5", change) == ApplyResult(counted=False)  # the same event again, later on the log
    assert await counter.apply(0, 7, "e7", change) == ApplyResult(counted=True)
    assert await counter.current("a", NOON) == {"n": 2}
    assert await counter.mark(0) == 7


async def test_a_redis_that_keeps_forgetting_is_an_outage(redis: RedisClient, prefix: str) -> None:
    """Bounded tries, then the wrapper's retry."""

    class Forgetful(Log):
        async def records(self, partition: int, start: int, stop: int | None = None) -> AsyncGenerator[LogRecord, None]:
            yield LogRecord(1, b"e1:a:1")
            await redis.delete(counter.shard_key(0, "mark"))

    counter, feed = make(redis, prefix, Forgetful({}))
    with pytest.raises(Unavailable):
        await feed.feed(0, 5, "e5", [])


async def test_readers_sum_the_shards_and_windows(redis: RedisClient, prefix: str) -> None:
    """Tumbling: one bucket. Hopping: the buckets of the open window. range: bucket by bucket."""
    for window, current in ((tumbling(600), 4), (hopping(600, 60), 7), (None, 15)):
        counter = Counter(redis, prefix, f"w{uuid.uuid4().hex}", partitions=2, window=window, retention_s=FOR_EVER_S if window else None)
        for n, minute in enumerate((0, 5, 9, 10)):
            change = [Change("k", {"n": 2**n}, NOON + timedelta(minutes=minute)), Change("x", {"n": 1}, NOON)]
            assert await counter.apply(n % 2, n // 2, f"e{n}", change) == ApplyResult(counted=True)
        now = NOON + timedelta(minutes=9, seconds=59) if current != 4 else NOON
        expected = {4: 7, 7: 7, 15: 15}[current]
        assert await counter.current("k", now) == {"n": expected}
        if window is not None:
            assert await counter.current("k", NOON + timedelta(minutes=10)) == ({"n": 8} if current == 4 else {"n": 14})
            buckets = await counter.range("k", NOON, NOON + timedelta(minutes=10, seconds=1))
            if current == 4:
                assert buckets == [(NOON, {"n": 7}), (NOON + timedelta(minutes=10), {"n": 8})]
            else:
                assert [(at.minute, sums["n"]) for at, sums in buckets] == [(0, 1), (5, 2), (9, 4), (10, 8)]


async def test_buckets_expire_by_themselves(redis: RedisClient, prefix: str) -> None:
    """A bucket lives until its end plus the retention; one that is over already is not even kept; marks and order stay."""
    counter = Counter(redis, prefix, "brief", partitions=1, window=tumbling(60), retention_s=3600)
    now = datetime.now(UTC)
    await counter.apply(0, 0, "e0", [Change("k", {"n": 1}, now - timedelta(hours=2))])
    await counter.apply(0, 1, "e1", [Change("k", {"n": 1}, now)])
    assert await counter.range("k", now - timedelta(hours=3), now + timedelta(minutes=1)) == [
        (datetime.fromtimestamp(int(now.timestamp()) // 60 * 60, UTC), {"n": 1})
    ]
    key = counter.shard_key(0, counter.value_part("k", counter.scales[""].bucket(now)))
    assert 3600 - 2 <= await redis.ttl(key) <= 3660


async def test_poison_is_replaced(redis: RedisClient, prefix: str) -> None:
    """A sum that is none starts again instead of stopping the partition for ever."""
    counter, _ = make(redis, prefix, Log({}))
    await redis.set(counter.shard_key(0, counter.value_part("k", 0)), "garbage")
    await redis.hset(counter.shard_key(0, counter.value_part("j", 0)), "n", "garbage")
    changes = [Change("k", {"n": 2}, NOON), Change("j", {"n": 3}, NOON)]
    assert await counter.apply(0, 0, "e", changes) == ApplyResult(counted=True)
    assert (await counter.current("k", NOON), await counter.current("j", NOON)) == ({"n": 2}, {"n": 3})


def test_windows_that_do_not_tile_are_refused() -> None:
    """A step divides its size, and a reading is bounded."""
    for size_s, step_s in ((60, 7), (60, 0), (86_400, 1)):
        with pytest.raises(ValueError, match="hop"):
            hopping(size_s, step_s)


async def test_gaps_are_read_from_the_real_log(
    redis: RedisClient, prefix: str, kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]
) -> None:
    """Redis lost everything: the next event brings the whole partition back; assignment does it without one."""
    await topics(USAGE_RECORDED)
    producer = AIOKafkaProducer(**connection_options(kafka_settings))
    await producer.start()
    for n in range(1200):
        await producer.send(kafka_settings.topic_prefix + USAGE_RECORDED.name, f"e{n}:a:1".encode(), partition=2)
    await producer.flush()
    await producer.stop()
    reader = RangeReader(kafka_settings, USAGE_RECORDED)
    assert [record.offset async for record in reader.records(2, 1190, 1195)] == list(range(1190, 1195))
    assert [record.offset async for record in reader.records(1, 0)] == []
    counter = Counter(redis, prefix, "real", partitions=4)
    feed = CounterFeed(counter, reader, changes_of)
    assert await feed.feed(2, 1100, "e1100", [Change("a", {"n": 1, "events": 1}, NOON)])
    assert await counter.current("a", NOON) == {"n": 1101, "events": 1101}
    await feed.start()
    async with asyncio.timeout(20):
        while await counter.mark(2) < 1199:
            await asyncio.sleep(0.02)
    await feed.stop()
    assert await counter.current("a", NOON) == {"n": 1200, "events": 1200}
    with pytest.raises(Unavailable):
        async for _ in RangeReader(KafkaSettings(bootstrap="127.0.0.1:1"), USAGE_RECORDED).records(0, 0):
            pass
