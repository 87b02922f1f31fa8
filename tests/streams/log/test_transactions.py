"""Transactions of others at the end of a partition: what is not committed is never seen, and nobody waits for what never arrives."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from adapters.kafka import connection_options, make_consumer
from adapters.redis.client import RedisClient
from domain.dead_letters import dead_letter_reader
from domain.usage.topics import USAGE_RECORDED
from schemas.events import Event
from schemas.settings import KafkaSettings, Settings
from streams.dead_letters.reader import DeadLetterFilter
from streams.log.publisher import KafkaPublisher
from streams.log.range_reader import LogRecord, RangeReader
from streams.log.reader import open_log_reader
from streams.log.replica import TopicReplica
from streams.log.tail import TopicTail
from streams.runtime.worker_registry import list_workers
from streams.tables.counters import Change, Counter, CounterFeed
from streams.tables.shadow_rebuild import ShadowRebuild, TopicHistoryReader
from streams.topics import DEAD_LETTERS
from tests.streams.conftest import committed, poke
from tests.support.poked import POKED
from tests.support.transactions import ENDINGS, Ending, Outsider, outsider, visible

pytestmark = [pytest.mark.stack, pytest.mark.timeout(60)]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LOST_MS = 10_000  # a reader that waits for a record that never arrives gives up after this
BEFORE = ("a:1", "b:2", "c:3")
LAST = ("x:100", "y:200")


@asynccontextmanager
async def ended(kafka: KafkaSettings, topic: str, ending: Ending) -> AsyncIterator[Outsider]:
    """Partition 0 with three records and this end, until the block is left."""
    async with outsider(kafka, topic) as other:
        await other.transaction(*_records(BEFORE[:2]), commit=True)
        await other.transaction(*_records(LAST), commit=False)
        await other.transaction(*_records(BEFORE[2:]), commit=True)
        await other.end(ending, *_records(LAST))
        yield other


def _records(values: Sequence[str]) -> list[tuple[bytes, bytes]]:
    return [(b"k", value.encode()) for value in values]


def seen(ending: Ending) -> list[bytes]:
    return visible(ending, [value.encode() for value in BEFORE], [value.encode() for value in LAST])


@pytest.fixture(params=ENDINGS)
def ending(request: pytest.FixtureRequest) -> Ending:
    chosen: Ending = request.param
    return chosen


@pytest.fixture
async def topic(kafka_settings: KafkaSettings, topics) -> str:
    await topics(USAGE_RECORDED)
    return kafka_settings.topic_prefix + USAGE_RECORDED.name


async def test_the_log_reader_ends_where_what_can_be_read_ends(kafka_settings: KafkaSettings, topic: str, ending: Ending):
    async with ended(kafka_settings, topic, ending), open_log_reader(kafka_settings) as reader:
        place = reader.topic_partition(USAGE_RECORDED, 0)
        begin, end = (await reader.bounds([place]))[place]
        async with asyncio.timeout(LOST_MS / 1000):
            found = [record async for batch in reader.batches(place, begin, end) for record in batch]
            assert [record.value for record in found] == seen(ending)
            assert [record.value for record in await reader.read_range(place, begin, end)] == seen(ending)
            assert end > found[-1].offset + 1, "the partition ends in something that never arrives"
            assert await reader.read_range(place, found[-1].offset + 1, end) == []
            assert await reader.read_first(place, found[-1].offset + 1, end) is None
            known = {record.offset for record in found}
            for offset in range(begin, end + 3):
                record = await reader.read_record(place, offset)
                assert (record.offset if record else None) == (offset if offset in known else None)


async def test_a_range_is_read_to_its_end(kafka_settings: KafkaSettings, topic: str, ending: Ending):
    async with ended(kafka_settings, topic, ending):
        reader = RangeReader(kafka_settings, USAGE_RECORDED)
        async with asyncio.timeout(LOST_MS / 1000):
            assert [record.value async for record in reader.records(0, 0)] == seen(ending)
            assert [record.value async for record in reader.records(0, 0, 1_000)] == seen(ending)


async def test_a_tail_has_reached_the_end_and_goes_on(kafka_settings: KafkaSettings, topic: str, ending: Ending):
    heard: list[bytes] = []
    async with ended(kafka_settings, topic, ending) as other:
        tail = TopicTail(
            kafka_settings, USAGE_RECORDED, lambda _, offset, key, value: heard.append(value or b""), choose=range, rewind=1_000
        )
        tail.start()
        try:
            async with asyncio.timeout(LOST_MS / 1000):
                await tail.reached.wait()
            assert heard == seen(ending)
            if ending == "open":
                await other.producer.abort_transaction()
            await other.transaction((b"k", b"later"), commit=True)
            async with asyncio.timeout(LOST_MS / 1000):
                while heard != [*seen(ending), b"later"]:
                    await asyncio.sleep(0.02)
        finally:
            await tail.stop()


async def test_a_replica_is_ready_and_can_be_waited_for(kafka_settings: KafkaSettings, topic: str, ending: Ending, topics):
    """Whoever has to know everything before it writes waits for an open transaction: it may still say something."""
    heard: list[bytes | None] = []
    async with ended(kafka_settings, topic, ending) as other:
        follower = TopicReplica(kafka_settings, USAGE_RECORDED, lambda record: heard.append(record.value), fetch_bytes_min=1, wait_ms=100)
        await follower.start()
        publisher = KafkaPublisher(kafka_settings, topics=(USAGE_RECORDED,))
        await publisher.start()
        try:
            assert await follower.wait_ready(LOST_MS / 1000)
            assert heard == seen(ending)
            end = await publisher.end_offset(USAGE_RECORDED, 0)
            waiting = asyncio.create_task(follower.catch_up(0, end, LOST_MS / 1000))
            if ending == "open":
                done, _ = await asyncio.wait((waiting,), timeout=1)
                assert not done
                await other.producer.commit_transaction()
            await waiting
            assert heard == (seen("committed") if ending == "open" else seen(ending))
        finally:
            await publisher.stop()
            await follower.stop()


def changes_of(record: LogRecord) -> tuple[str, Sequence[Change]] | None:
    key, amount = (record.value or b"").decode().split(":")
    return f"e{record.offset}", [Change(key, {"n": int(amount)}, NOON)]


async def test_counters_count_what_is_committed_and_read_each_gap_once(
    kafka_settings: KafkaSettings, topic: str, redis: RedisClient, prefix: str, ending: Ending
):
    """A marker before every event is a gap to each of them: it is looked at once, and the sums are right without another."""
    reads = 0

    class Counted(RangeReader):
        def records(self, partition, start, stop=None):
            nonlocal reads
            reads += 1
            return super().records(partition, start, stop)

    counter = Counter(redis, prefix, "sums", partitions=4)
    async with ended(kafka_settings, topic, ending):
        feed = CounterFeed(counter, Counted(kafka_settings, USAGE_RECORDED), changes_of)
        found = [record async for record in RangeReader(kafka_settings, USAGE_RECORDED).records(0, 0)]
        async with asyncio.timeout(LOST_MS / 1000):
            for record in found:
                event_id, changes = changes_of(record) or ("", ())
                assert await feed.feed(0, record.offset, event_id, changes)
        gaps = sum(after.offset - before.offset > 1 for before, after in pairwise(found))
        assert reads == gaps > 0
        await feed.catch_up(0)
        assert await counter.mark(0) == found[-1].offset
        expected = {key: {"n": int(n)} for key, n in (value.decode().split(":") for value in seen(ending))}
        assert {key: sums for key in "abcxy" if (sums := await counter.current(key, NOON))} == expected


async def test_counters_are_rebuilt_and_audited_to_the_end(
    kafka_settings: KafkaSettings, topic: str, redis: RedisClient, prefix: str, ending: Ending
):
    counter = Counter(redis, prefix, "sums", partitions=4)
    async with ended(kafka_settings, topic, ending), open_log_reader(kafka_settings) as reader:
        feed = CounterFeed(counter, RangeReader(kafka_settings, USAGE_RECORDED), changes_of)
        await feed.catch_up(0)
        shadows = ShadowRebuild(redis, prefix, counter, TopicHistoryReader(reader, USAGE_RECORDED), changes_of)
        async with asyncio.timeout(LOST_MS / 1000):
            assert (await shadows.find_differences(datetime.now(UTC))).differences == []
            assert await shadows.rebuild() == len(seen(ending))
            assert (await shadows.find_differences(datetime.now(UTC))).differences == []
        expected = {key: {"n": int(n)} for key, n in (value.decode().split(":") for value in seen(ending))}
        assert {key: sums for key in "abcxy" if (sums := await counter.current(key, NOON))} == expected


async def test_dead_letters_are_listed_to_their_end(kafka_settings: KafkaSettings, topics, ending: Ending):
    await topics(DEAD_LETTERS)
    letters = dead_letter_reader(kafka_settings)
    async with ended(kafka_settings, kafka_settings.topic_prefix + DEAD_LETTERS.name, ending):
        async with asyncio.timeout(LOST_MS / 1000):
            page = await letters.page(DeadLetterFilter(), limit=10, content=True)
            assert [letter.value for letter in reversed(page.items)] == seen(ending)
            assert [letter.value async for letter in letters.scan(DeadLetterFilter())] == seen(ending)
            assert await letters.find_later(page.items[-1]) == page.items[0].id
            assert await letters.get(f"0-{page.items[0].offset + 1}") is None


def poked(number: int, key: str = "k") -> tuple[bytes, bytes]:
    event: Event = poke(key, number).event
    return key.encode(), msgspec.json.encode(event)


async def group_lag(settings: Settings, lane: str) -> int:
    """As operators see it: where what can be read ends, less what the group has committed."""
    place = TopicPartition(settings.kafka.topic_prefix + POKED.name, 0)
    consumer = make_consumer(connection_options(settings.kafka), group_id=None)
    await consumer.start()
    try:
        end: int = (await consumer.end_offsets([place]))[place]
    finally:
        await consumer.stop()
    return end - (await committed(settings, lane)).get(0, 0)


async def until_no_lag(settings: Settings, redis: RedisClient, lane: str) -> None:
    """What the worker says of itself, and what the group has committed."""
    async with asyncio.timeout(15):
        while await group_lag(settings, lane) or any(state.lag for state in await list_workers(redis, settings.redis.key_prefix)):
            await asyncio.sleep(0.2)


async def test_a_lane_works_what_is_committed_and_its_lag_returns_to_nothing(fleet, publisher, effects, redis, lane_settings):
    """A committed, an aborted and an open transaction, each behind which nothing else comes; then the open one is committed."""
    worker = await fleet.start("plain")
    await fleet.logged(worker, "lane_started")
    async with outsider(lane_settings.kafka, publisher.physical_name(POKED)) as other:
        await other.transaction(*(poked(n, "aborted") for n in range(3)), commit=False)
        await until_no_lag(lane_settings, redis, "plain")
        assert (await committed(lane_settings, "plain"))[0] == 4, "three records and the marker, although there was nothing to do"
        await other.transaction(*(poked(n) for n in range(5)), commit=True)
        await effects.reach("plain", 5)
        await until_no_lag(lane_settings, redis, "plain")
        await other.transaction(poked(9, "aborted"), commit=False)
        await until_no_lag(lane_settings, redis, "plain")
        await other.producer.begin_transaction()
        await other.put(poked(5))
        await publisher.publish_raw(publisher.physical_name(POKED), *poked(0, "behind"), {}, partition=0)
        await asyncio.sleep(1)
        assert (await effects.counts("plain"))["effects"] == 5, "nothing passes an open transaction"
        await until_no_lag(lane_settings, redis, "plain")
        await other.producer.commit_transaction()
        await effects.reach("plain", 7)
    await until_no_lag(lane_settings, redis, "plain")
    assert await effects.of("plain", "k") == [0, 1, 2, 3, 4, 5]
    assert await effects.of("plain", "aborted") == []
    assert await effects.of("plain", "behind") == [0]
    assert await effects.counts("plain") == {"runs": 7, "effects": 7}


async def test_what_a_killed_worker_left_behind_a_marker_is_done_by_the_next(fleet, publisher, effects, redis, lane_settings):
    """The commit passes a marker only behind finished work: a record that is still being worked holds it."""
    worker = await fleet.start("plain", CLAW_LANE_INSTANCE="one")
    await fleet.logged(worker, "lane_started")
    async with outsider(lane_settings.kafka, publisher.physical_name(POKED)) as other:
        slow = poke("slow", 0, sleep_ms=60_000)
        await other.transaction((b"slow", msgspec.json.encode(slow.event)), commit=True)
        await other.transaction(poked(0, "aborted"), commit=False)
        await other.transaction(poked(0), commit=True)
        await effects.reach("plain", 1)
        await asyncio.sleep(1.5)  # three commits
    assert (await committed(lane_settings, "plain")).get(0, 0) == 0
    await fleet.kill(worker)
    await delete_first(lane_settings.kafka, publisher.physical_name(POKED))
    heir = await fleet.start("plain", CLAW_LANE_INSTANCE="one")  # which waits for no session of the dead one
    await fleet.logged(heir, "lane_started", timeout_s=40)
    await until_no_lag(lane_settings, redis, "plain")
    assert await effects.of("plain", "k") == [0]


async def delete_first(kafka: KafkaSettings, topic: str) -> None:
    """Retention takes the record at offset 0."""
    admin = AIOKafkaAdminClient(**connection_options(kafka))
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=1)})
    finally:
        await admin.close()
