"""Offsets that stay what they were: the padding between the records of a partition.

Kafka gives the records of a new topic the offsets 0, 1, 2, …, and no client can choose them. The records of an old topic begin later,
because retention removed the first, and have gaps, because compaction removed some between. Versions of documents, ids of events and
cursors are offsets, so a restore writes a padding record for every offset that has no record. Readers of this product never see one
(``adapters/kafka_padding.py``), those before the first record are deleted again, and compaction removes the others.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ops.backup.frames import LogEntry


@dataclass(frozen=True, slots=True)
class Gap:
    """``count`` offsets without a record, from ``first`` on; padding is stamped ``timestamp_ms``."""

    first: int
    count: int
    timestamp_ms: int


def with_gaps(entries: Iterable[LogEntry], end: int) -> Iterator[LogEntry | Gap]:
    """The records, whose offsets rise and lie below ``end``, and between them the gaps: together every offset from 0 up to ``end`` once.

    A gap has the time of the record behind it, the last one that of the record before it: retention and search by time see no other times
    than those of records.
    """
    position = timestamp_ms = 0
    for entry in entries:
        if entry.offset > position:
            yield Gap(position, entry.offset - position, entry.timestamp_ms)
        yield entry
        position, timestamp_ms = entry.offset + 1, entry.timestamp_ms
    if position < end:
        yield Gap(position, end - position, timestamp_ms)
