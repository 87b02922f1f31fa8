"""Reads a topic from its beginning and finds what an erasure has in it: what belongs to it, what only names it, what goes by itself."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from adapters.kafka import StoredRecord, TopicPartition
from domain.eraser.log_places import TopicPlace
from domain.eraser.needles import NeedleMatch, Needles
from schemas.erasures import PlaceResult
from streams.log.reader import LogReader
from streams.topics import COMPACTION_LAG_MS, SEGMENT_MS, TOMBSTONES_MS, decoder

Bounds = Mapping[TopicPartition, tuple[int, int]]

LEFTOVERS_MAX = 100  # named of one place; the others are counted
CLEANER_MS = 3_600_000  # Kafka looks for expired segments and dirty logs within this


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that must not be there: ``where`` is a place on the log, a key of Redis, a path or a collection."""

    place: str
    where: str


@dataclass(slots=True)
class Owned:
    """The newest record of a key, which belongs to the erasure. ``event`` is None when it cannot be decoded."""

    partition: int
    offset: int
    key: bytes
    event: Any


@dataclass(slots=True)
class _Present:
    """The newest record of a key, so far."""

    mention: NeedleMatch
    owned: Owned | None
    offset: int


@dataclass(slots=True)
class TopicScan:
    """What was found in a topic. ``owned`` has the newest records, by partition and key, that are to go."""

    place: TopicPlace
    owned: dict[tuple[int, bytes], Owned] = field(default_factory=dict)
    leftovers: list[Leftover] = field(default_factory=list)
    left: int = 0
    expiring: int = 0
    kept: int = 0
    mentions: int = 0
    gone_by_ms: int = 0

    def result(self) -> PlaceResult:
        """For the certificate."""
        return PlaceResult(
            place=self.place.topic.name,
            kind="topic",
            means=self.place.means,
            left=self.left,
            expiring=self.expiring,
            gone_by=datetime.fromtimestamp(self.gone_by_ms / 1000, UTC) if self.gone_by_ms else None,
            kept=self.kept,
            mentions=self.mentions,
        )

    def add_leftover(self, where: str) -> None:
        """Count it, and name it unless there are too many."""
        self.left += 1
        if len(self.leftovers) < LEFTOVERS_MAX:
            self.leftovers.append(Leftover(self.place.topic.name, where))

    def add_expiring(self, gone_by_ms: int) -> None:
        """It goes by itself until then."""
        self.expiring += 1
        self.gone_by_ms = max(self.gone_by_ms, gone_by_ms)


async def scan_topic(reader: LogReader, place: TopicPlace, needles: Needles, bounds: Bounds | None = None) -> TopicScan:
    """Read the whole topic, partition by partition. The ids of what belongs to the erasure are added to the needles.

    ``bounds``: where its partitions begin and end, where that is known. Raises Unavailable.
    """
    scan, decode = TopicScan(place), None if place.topic.events is None else decoder(place.topic).decode
    bounds = bounds if bounds is not None else await reader.bounds(await reader.partitions(place.topic))
    for partition, (begin, end) in bounds.items():
        present: dict[bytes, _Present] = {}
        async with aclosing(reader.batches(partition, begin, end)) as batches:
            async for batch in batches:
                for record in batch:
                    _fold(scan, present, record, needles, decode)
        for key, each in present.items():
            _settle(scan, key, each, partition.partition)
    return scan


def _fold(scan: TopicScan, present: dict[bytes, _Present], record: StoredRecord, needles: Needles, decode: Any) -> None:
    """One record: on a compacted topic it replaces the one before it."""
    topic, key = scan.place.topic, record.key or b""
    replaced = present.pop(key, None) if topic.is_compacted else None
    if replaced is not None:
        scan.add_expiring(record.timestamp + COMPACTION_LAG_MS + SEGMENT_MS + CLEANER_MS)
    mention = needles.find(key, record.value, *(value for _, value in record.headers))
    if not mention:
        return
    if record.value is None:
        if mention.text:
            scan.add_expiring(record.timestamp + TOMBSTONES_MS + SEGMENT_MS + CLEANER_MS)
        return
    event = _decode(decode, record.value)
    belongs = event is not None and needles.owns(event.tenant, scan.place.owners(event))
    if belongs and not scan.place.shares:
        needles.add(_ids_of(event))
    owned = scan.place.means == "removed" and (belongs or event is None)
    if not topic.is_compacted:
        _settle_expiring(scan, record, mention)
    else:
        found = Owned(record.partition, record.offset, key, event) if owned else None
        present[key] = _Present(mention, found, record.offset)


def _ids_of(event: Any) -> tuple[str, ...]:
    """The ids by which what hangs on a record is named elsewhere."""
    names = ("id", "message_id", "conversation_id", "reply_id")
    return tuple(str(getattr(event.data, name, "")) for name in names)


def _decode(decode: Any, value: bytes) -> Any:
    try:
        return None if decode is None else decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _settle(scan: TopicScan, key: bytes, present: _Present, partition: int) -> None:
    """The newest record of a key of a compacted topic."""
    place, where = scan.place, f"partition {partition}, offset {present.offset}, key {key.decode(errors='replace')}"
    if present.owned is not None:
        scan.owned[partition, key] = present.owned
        scan.add_leftover(where)
    elif present.mention.text and not place.writes:
        scan.add_leftover(where)
    elif place.keeps:
        scan.kept += 1
    elif place.writes:
        scan.mentions += 1
    else:
        scan.add_leftover(where)


def _settle_expiring(scan: TopicScan, record: StoredRecord, mention: NeedleMatch) -> None:
    """A record of a topic that only retention removes records from."""
    place = scan.place
    if place.means == "expires":
        scan.add_expiring(record.timestamp + (place.topic.retention_ms or 0) + SEGMENT_MS + CLEANER_MS)
    elif place.means == "kept" and not mention.text:
        scan.kept += 1
        scan.gone_by_ms = max(scan.gone_by_ms, record.timestamp + (place.topic.retention_ms or 0) + SEGMENT_MS + CLEANER_MS)
    else:
        scan.add_leftover(f"partition {record.partition}, offset {record.offset}")
