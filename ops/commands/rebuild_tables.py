"""``claw rebuild tables``: what Redis holds of the log, made anew from the log, while the stack serves.

Record tables are replayed where they stand: an event sets a record only when its order is higher, so a record is at every moment what it
was or what it becomes, whatever writes beside. Counters cannot be replayed into, so each is filled beside the one in use and switched to
(``streams.tables.shadow_rebuild``). What only lives in Redis is not brought back; docs/operations.md says what its loss means.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import msgspec
from aiokafka import ConsumerRecord

from adapters.redis.client import RedisClient, connect
from agents import count_usage
from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED
from domain.chats.erasure import publish_tombstones
from domain.chats.topics import CONVERSATIONS_CHANGED, FEEDBACK_GIVEN, MESSAGES_CHANGED
from domain.documents.open_documents import OpenDocuments
from domain.documents.sources import blob_path
from domain.documents.storage import Storage
from domain.documents.topics import DOCUMENTS_PROGRESSED, DOCUMENTS_SUBMITTED
from domain.documents.visibility_rebuild import VisibilityRebuild
from domain.indexes.catalogue import CollectionCatalogue
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from domain.limits.decisions import DecisionCounters, decode_changes
from domain.limits.topics import LIMITS_DECIDED
from domain.read_models import ReadModels
from domain.usage.counters import usage_counter
from domain.usage.topics import USAGE_RECORDED
from schemas.documents import DocumentProgressed
from schemas.errors import ConfigurationError, Unavailable
from schemas.events import Event
from schemas.settings import Settings
from streams import topics
from streams.log.outgoing import LogOffset
from streams.log.publisher import KafkaPublisher
from streams.log.reader import LogReader, open_log_reader
from streams.tables.shadow_rebuild import ShadowRebuild, TopicHistoryReader
from streams.topics import Topic

Events = Sequence[tuple[Event, LogOffset]]
Fold = Callable[[Events], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class RebuildPorts:
    """What a rebuild reaches."""

    settings: Settings
    redis: RedisClient
    reader: LogReader
    views: ReadModels
    shelves: CollectionCatalogue


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """One table: events read, records of the log that nothing could be made of (they are in the dead letters), and messages taken off the
    log that deleted conversations had left there.
    """

    events: int
    unreadable: int = 0
    erased: int = 0


Rebuild = Callable[[RebuildPorts], Awaitable[RebuildResult]]


async def run(settings: Settings, names: Sequence[str]) -> int:
    """Rebuild these tables, or all when none is named, and say how each went. Raises ConfigurationError for an unknown one."""
    unknown = sorted(set(names) - TABLES.keys())
    if unknown:
        raise ConfigurationError(f"--table: there is no table {', '.join(unknown)}: the tables are {', '.join(TABLES)}")
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        await redis.execute_command("PING")
        shelves = CollectionCatalogue(settings.kafka)
        stack.push_async_callback(shelves.stop)
        await shelves.start()
        if not shelves.ready:
            raise Unavailable("kafka_unavailable", f"{settings.kafka.servers}: the index plans cannot be read")
        reader = await stack.enter_async_context(open_log_reader(settings.kafka))
        ports = RebuildPorts(settings, redis, reader, ReadModels(redis, settings.redis.key_prefix), shelves)
        for name in names or TABLES:
            began = time.monotonic()
            done = await TABLES[name](ports)
            skipped = f", {done.unreadable} unreadable" if done.unreadable else ""
            erased = f", {done.erased} of deleted conversations taken off the log" if done.erased else ""
            print(f"{name}: {done.events} events{skipped}{erased}, {time.monotonic() - began:.1f} s", flush=True)
    return 0


async def replay(reader: LogReader, topic: Topic, fold: Fold, *, gone: Callable[[str], object] | None = None) -> RebuildResult:
    """Give all that a topic keeps to ``fold``, partition by partition, in order; ``gone`` is told of keys that end in a tombstone."""
    decode, read, unreadable = topics.decoder(topic).decode, 0, 0
    places = await reader.partitions(topic)
    for place, (begin, end) in (await reader.bounds(places)).items():
        async for batch in reader.batches(place, begin, end):
            events = [pair for record in batch if (pair := _decode(decode, record)) is not None]
            await fold(events)
            if gone is not None:
                for key, value in {record.key: record.value for record in batch}.items():
                    if value is None and key is not None:
                        gone(key.decode())
            read += len(batch)
            unreadable += sum(record.value is not None for record in batch) - len(events)
    return RebuildResult(read, unreadable)


def _decode(decode: Callable[[bytes], Event], record: ConsumerRecord) -> tuple[Event, LogOffset] | None:
    """The event with its place; None for a tombstone and for what is no event."""
    if record.value is None:
        return None
    try:
        return decode(record.value), LogOffset(record.topic, record.partition, record.offset)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _records(topic: Topic) -> Rebuild:
    """A record table that is what its topic's events say."""

    async def rebuild(ports: RebuildPorts) -> RebuildResult:
        return await replay(ports.reader, topic, ports.views.apply_many)

    return rebuild


async def _messages(ports: RebuildPorts) -> RebuildResult:
    """Also takes off the log what deleted conversations said and ``project`` could not: Redis, which knew the ids, was lost before that."""
    late: dict[str, str] = {}  # message to conversation

    async def fold(events: Events) -> None:
        late.update({message.data.id: message.data.conversation_id for message in await ports.views.apply_many(events)})

    done = await replay(ports.reader, MESSAGES_CHANGED, fold, gone=lambda message_id: late.pop(message_id, None))
    if late:
        publisher = KafkaPublisher(ports.settings.kafka)
        await publisher.start()
        try:
            for message_id, conversation_id in late.items():
                await publish_tombstones(publisher, conversation_id, [message_id])
        finally:
            await publisher.stop()
    return replace(done, erased=len(late))


async def _documents(ports: RebuildPorts) -> RebuildResult:
    """Where documents stand, which of them are on their way, and what tenants store."""
    prefix = ports.settings.redis.key_prefix
    underway = OpenDocuments(ports.redis, prefix, DOCUMENTS_PROGRESSED.partitions(ports.settings.kafka))
    storage = Storage(ports.redis, prefix)

    async def fold(events: Events) -> None:
        await ports.views.apply_many(events)
        progressed = [event for event, _ in events if isinstance(event, DocumentProgressed)]
        await underway.apply_many(progressed)
        await storage.apply_many(progressed)

    return await replay(ports.reader, DOCUMENTS_PROGRESSED, fold)


async def _visibility(ports: RebuildPorts) -> RebuildResult:
    """Which version of each document readers see: first what was said of them, then what was submitted."""
    restoring = VisibilityRebuild(ports.redis, ports.settings.redis.key_prefix, ports.shelves.plan, ports.settings.retrieval, blob_path)

    async def heard(events: Events) -> None:
        restoring.add_progress([event for event, _ in events])

    heard_of = await replay(ports.reader, DOCUMENTS_PROGRESSED, heard)
    submitted = await replay(ports.reader, DOCUMENTS_SUBMITTED, restoring.add_submissions)
    await restoring.finish()
    return RebuildResult(heard_of.events + submitted.events, heard_of.unreadable + submitted.unreadable)


async def _usage(ports: RebuildPorts) -> RebuildResult:
    return RebuildResult(await usage_shadow_rebuild(ports.settings, ports.redis, ports.reader).rebuild())


async def _limits(ports: RebuildPorts) -> RebuildResult:
    """What rate limits decided, by minute and by hour."""
    prefix = ports.settings.redis.key_prefix
    decided = DecisionCounters(ports.redis, prefix, LIMITS_DECIDED.partitions(ports.settings.kafka))
    retelling = TopicHistoryReader(ports.reader, LIMITS_DECIDED)
    counters = (decided.minutes, decided.hours)
    return RebuildResult(
        max([await ShadowRebuild(ports.redis, prefix, counter, retelling, decode_changes).rebuild() for counter in counters])
    )


def usage_shadow_rebuild(settings: Settings, redis: RedisClient, reader: LogReader) -> ShadowRebuild:
    """The usage counter beside its topic."""
    prefix = settings.redis.key_prefix
    counter = usage_counter(redis, prefix, USAGE_RECORDED.partitions(settings.kafka))
    return ShadowRebuild(redis, prefix, counter, TopicHistoryReader(reader, USAGE_RECORDED), count_usage.changes_of)


TABLES: Mapping[str, Rebuild] = {
    "accounts": _records(ACCOUNTS_CHANGED),
    "credentials": _records(CREDENTIALS_CHANGED),
    "knowledge_bases": _records(KNOWLEDGE_CHANGED),
    "conversations": _records(CONVERSATIONS_CHANGED),
    "messages": _messages,
    "feedback": _records(FEEDBACK_GIVEN),
    "visibility": _visibility,
    "documents": _documents,
    "usage": _usage,
    "limits": _limits,
}
