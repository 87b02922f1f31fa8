"""The frames of an event stream: events with ids, made from the steps of the fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from msgspec import Struct

from domain.chats.reply_fold import FoldStep, ReplyFold, Restarted, Terminal
from schemas.bodies.streams import CancelledData, CompletedData, DeltaData, RestartData, RetrievedData, SnapshotData, ThinkingData
from schemas.chats import Cancelled, Completed, Extended, Failed, Message, Started, Thought
from schemas.errors import CATALOGUE, Problem

TERMINAL = frozenset({"completed", "failed", "cancelled"})


class PartitionOffset(NamedTuple):
    """The location of a reply on ``claw.chats.answered.v1``: at or before its first record."""

    partition: int
    offset: int


class EventId(NamedTuple):
    """A reader's position: a record and the ordinal of an event in it, from 1; ordinal 0 is the position before that record."""

    partition: int
    offset: int
    ordinal: int

    def __str__(self) -> str:
        return f"{self.partition}.{self.offset}.{self.ordinal}"

    @classmethod
    def parse(cls, text: str | None) -> "EventId | None":
        """The id in ``text``; None for text that is not an event id."""
        parts = (text or "").split(".")
        if len(parts) != len(cls._fields) or not all(part.isascii() and part.isdigit() and len(part) <= DIGITS_MAX for part in parts):
            return None
        return cls(*map(int, parts))


DIGITS_MAX = 19  # an offset is a signed 64-bit number


def event_id(location: PartitionOffset) -> str:
    """The id of the event that the API sends itself, before any event of the log (``accepted``): resuming from it repeats nothing."""
    return str(EventId(location.partition, location.offset, 0))


@dataclass(frozen=True, slots=True)
class ReplyFrame:
    """One event of a stream; ``data`` is JSON. The heartbeat has neither id nor data."""

    id: str
    event: str
    data: bytes

    @property
    def terminal(self) -> bool:
        """Whether the frame is the last of its stream."""
        return self.event in TERMINAL

    def sse(self) -> bytes:
        """The frame as ``text/event-stream``."""
        if not self.id:
            return b": heartbeat\n\n"
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (self.id.encode(), self.event.encode(), self.data)


HEARTBEAT = ReplyFrame("", "heartbeat", b"")


_encode = msgspec.json.Encoder().encode


def frames_of(partition: int, offset: int, steps: Sequence[FoldStep]) -> tuple[ReplyFrame, ...]:
    """The frames of one record; ordinals count from 1."""
    bodies = [body for step in steps for body in _bodies(step)]
    return tuple(
        ReplyFrame(str(EventId(partition, offset, ordinal)), name, _encode(body)) for ordinal, (name, body) in enumerate(bodies, start=1)
    )


def _bodies(step: FoldStep) -> list[tuple[str, Struct]]:
    if isinstance(step, Extended):
        return [("delta", DeltaData(step.seq, step.text)), *(("citation", citation) for citation in step.citations)]
    return [_body(step)]


def _body(step: Restarted | Started | Thought | Terminal) -> tuple[str, Struct]:
    name: str
    body: Struct
    match step:
        case Thought():
            name, body = "thinking", ThinkingData(step.seq, step.text)
        case Started():
            name, body = "retrieved", RetrievedData(step.keywords, step.sources, step.model)
        case Restarted():
            name, body = "restart", RestartData(step.attempt)
        case Completed():
            name, body = "completed", _completion(step.text, step)
        case Failed():
            name, body = "failed", step.problem
        case Cancelled():
            name, body = "cancelled", CancelledData(step.text)
    return name, body


def snapshot_of(fold: ReplyFold, place: EventId) -> ReplyFrame:
    """The state of ``fold`` as one frame; ``place`` is the last event it covers."""
    started = fold.started
    keywords, passages = (started.keywords, started.sources) if started else ((), ())
    snapshot = SnapshotData(fold.text, fold.seq, keywords, passages, fold.citations, fold.thinking)
    return ReplyFrame(str(place), "snapshot", _encode(snapshot))


def _completion(text: str, reply: Completed | Message) -> CompletedData:
    return CompletedData(
        text=text,
        citations=reply.citations,
        usage=reply.usage,
        finish_reason=reply.finish_reason,
        cached=reply.cached,
        model=reply.model,
        unsupported_numbers=reply.unsupported_numbers,
        outcome=reply.outcome,
    )


def frames_of_message(message: Message, place: EventId) -> tuple[ReplyFrame, ReplyFrame]:
    """The frames of a reply whose events are past retention, from its record: a snapshot and its end."""
    name: str
    body: Struct
    match message.state:
        case "complete":
            name, body = "completed", _completion(message.content, message)
        case "cancelled":
            name, body = "cancelled", CancelledData(message.content)
        case "failed":
            name, body = "failed", message.problem or _failure()
    snapshot = SnapshotData(message.content, 0, (), (), message.citations)
    return ReplyFrame(str(place), "snapshot", _encode(snapshot)), ReplyFrame(str(place), name, _encode(body))


def _failure() -> Problem:
    line = CATALOGUE["answer_failed"]
    return Problem(
        type="urn:claw:problem:answer_failed", title=line.title, status=int(line.status), detail=line.remedy, code="answer_failed"
    )
