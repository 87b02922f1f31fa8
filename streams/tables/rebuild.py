"""Rebuilds of tables from their topics while the installation serves.

A record table is replayed in place: an event replaces a row only when its order is greater, so a row is at every moment what it was or
what it becomes. A counter cannot be replayed into; it is filled beside the one in use and switched to (``shadow_rebuild.py``).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from adapters.kafka import StoredRecord
from adapters.redis.client import RedisClient
from schemas.events import Event
from schemas.settings import Settings
from streams.log.outgoing import LogOffset
from streams.log.reader import LogReader
from streams.tables.projection import Tables
from streams.topics import Topic, decoder

Events = Sequence[tuple[Event, LogOffset]]
Fold = Callable[[Events], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class RebuildPorts:
    """The ports of a rebuild."""

    settings: Settings
    redis: RedisClient
    reader: LogReader
    tables: Tables


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """Events read, records that could not be decoded (they are in the dead letters), and records erased from the log because their
    owner is deleted.
    """

    events: int
    unreadable: int = 0
    erased: int = 0


Rebuild = Callable[[RebuildPorts], Awaitable[RebuildResult]]


def rebuild_records(topic: Topic) -> Rebuild:
    """The rebuild of the record tables that follow ``topic`` and nothing else."""

    async def rebuild(ports: RebuildPorts) -> RebuildResult:
        return await replay(ports.reader, topic, ports.tables.apply_many, remove=ports.tables.remove_many)

    return rebuild


async def replay(
    reader: LogReader,
    topic: Topic,
    fold: Fold,
    *,
    gone: Callable[[str], object] | None = None,
    remove: Fold | None = None,
    since_ms: int = 0,
) -> RebuildResult:
    """Pass all records of a topic, or those since a time, to ``fold``, partition by partition, in order; ``gone`` receives the keys that
    end in a tombstone, ``remove`` the events before such a tombstone that compaction has not removed yet.
    """
    decode, read, unreadable = decoder(topic).decode, 0, 0
    places = await reader.partitions(topic)
    starts = await reader.offsets_for_time(places, since_ms) if since_ms else {}
    for place, (begin, end) in (await reader.bounds(places)).items():
        start = starts.get(place, begin)
        if start is None:
            continue  # nothing was written since
        ended = dict[bytes, int]()  # tombstones that are the last of their key, by key
        async for batch in reader.batches(place, max(begin, start), end):
            events = [pair for record in batch if (pair := _decode(decode, record)) is not None]
            await fold(events)
            if gone is not None:
                for key, value in {record.key: record.value for record in batch}.items():
                    if value is None and key is not None:
                        gone(key.decode())
            _note_ends(batch, ended)
            read += len(batch)
            unreadable += sum(record.value is not None for record in batch) - len(events)
        if remove is not None and ended:
            await _remove_ended(reader.batches(place, max(begin, start), max(ended.values())), ended, decode, remove)
    return RebuildResult(read, unreadable)


def _note_ends(batch: Sequence[StoredRecord], ended: dict[bytes, int]) -> None:
    """Keep the offsets of the tombstones that are the last of their key."""
    for record in batch:
        ended.pop(record.key or b"", None)
        if record.value is None:
            ended[record.key or b""] = record.offset


async def _remove_ended(
    batches: AsyncIterator[list[StoredRecord]], ended: Mapping[bytes, int], decode: Callable[[bytes], Event], remove: Fold
) -> None:
    """Pass the events before these tombstones to ``remove``: read once more, because only the end of the topic says which they are."""
    async for batch in batches:
        earlier = [record for record in batch if ended.get(record.key or b"", -1) > record.offset]
        await remove([pair for record in earlier if (pair := _decode(decode, record)) is not None])


def _decode(decode: Callable[[bytes], Event], record: Any) -> tuple[Event, LogOffset] | None:
    """The event with its offset; None for a tombstone and for a record that does not decode."""
    if record.value is None:
        return None
    try:
        return decode(record.value), LogOffset(record.topic, record.partition, record.offset)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
