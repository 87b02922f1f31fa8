"""What stands still is found and sent on; what waits is left alone, however long it waits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import CollectorRegistry

from adapters.kafka import connection_options
from adapters.redis.client import RedisClient
from domain.documents import reconciler
from domain.documents.open_documents import OpenDocuments
from domain.documents.reconciler import Reconciler
from domain.documents.topics import (
    DOCUMENTS_CHUNKED,
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_PROGRESSED,
    DOCUMENTS_QUEUED_BULK,
    DOCUMENTS_QUEUED_EXPRESS,
    DOCUMENTS_SUBMITTED,
)
from domain.documents.visibility import Visibility
from schemas import ids
from schemas.documents import Document, DocumentProgressed, DocumentQueued, DocumentSubmitted, Progress, Work
from schemas.settings import KafkaSettings, Settings
from schemas.settings.documents import DocumentSettings
from streams.log.outgoing import LogOffset, Outgoing
from streams.log.publisher import KafkaPublisher
from streams.topics import Topic
from tests.support.progress_news import TRACE, news

pytestmark = pytest.mark.stack
TOPICS = (
    DOCUMENTS_SUBMITTED,
    DOCUMENTS_QUEUED_EXPRESS,
    DOCUMENTS_QUEUED_BULK,
    DOCUMENTS_CHUNKED,
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_PROGRESSED,
)
STALL_S = 30.0


@dataclass
class Clock:
    """The real time, and as much more as a test says."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic_s(self) -> float:
        return self.ahead.total_seconds()

    def pass_s(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@dataclass
class Flow:
    """The document topics of one installation, as far as the reconciler sees them."""

    settings: Settings
    redis: RedisClient
    publisher: KafkaPublisher
    clock: Clock = field(default_factory=Clock)
    requeued: list[tuple[str, int, str, int]] = field(default_factory=list)
    rows: dict[str, Progress] = field(default_factory=dict)

    def __post_init__(self) -> None:
        prefix = self.settings.redis.key_prefix
        self.documents = OpenDocuments(self.redis, prefix, self.settings.kafka.partitions)
        self.visibility = Visibility(self.redis, prefix)
        self.registry = CollectorRegistry()
        self.reconciler = self.worker("one", self.registry)

    def worker(self, name: str, registry: CollectorRegistry | None = None) -> Reconciler:
        return Reconciler(
            self.settings,
            self.documents,
            self.visibility,
            self.redis,
            self.publisher,
            self.clock,
            self.requeue,
            self.progress_of,
            worker=name,
            registry=registry or CollectorRegistry(),
        )

    async def progress_of(self, key: str) -> Progress | None:
        return self.rows.get(key)

    async def requeue(self, event: DocumentSubmitted, version: int, lane, again: int, retries: int) -> Sequence[Outgoing]:
        assert again // 100 == retries
        self.requeued.append((event.subject, version, lane, again))
        topic = DOCUMENTS_QUEUED_BULK if lane == "bulk" else DOCUMENTS_QUEUED_EXPRESS
        work = Work(version=version, lane=lane, document=event.data)
        return [Outgoing(topic, DocumentQueued.from_cause(event, "route", data=work, now=self.clock.now(), ordinal=again))]

    async def submitted(self, document: str, lane: str = "bulk") -> tuple[str, int]:
        """On the log, seen by route, and its news heard: key and version."""
        base = ids.default_knowledge_base("acme")
        key = ids.document_key("acme", base, document)
        event = DocumentSubmitted(
            id=ids.derive(document),
            source="/claw/test",
            subject=key,
            time=self.clock.now(),
            tenant="acme",
            traceparent=TRACE,
            data=Document(knowledge_base_id=base, document_id=document, title="T", text="x"),
        )
        place = await self.publisher.publish(Outgoing(DOCUMENTS_SUBMITTED, event))
        assert place.partition == self.documents.partition_of(key)
        await self.visibility.record_submission(key, place.offset)
        await self.documents.apply(news(key, place.offset, "queued", self.clock.now(), lane))
        return key, place.offset

    async def written(self, topic: Topic, key: str) -> LogOffset:
        return await self.publisher.publish_raw(self.settings.kafka.topic_prefix + topic.name, key.encode(), b"{}", {})

    async def done(self, lane: str, *places: LogOffset) -> None:
        """The group of a lane has worked everything up to and including these."""
        kafka = self.settings.kafka
        consumer = AIOKafkaConsumer(**connection_options(kafka), group_id=f"{kafka.topic_prefix}claw.{lane}", enable_auto_commit=False)
        await consumer.start()
        offsets = {TopicPartition(place.topic, place.partition): place.offset + 1 for place in places}
        consumer.assign(list(offsets))
        await consumer.commit(offsets)
        await consumer.stop()

    def counted(self, outcome: str) -> float:
        return self.registry.get_sample_value("claw_documents_stalled_total", {"outcome": outcome}) or 0.0


@pytest.fixture
async def flow(settings: Settings, redis: RedisClient, topics) -> AsyncIterator[Flow]:
    await topics(*TOPICS)
    settings = msgspec.structs.replace(settings, documents=DocumentSettings(stall_s=STALL_S))
    publisher = KafkaPublisher(settings.kafka, topics=TOPICS)
    await publisher.start()
    yield Flow(settings, redis, publisher)
    await publisher.stop()


async def _progress(settings: Settings) -> list[DocumentProgressed]:
    topic = settings.kafka.topic_prefix + DOCUMENTS_PROGRESSED.name
    places = [TopicPartition(topic, number) for number in range(settings.kafka.partitions)]
    consumer = AIOKafkaConsumer(**connection_options(settings.kafka))
    await consumer.start()
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        found: list[DocumentProgressed] = []
        while len(found) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [msgspec.json.decode(record.value, type=DocumentProgressed) for record in records]
        return found
    finally:
        await consumer.stop()


async def test_kafka_is_left_alone_while_nothing_is_silent(flow):
    flow.settings = msgspec.structs.replace(flow.settings, kafka=KafkaSettings(bootstrap="127.0.0.1:1"))
    assert await flow.worker("two").run_once() == 0


async def test_what_stands_still_is_sent_on_three_times_then_fails_by_name(flow):
    key, version = await flow.submitted("handbook")
    flow.clock.pass_s(STALL_S - 5)
    assert await flow.reconciler.run_once() == 0
    for again in (1, 2, 3):
        flow.clock.pass_s(STALL_S)
        assert await flow.reconciler.run_once() == 1
        assert await flow.reconciler.run_once() == 0  # it has its time again
        assert flow.requeued[-1] == (key, version, "bulk", again)
        queued = await flow.publisher.end_offset(DOCUMENTS_QUEUED_BULK, flow.documents.partition_of(key))
        place = LogOffset(flow.settings.kafka.topic_prefix + DOCUMENTS_QUEUED_BULK.name, flow.documents.partition_of(key), queued - 1)
        await flow.done("documents", place)  # taken, and lost again
    flow.clock.pass_s(STALL_S)
    assert await flow.reconciler.run_once() == 1
    assert len(flow.requeued) == 3
    (told,) = await _progress(flow.settings)
    assert (told.subject, told.data.version, told.data.state) == (key, version, "failed")
    assert told.data.cause is not None
    assert told.data.cause.code == "document_stalled"
    assert await flow.documents.count() == 0
    assert (flow.counted("sent_on"), flow.counted("failed")) == (3, 1)


async def test_what_waits_for_a_retry_is_queued_at_its_time_once(flow):
    """Whatever else waits: a page that was away has nothing to do with the backlog. A stall in its second run is counted as that run's."""
    key, version = await flow.submitted("page")
    due = flow.clock.now() + timedelta(seconds=60)
    waits = news(key, version, "queued", flow.clock.now(), retries=2, retry_at=due)
    flow.rows[key] = waits.data
    await flow.documents.apply(waits)
    await flow.written(DOCUMENTS_CHUNKED, key)
    assert await flow.reconciler.run_once() == 0
    flow.clock.pass_s(61)
    assert await flow.worker("two").run_once() == 1
    assert await flow.reconciler.run_once() == 0
    assert flow.requeued == [(key, version, "bulk", 200)]
    assert await flow.documents.count() == 1
    flow.clock.pass_s(100 * STALL_S)
    assert await flow.reconciler.run_once() == 0, "the chunk before it still waits"
    queued = LogOffset(flow.settings.kafka.topic_prefix + DOCUMENTS_QUEUED_BULK.name, flow.documents.partition_of(key), 0)
    await flow.done("documents", await flow.written(DOCUMENTS_CHUNKED, key), queued)
    assert await flow.reconciler.run_once() == 1
    assert flow.requeued[-1] == (key, version, "bulk", 201)


@pytest.mark.parametrize("what", ["submitted again", "withdrawn", "has gone on", "unknown"])
async def test_what_needs_no_retry_any_more_gets_none(flow, what):
    key, version = await flow.submitted("page")
    waits = news(key, version, "queued", flow.clock.now(), retries=1, retry_at=flow.clock.now())
    await flow.documents.apply(waits)
    flow.rows[key] = waits.data
    match what:
        case "submitted again":
            await flow.visibility.record_submission(key, version + 1)
        case "withdrawn":
            await flow.visibility.record_withdrawal(key, version + 1)
        case "has gone on":
            flow.rows[key] = msgspec.structs.replace(waits.data, state="embedding", retry_at=None)
        case _:
            del flow.rows[key]
    flow.clock.pass_s(1)
    assert await flow.reconciler.run_once() == 0
    assert flow.requeued == []
    assert not await flow.documents.find_retries(flow.documents.partition_of(key), 2**45)


@pytest.mark.parametrize(
    ("lane", "topic"),
    [("documents", DOCUMENTS_QUEUED_BULK), ("documents", DOCUMENTS_CHUNKED), ("knowledge", DOCUMENTS_EMBEDDED)],
)
async def test_what_waits_is_left_alone(flow, lane, topic):
    """As long as something as old waits anywhere on its way, it may be what the document waits for."""
    key, _ = await flow.submitted("handbook")
    place = await flow.written(topic, key)
    flow.clock.pass_s(100 * STALL_S)
    assert await flow.reconciler.run_once() == 0
    await flow.done(lane, place)
    assert await flow.reconciler.run_once() == 1


async def test_people_do_not_wait_for_the_backlog_of_machines(flow):
    key, _ = await flow.submitted("note", "express")
    await flow.written(DOCUMENTS_QUEUED_BULK, key)
    flow.clock.pass_s(STALL_S + 1)
    assert await flow.reconciler.run_once() == 1


async def test_nothing_is_said_before_the_news_is_read(flow):
    key, version = await flow.submitted("handbook")
    arrived = await flow.written(DOCUMENTS_PROGRESSED, key)
    flow.clock.pass_s(10 * STALL_S)
    assert await flow.reconciler.run_once() == 0
    await flow.done("tables", arrived)
    await flow.documents.apply(news(key, version, "indexed", flow.clock.now()))
    assert await flow.reconciler.run_once() == 0
    assert await flow.documents.count() == 0


@pytest.mark.parametrize("what", ["submitted again", "withdrawn", "visible", "forgotten by the log"])
async def test_what_is_superseded_or_arrived_is_not_sent(flow, what):
    key, version = await flow.submitted("handbook")
    match what:
        case "submitted again":
            await flow.visibility.record_submission(key, version + 1)
        case "withdrawn":
            await flow.visibility.record_withdrawal(key, version + 1)
        case "visible":
            await flow.redis.hset(flow.visibility._key(key), "visible", version)
        case _:
            await flow.documents.remove(key, version)
            await flow.documents.apply(news(key, version + 7, "queued", flow.clock.now()))
    flow.clock.pass_s(2 * STALL_S)
    assert await flow.reconciler.run_once() == 0
    assert flow.requeued == []
    assert await flow.documents.count() == 0


async def test_one_replica_works_and_another_takes_over(flow, monkeypatch):
    monkeypatch.setattr(reconciler, "EVERY_S", 0.02)
    looks: list[str] = []

    async def looked(self: Reconciler) -> int:
        looks.append(self._worker)
        return 0

    monkeypatch.setattr(Reconciler, "run_once", looked)
    first, second = flow.worker("first"), flow.worker("second")
    await first.start()
    await second.start()
    await asyncio.sleep(0.3)
    assert len(set(looks)) == 1
    winner, other = (first, second) if looks[0] == "first" else (second, first)
    await winner.stop()
    looks.clear()
    await asyncio.sleep(0.3)
    await other.stop()
    assert set(looks) == {other._worker}
