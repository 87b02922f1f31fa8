"""The audit trail of an answer, read back from the topics: its question, the passages found for it, and every event of the reply.

The message has the offsets of the first two; the events of the reply lie in the partition of the asking replica, from the question on.
Every read is bounded in records and time. A part that the log no longer keeps, or does not return in time, is named in ``missing``.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from domain.chats.reply_lock import ReplyLocation
from domain.chats.topics import CHATS_ANSWERED, CHATS_ASKED, CHATS_GROUNDED
from schemas.chats import (
    Answered,
    ChatAsked,
    ChatGrounded,
    LogPlace,
    Message,
    Passage,
    ReplyCancelled,
    ReplyCompleted,
    ReplyFailed,
    ReplyStarted,
)
from schemas.errors import Unavailable
from schemas.events import Event
from schemas.settings import KafkaSettings
from streams.log.reader import LogReader, open_log_reader
from streams.topics import Topic

TRAILS_MAX = 4  # read at once by one process: each has a consumer of its own
READ_S_MAX = 5.0  # for a whole trail, waiting for others included; then the part that was read is shown
RECORDS_MAX = 50_000  # of the partition, searched for events of the reply: about a minute of a busy replica

EXPIRED = "the log no longer keeps it"
UNKNOWN = "the message does not have its offset"
FOREIGN = "another record is at its offset"
LATE = "the log did not return it in time"
LONG = f"not within {RECORDS_MAX} records"

E = TypeVar("E", ChatAsked, ChatGrounded)


@dataclass(slots=True)
class AuditTrail:
    """The events found; ``missing`` has a reason for each part that was not: ``asked``, ``grounded``, ``answered``."""

    asked: ChatAsked | None = None
    grounded: ChatGrounded | None = None
    answered: list[Answered] = field(default_factory=list)
    answered_from: LogPlace | None = None
    missing: dict[str, str] = field(default_factory=dict)

    def answer_passages(self, message: Message) -> tuple[Passage, ...]:
        """The passages that the answer was generated from: those found whose documents were still visible when it began."""
        if self.grounded is None:
            return ()
        passages = self.grounded.data.passages
        started = [event.data for event in self.answered if isinstance(event, ReplyStarted) and event.data.attempt == message.attempt]
        if started:
            markers = {source.marker for source in started[-1].sources}
            return tuple(passage for passage in passages if passage.marker in markers)
        seen = {(key.split("/", 1)[-1], version) for key, version in message.versions.items()}
        return tuple(each for each in passages if (f"{each.knowledge_base_id}/{each.document_id}", each.version) in seen)


class AuditTrails:
    """Reads the audit trails of answers, a few at once."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._room = asyncio.Semaphore(TRAILS_MAX)

    async def read(self, tenant: str, message: Message, location: ReplyLocation | None) -> AuditTrail:
        """The trail of an answer of this tenant; ``location`` is where its events lie, if that is known. Raises Unavailable when the log
        cannot be read at all.
        """
        trail = AuditTrail()
        try:
            async with asyncio.timeout(READ_S_MAX), self._room, open_log_reader(self._kafka) as reader:
                await _TrailReader(reader, tenant, message, trail).read(location)
        except TimeoutError:
            if trail.asked is None and trail.grounded is None and not trail.answered:
                raise Unavailable("overloaded", f"the log returned nothing within {READ_S_MAX:g} s") from None
            for part, found in (("asked", trail.asked), ("grounded", trail.grounded), ("answered", None)):
                if found is None:
                    trail.missing.setdefault(part, LATE)
        return trail

    async def read_passages(self, tenant: str, message: Message) -> tuple[Passage, ...]:
        """The passages found for an answer of this tenant; none when the log no longer keeps them. Raises Unavailable when it cannot be
        read.
        """
        trail = AuditTrail()
        try:
            async with asyncio.timeout(READ_S_MAX), self._room, open_log_reader(self._kafka) as reader:
                await _TrailReader(reader, tenant, message, trail).read_grounded()
        except TimeoutError:
            raise Unavailable("overloaded", f"the log returned nothing within {READ_S_MAX:g} s") from None
        return trail.grounded.data.passages if trail.grounded is not None else ()


class _TrailReader:
    """One trail being read."""

    def __init__(self, reader: LogReader, tenant: str, message: Message, trail: AuditTrail) -> None:
        self._reader, self._tenant, self._message, self._trail = reader, tenant, message, trail

    async def read(self, location: ReplyLocation | None) -> None:
        message, trail = self._message, self._trail
        await self.read_grounded()
        asked = message.asked or (trail.grounded.data.asked if trail.grounded is not None else None)
        trail.asked = await self._read_event("asked", CHATS_ASKED, asked, _ASKED, lambda event: event.data.reply_id)
        begin = await self._find_begin(location)
        if begin is not None:
            trail.answered_from = begin
            await self._read_answer(begin)

    async def read_grounded(self) -> None:
        """The event with the passages alone."""
        self._trail.grounded = await self._read_event(
            "grounded", CHATS_GROUNDED, self._message.grounded, _GROUNDED, lambda event: event.data.question.reply_id
        )

    async def _read_event(
        self, part: str, topic: Topic, place: LogPlace | None, decoder: msgspec.json.Decoder[E], reply_of: Callable[[E], str]
    ) -> E | None:
        """The event at its offset, if it is of this reply."""
        if place is None:
            self._trail.missing[part] = UNKNOWN
            return None
        record = await self._reader.read_record(self._reader.topic_partition(topic, place.partition), place.offset)
        if record is None:
            self._trail.missing[part] = EXPIRED
            return None
        try:
            event = decoder.decode(record.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._trail.missing[part] = FOREIGN
            return None
        if not self._is_own(event) or reply_of(event) != self._message.id:
            self._trail.missing[part] = FOREIGN
            return None
        return event

    async def _find_begin(self, location: ReplyLocation | None) -> LogPlace | None:
        """The start of the reply's events: its location, else the position in the asker's partition at the time of the question."""
        if location is not None:
            return LogPlace(location.partition, location.offset)
        question = self._trail.asked.data if self._trail.asked is not None else None
        question = question or (self._trail.grounded.data.question if self._trail.grounded is not None else None)
        if question is None:
            self._trail.missing["answered"] = "its location is no longer known"
            return None
        place = self._reader.topic_partition(CHATS_ANSWERED, question.reply_partition)
        offset = await self._reader.offset_since(place, int(question.asked_at.timestamp() * 1000))
        if offset is None:
            self._trail.missing["answered"] = EXPIRED
            return None
        return LogPlace(question.reply_partition, offset)

    async def _read_answer(self, begin: LogPlace) -> None:
        """Every event of this reply, up to the end of the message's attempt."""
        place = self._reader.topic_partition(CHATS_ANSWERED, begin.partition)
        first, end = (await self._reader.bounds([place]))[place]
        start = max(first, begin.offset)
        until = min(end, start + RECORDS_MAX)
        key = self._message.id.encode()
        async for batch in self._reader.batches(place, start, until):
            for record in batch:
                if record.key == key and self._take_event(record.value or b""):
                    return
        if first > begin.offset:
            self._trail.missing["answered"] = EXPIRED
        else:
            self._trail.missing["answered"] = LONG if until < end else "its end is not on the log"

    def _take_event(self, value: bytes) -> bool:
        """Take one event of the reply; True when it is the last one."""
        try:
            event = _ANSWERED.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        if not self._is_own(event):
            return False
        self._trail.answered.append(event)
        return isinstance(event, ReplyCompleted | ReplyFailed | ReplyCancelled) and event.data.attempt >= self._message.attempt

    def _is_own(self, event: Event) -> bool:
        return event.tenant == self._tenant


_ASKED: msgspec.json.Decoder[ChatAsked] = msgspec.json.Decoder(ChatAsked)
_GROUNDED: msgspec.json.Decoder[ChatGrounded] = msgspec.json.Decoder(ChatGrounded)
_ANSWERED: msgspec.json.Decoder[Answered] = msgspec.json.Decoder(Answered)
