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

from adapters.redis.client import Client, connect
from agents import count_usage
from domain.chats.erasure import forget
from domain.documents.open_documents import OpenDocuments
from domain.documents.sources import file_of
from domain.documents.storage import Storage
from domain.documents.visibility_rebuild import Restoring
from domain.indexes.catalogue import Shelves
from domain.limits.decisions import DecisionTables, changes_in
from domain.read_models import Views
from domain.usage.counters import usage_counter
from schemas.documents import DocumentProgressed
from schemas.errors import ConfigurationError, Unavailable
from schemas.events import Event
from schemas.settings import Settings
from streams import topics
from streams.log.publisher import KafkaPublisher
from streams.log.reader import LogReader, opened
from streams.runtime.agent import Place
from streams.tables.shadow_rebuild import Retelling, Shadows
from streams.topics import Topic

Events = Sequence[tuple[Event, Place]]
Fold = Callable[[Events], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Ports:
    """What a rebuild reaches."""

    settings: Settings
    redis: Client
    reader: LogReader
    views: Views
    shelves: Shelves


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One table: events read, records of the log that nothing could be made of (they are in the dead letters), and messages taken off the
    log that deleted conversations had left there.
    """

    events: int
    unreadable: int = 0
    erased: int = 0


Rebuild = Callable[[Ports], Awaitable[Rebuilt]]


async def run(settings: Settings, names: Sequence[str]) -> int:
    """Rebuild these tables, or all when none is named, and say how each went. Raises ConfigurationError for an unknown one."""
    unknown = sorted(set(names) - TABLES.keys())
    if unknown:
        raise ConfigurationError(f"--table: there is no table {', '.join(unknown)}: the tables are {', '.join(TABLES)}")
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        await redis.execute_command("PING")
        shelves = Shelves(settings.kafka)
        stack.push_async_callback(shelves.stop)
        await shelves.start()
        if not shelves.ready:
            raise Unavailable("kafka_unavailable", f"{settings.kafka.servers}: the index plans cannot be read")
        reader = await stack.enter_async_context(opened(settings.kafka))
        ports = Ports(settings, redis, reader, Views(redis, settings.redis.key_prefix), shelves)
        for name in names or TABLES:
            began = time.monotonic()
            done = await TABLES[name](ports)
            skipped = f", {done.unreadable} unreadable" if done.unreadable else ""
            erased = f", {done.erased} of deleted conversations taken off the log" if done.erased else ""
            print(f"{name}: {done.events} events{skipped}{erased}, {time.monotonic() - began:.1f} s", flush=True)
    return 0


async def replayed(reader: LogReader, topic: Topic, fold: Fold, *, gone: Callable[[str], object] | None = None) -> Rebuilt:
    """Give all that a topic keeps to ``fold``, partition by partition, in order; ``gone`` is told of keys that end in a tombstone."""
    decode, read, unreadable = topics.decoder(topic).decode, 0, 0
    places = await reader.partitions(topic)
    for place, (begin, end) in (await reader.bounds(places)).items():
        async for batch in reader.batches(place, begin, end):
            events = [pair for record in batch if (pair := _decoded(decode, record)) is not None]
            await fold(events)
            if gone is not None:
                for key, value in {record.key: record.value for record in batch}.items():
                    if value is None and key is not None:
                        gone(key.decode())
            read += len(batch)
            unreadable += sum(record.value is not None for record in batch) - len(events)
    return Rebuilt(read, unreadable)


def _decoded(decode: Callable[[bytes], Event], record: ConsumerRecord) -> tuple[Event, Place] | None:
    """The event with its place; None for a tombstone and for what is no event."""
    if record.value is None:
        return None
    try:
        return decode(record.value), Place(record.topic, record.partition, record.offset)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _records(topic: Topic) -> Rebuild:
    """A record table that is what its topic's events say."""

    async def rebuild(ports: Ports) -> Rebuilt:
        return await replayed(ports.reader, topic, ports.views.apply_many)

    return rebuild


async def _messages(ports: Ports) -> Rebuilt:
    """Also takes off the log what deleted conversations said and ``project`` could not: Redis, which knew the ids, was lost before that."""
    late: dict[str, str] = {}  # message to conversation

    async def fold(events: Events) -> None:
        late.update({message.data.id: message.data.conversation_id for message in await ports.views.apply_many(events)})

    done = await replayed(ports.reader, topics.MESSAGES_CHANGED, fold, gone=lambda message_id: late.pop(message_id, None))
    if late:
        publisher = KafkaPublisher(ports.settings.kafka)
        await publisher.start()
        try:
            for message_id, conversation_id in late.items():
                await forget(publisher, conversation_id, [message_id])
        finally:
            await publisher.stop()
    return replace(done, erased=len(late))


async def _documents(ports: Ports) -> Rebuilt:
    """Where documents stand, which of them are on their way, and what tenants store."""
    prefix = ports.settings.redis.key_prefix
    underway = OpenDocuments(ports.redis, prefix, topics.DOCUMENTS_PROGRESSED.partitions(ports.settings.kafka))
    storage = Storage(ports.redis, prefix)

    async def fold(events: Events) -> None:
        await ports.views.apply_many(events)
        progressed = [event for event, _ in events if isinstance(event, DocumentProgressed)]
        await underway.apply_many(progressed)
        await storage.apply_many(progressed)

    return await replayed(ports.reader, topics.DOCUMENTS_PROGRESSED, fold)


async def _visibility(ports: Ports) -> Rebuilt:
    """Which version of each document readers see: first what was said of them, then what was submitted."""
    restoring = Restoring(ports.redis, ports.settings.redis.key_prefix, ports.shelves.plan, ports.settings.retrieval, file_of)

    async def heard(events: Events) -> None:
        restoring.heard([event for event, _ in events])

    heard_of = await replayed(ports.reader, topics.DOCUMENTS_PROGRESSED, heard)
    submitted = await replayed(ports.reader, topics.DOCUMENTS_SUBMITTED, restoring.submitted)
    await restoring.finish()
    return Rebuilt(heard_of.events + submitted.events, heard_of.unreadable + submitted.unreadable)


async def _usage(ports: Ports) -> Rebuilt:
    return Rebuilt(await usage_shadows(ports.settings, ports.redis, ports.reader).rebuilt())


async def _limits(ports: Ports) -> Rebuilt:
    """What rate limits decided, by minute and by hour."""
    prefix = ports.settings.redis.key_prefix
    decided = DecisionTables(ports.redis, prefix, topics.LIMITS_DECIDED.partitions(ports.settings.kafka))
    retelling = Retelling(ports.reader, topics.LIMITS_DECIDED)
    counters = (decided.minutes, decided.hours)
    return Rebuilt(max([await Shadows(ports.redis, prefix, counter, retelling, changes_in).rebuilt() for counter in counters]))


def usage_shadows(settings: Settings, redis: Client, reader: LogReader) -> Shadows:
    """The usage counter beside its topic."""
    prefix = settings.redis.key_prefix
    counter = usage_counter(redis, prefix, topics.USAGE_RECORDED.partitions(settings.kafka))
    return Shadows(redis, prefix, counter, Retelling(reader, topics.USAGE_RECORDED), count_usage.changes_of)


TABLES: Mapping[str, Rebuild] = {
    "accounts": _records(topics.ACCOUNTS_CHANGED),
    "credentials": _records(topics.CREDENTIALS_CHANGED),
    "knowledge_bases": _records(topics.KNOWLEDGE_CHANGED),
    "conversations": _records(topics.CONVERSATIONS_CHANGED),
    "messages": _messages,
    "feedback": _records(topics.FEEDBACK_GIVEN),
    "visibility": _visibility,
    "documents": _documents,
    "usage": _usage,
    "limits": _limits,
}
