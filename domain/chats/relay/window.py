"""The recent past of one partition, in memory."""

from bisect import bisect_left
from collections import deque
from operator import attrgetter
from typing import Protocol

import msgspec
import structlog

from domain.chats.relay.frames import ReplyFrame, frames_of
from domain.chats.reply_fold import FoldStep
from domain.chats.topics import CHATS_ANSWERED
from schemas.chats import Answered
from streams.topics import decoder

RECORD_BYTES = 512  # what a record costs beside its value: objects, key, index entry; and the decoded event is about as large as the value

log = structlog.get_logger(__name__)


class ReplyRecord:
    """A record of the log. Decoded when the first reader asks, its frames encoded once for all readers."""

    __slots__ = ("_event", "_frames", "_steps", "key", "offset", "partition", "size", "value")

    def __init__(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        self.partition = partition
        self.offset = offset
        self.key = key or b""
        self.value = value
        self.size = len(value or b"") + RECORD_BYTES
        self._event: Answered | None = None
        self._steps: tuple[FoldStep, ...] = ()
        self._frames: tuple[ReplyFrame, ...] = ()

    def event(self) -> Answered | None:
        """The event, or None for bytes that do not decode; readers skip them."""
        if self.value is not None:
            try:
                self._event = _decoder.decode(self.value)
            except msgspec.DecodeError as error:
                log.warning("reply_event_malformed", partition=self.partition, offset=self.offset, error=str(error))
            self.value = None
        return self._event

    def frames(self, steps: tuple[FoldStep, ...]) -> tuple[ReplyFrame, ...]:
        """The frames of a fold's steps for this record; all folds of a reply have the same steps, so they share the encoding."""
        if self._steps != steps:
            self._steps, self._frames = steps, frames_of(self.partition, self.offset, steps)
        return self._frames


_decoder: msgspec.json.Decoder[Answered] = decoder(CHATS_ANSWERED)  # type: ignore[assignment]  # the topic's events are this union


class Waiter(Protocol):
    """A cursor that has read all present records of its reply."""

    key: bytes

    def resume_at(self, offset: int) -> None:
        """Read again from ``offset``: no record of the key is unread before it."""


class RecordWindow:
    """Every record of a partition from ``start`` up to ``end`` (the next offset), the oldest dropped beyond ``bytes_max``."""

    def __init__(self, partition: int, start: int, bytes_max: int) -> None:
        self.partition = partition
        self.start = start
        self.end = start
        self._bytes_max = bytes_max
        self._bytes = 0
        self._records: deque[ReplyRecord] = deque()
        self._by_key: dict[bytes, list[ReplyRecord]] = {}
        self._waiters: dict[bytes, set[Waiter]] = {}

    def append(self, record: ReplyRecord) -> None:
        """The next record of the partition; repeats are ignored. Wakes the cursors that wait for its key."""
        if record.offset < self.end:
            return
        self.end = record.offset + 1
        self._records.append(record)
        self._by_key.setdefault(record.key, []).append(record)
        self._bytes += record.size
        while self._bytes > self._bytes_max and len(self._records) > 1:
            self._evict()
        for waiter in self._waiters.pop(record.key, ()):
            waiter.resume_at(record.offset)

    def find(self, key: bytes, offset: int) -> ReplyRecord | None:
        """The first record of ``key`` at or after ``offset``."""
        records = self._by_key.get(key)
        if records is None:
            return None
        index = bisect_left(records, offset, key=_offset)
        return records[index] if index < len(records) else None

    def add_waiter(self, waiter: Waiter) -> None:
        """Wake ``waiter`` once, at the next record of its key."""
        self._waiters.setdefault(waiter.key, set()).add(waiter)

    def remove_waiter(self, waiter: Waiter) -> None:
        """Remove a waiter whose reader has gone."""
        waiters = self._waiters.get(waiter.key)
        if waiters is not None:
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[waiter.key]

    def close(self) -> None:
        """The partition is no longer followed: wake all waiters, which continue elsewhere."""
        waiters, self._waiters = self._waiters, {}
        for waiter in [each for group in waiters.values() for each in group]:
            waiter.resume_at(self.end)

    def _evict(self) -> None:
        oldest = self._records.popleft()
        self.start = oldest.offset + 1
        self._bytes -= oldest.size
        records = self._by_key[oldest.key]
        del records[0]
        if not records:
            del self._by_key[oldest.key]


_offset = attrgetter("offset")
