"""What a visitor sees of an answer's events: pure, and by a list, so that what an event gains later stays behind the door.

The ids are those of the reply, so a reader resumes exactly after any of them; events that are left out repeat nothing.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import msgspec

from domain.chats.relay import HEARTBEAT, ReplyFrame
from schemas.bodies.streams import (
    AcceptedData,
    CompletedData,
    RetrievedData,
    SnapshotData,
    WidgetAccepted,
    WidgetCitation,
    WidgetCompleted,
    WidgetProblem,
    WidgetRetrieved,
    WidgetSnapshot,
)
from schemas.chats import Citation
from schemas.errors import Problem

UNCHANGED = frozenset({"queued", "delta", "restart", "cancelled"})


def public_frame(frame: ReplyFrame) -> ReplyFrame | None:
    """The frame for a visitor; None for one that is not for them."""
    if frame is HEARTBEAT or frame.event in UNCHANGED:
        return frame
    reduce = _REDUCERS.get(frame.event)
    return ReplyFrame(frame.id, frame.event, msgspec.json.encode(reduce(frame.data))) if reduce is not None else None


async def public_frames(frames: AsyncGenerator[ReplyFrame, None]) -> AsyncGenerator[ReplyFrame, None]:
    """The frames of a stream for a visitor."""
    async with aclosing(frames):
        async for frame in frames:
            if (public := public_frame(frame)) is not None:
                yield public


def _reduce_accepted(data: AcceptedData) -> WidgetAccepted:
    return WidgetAccepted(reply_id=data.reply_id, queue_position=data.queue_position, estimated_wait_s=data.estimated_wait_s)


def _reduce_retrieved(data: RetrievedData) -> WidgetRetrieved:
    return WidgetRetrieved(len(data.passages))


def _reduce_citation(data: Citation) -> WidgetCitation:
    return WidgetCitation(marker=data.marker, title=data.title, locator=data.locator, quote=data.quote)


def _reduce_snapshot(data: SnapshotData) -> WidgetSnapshot:
    return WidgetSnapshot(data.text, data.seq, tuple(map(_reduce_citation, data.citations)))


def _reduce_completed(data: CompletedData) -> WidgetCompleted:
    return WidgetCompleted(data.text, tuple(map(_reduce_citation, data.citations)), data.finish_reason)


def _reduce_failed(data: Problem) -> WidgetProblem:
    """Without detail and remedy, which are for the account's owner and the operator."""
    return WidgetProblem(code=data.code, status=data.status, title=data.title, title_zh=data.title_zh, retry_after_s=data.retry_after_s)


def _reducer(kind: type[Any], reduce: Callable[[Any], msgspec.Struct]) -> Callable[[bytes], msgspec.Struct]:
    decode = msgspec.json.Decoder(kind).decode
    return lambda data: reduce(decode(data))


_REDUCERS: Mapping[str, Callable[[bytes], msgspec.Struct]] = {
    "accepted": _reducer(AcceptedData, _reduce_accepted),
    "retrieved": _reducer(RetrievedData, _reduce_retrieved),
    "snapshot": _reducer(SnapshotData, _reduce_snapshot),
    "citation": _reducer(Citation, _reduce_citation),
    "completed": _reducer(CompletedData, _reduce_completed),
    "failed": _reducer(Problem, _reduce_failed),
}
