"""The audit log read back from its topic, newest first: all of a tenant lies in one partition.

Nothing of it stands in Redis: what strangers are refused would fill the memory, and the log keeps it for longer. Every call has a
consumer of its own for as long as it lasts, and reads a bounded number of records.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from adapters.kafka import TopicPartition
from domain.audit.topics import AUDIT_RECORDED
from schemas.audit import AuditOutcome, AuditRecorded
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.backward import BackwardReader
from streams.log.reader import LogReader, open_log_reader
from streams.tables.cursor import decode_offsets, encode_offsets
from streams.topics import Topic

READERS_MAX = 4  # calls at once in one process: each has a consumer of its own
READ_S_MAX = 10.0  # for one page, waiting for others included
WINDOW = 500  # records of one partition read at once, going back in time
SCANNED_MAX = 10_000  # records read for one page, some 10 MB; a page may end early, its cursor continues
FETCH_BYTES = 1_048_576
CLOCKS_MS = 120_000  # an entry's time is its writer's, the topic is searched by that of its batch: clocks and queues differ by less

_decode = msgspec.json.Decoder(AuditRecorded).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """A filter of entries; None and "" match all. ``action``: the beginning of an action; ``actor``: an account or an API key by its id;
    from ``since``, before ``until``.
    """

    tenant: str | None
    action: str = ""
    actor: str = ""
    outcome: AuditOutcome | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, event: AuditRecorded) -> bool:
        """Whether the filter matches this entry."""
        entry = event.data
        return (
            (self.tenant is None or event.tenant == self.tenant)
            and entry.action.startswith(self.action)
            and (not self.actor or self.actor in {entry.actor.account_id, entry.actor.key_id})
            and (self.outcome is None or entry.outcome == self.outcome)
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
        )


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, newest first. ``next_cursor`` is "" at the end."""

    items: Sequence[AuditRecorded]
    next_cursor: str


class AuditReader:
    """``partition_for``: that of a key. Every method raises Unavailable("kafka_unavailable" or "overloaded")."""

    def __init__(self, kafka: KafkaSettings, partition_for: Callable[[Topic, str], int]) -> None:
        self._kafka, self._partition_for = kafka, partition_for
        self._room = asyncio.Semaphore(READERS_MAX)

    async def page(self, wanted: AuditFilter, *, limit: int, cursor: str = "") -> AuditPage:
        """At most ``limit`` entries before ``cursor``, each once; fewer, even none, when too many others had to be read.

        Raises Refused("validation_failed") for a cursor that no page returned.
        """
        before = decode_offsets(cursor) if cursor else {}
        try:
            async with asyncio.timeout(READ_S_MAX), self._room, open_log_reader(self._kafka, fetch_bytes=FETCH_BYTES) as log:
                return await self._read(log, wanted, limit, before)
        except TimeoutError:
            raise Unavailable("overloaded", f"the audit log did not return a page within {READ_S_MAX:g} s") from None

    async def _read(self, log: LogReader, wanted: AuditFilter, limit: int, before: Mapping[int, int]) -> AuditPage:
        records, scanned = BackwardReader(log, await self._bounds(log, wanted, before), WINDOW), 0
        found: dict[str, AuditRecorded] = {}  # by id: what was not acknowledged in time is published again
        while len(found) < limit and scanned < SCANNED_MAX and (record := await records.pop()) is not None:
            scanned += 1
            try:
                event = _decode(record.value or b"")
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if wanted.matches(event):
                found.setdefault(event.id, event)
        return AuditPage([*found.values()], "" if records.is_at_end else encode_offsets(records.before))

    async def _bounds(self, log: LogReader, wanted: AuditFilter, before: Mapping[int, int]) -> dict[TopicPartition, tuple[int, int]]:
        """From where to where each partition may have entries."""
        if wanted.tenant is None:
            places = await log.partitions(AUDIT_RECORDED)
        else:
            places = [log.topic_partition(AUDIT_RECORDED, self._partition_for(AUDIT_RECORDED, wanted.tenant))]
        bounds = await log.bounds(places)
        starts = await log.offsets_for_time(places, _millis(wanted.since) - CLOCKS_MS) if wanted.since else {}
        stops = await log.offsets_for_time(places, _millis(wanted.until) + CLOCKS_MS) if wanted.until else {}
        found = {}
        for place, (begin, end) in bounds.items():
            if (start := starts.get(place, begin)) is None:  # nothing since
                continue
            stop = stops.get(place) or end
            found[place] = (max(begin, start), min(before.get(place.partition, stop), stop, end))
        return found


def _millis(at: datetime) -> int:
    return max(CLOCKS_MS, int(at.timestamp() * 1000))
