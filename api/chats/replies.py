"""Streams of replies: opened, counted, relayed, and followed to their end."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec
import structlog
from litestar import Response
from litestar.params import QueryParameter
from msgspec import Struct

from api.chats.ports import ChatPorts
from api.chats.queue_position import POLL_S, QueueTracker
from api.http.identity import Caller
from api.http.request import ApiRequest
from api.http.sse import EventStream, event_frame
from domain.chats.history import HistoryBudget
from domain.chats.relay import HEARTBEAT, PartitionOffset, ReplyFrame, event_id
from domain.chats.relay.frames import EventId
from domain.chats.reply_lock import ReplyLocation
from schemas.bodies.streams import AcceptedData
from schemas.chats import Message, Turn
from schemas.errors import Refused, Unavailable
from schemas.thinking import is_thinking_shown

ANSWER_MARGIN_S = 120.0  # beyond the longest answer: waiting behind other questions, and a takeover by another worker
BEGINNING = EventId(0, 0, 0)  # resuming from here begins at the beginning

WithThinking = Annotated[
    bool | None,
    QueryParameter(
        name="thinking",
        description="Whether the stream has `thinking` events, of a question that asked for them; default: the installation's.",
    ),
]

log = structlog.get_logger(__name__)


class _CompletedText(Struct, frozen=True):
    """The part of a ``completed`` event that the next question of the conversation needs."""

    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to read. ``asked_s``: when this process received the question (monotonic), None for all but its first reader. ``ahead``:
    the questions before it at that time, as far as they are known. ``with_thinking``: this reader sees what the model thinks.
    """

    id: str
    conversation_id: str
    message_id: str
    location: ReplyLocation | None
    asked_s: float | None = None
    ahead: int = 0
    with_thinking: bool = False


def first_frame(reply: Reply, queue_position: int | None, estimated_wait_s: float | None) -> ReplyFrame:
    """The first event of a question's stream; resuming from its id repeats nothing."""
    location = reply.location
    start = PartitionOffset(0, 0) if location is None else PartitionOffset(location.partition, location.offset)
    accepted = AcceptedData(
        message_id=reply.message_id,
        reply_id=reply.id,
        conversation_id=reply.conversation_id,
        queue_position=queue_position,
        estimated_wait_s=estimated_wait_s,
    )
    return event_frame("accepted", event_id(start), msgspec.json.encode(accepted))


def stream_reply(request: ApiRequest, reply: Reply, *, thinking: bool | None) -> Response[None]:
    """The reply from the beginning, or exactly after ``Last-Event-ID``: 204 when it has nothing after that."""
    ports, last_event_id = request.ports(ChatPorts), request.headers.get("last-event-id")
    reply = replace(
        reply,
        asked_s=ports.running.take_asked(reply.id) if last_event_id is None else None,
        with_thinking=is_thinking_shown(request.core.settings.model.show_thinking, thinking),
    )
    frames = relay_reply(ports, request.user, reply, last_event_id)
    return EventStream(frames, resumes=EventId.parse(last_event_id) is not None)


async def relay_reply(
    ports: ChatPorts, caller: Caller, reply: Reply, last_event_id: str | None = None, first: ReplyFrame | None = None
) -> AsyncGenerator[ReplyFrame, None]:
    """``first``, then the reply's events to its end; ``queued`` while it waits. A reader who disconnects does not stop the reply."""
    conversation = (caller.tenant, reply.conversation_id)
    ports.running.add_reader(conversation, reply.id)
    try:
        with ports.http.streams.enter():
            if first is not None:
                yield first
            queue, asked_s = _track_queue(ports, caller, reply, last_event_id), reply.asked_s
            async with aclosing(read_frames(ports, caller, reply, last_event_id, first_heartbeat_s=POLL_S if queue else None)) as frames:
                async for frame in frames:
                    if queue is not None and frame is HEARTBEAT:
                        if (update := await queue.next_frame()) is not None:
                            yield update
                        continue
                    if queue is not None and frame.event == "retrieved":
                        queue.mark_retrieved(frame.id, queued=reply.ahead > 0)
                    else:
                        queue = None
                    asked_s = observe_frame(ports, frame, asked_s)
                    if frame.terminal:
                        finish_reply(ports, caller, reply, frame)
                    yield frame
    except Refused as refusal:  # the head of the response has been sent: the stream itself has to report it
        yield event_frame("failed", str(EventId.parse(last_event_id) or BEGINNING), msgspec.json.encode(refusal.problem()))
    except Unavailable as error:
        log.warning("stream_interrupted", reply_id=reply.id, cause=str(error))  # it ends without a terminal event: the client resumes
    finally:
        ports.running.remove_reader(conversation, reply.id)


def observe_frame(ports: ChatPorts, frame: ReplyFrame, asked_s: float | None) -> float | None:
    """Count the outcome, and the time to the first text since ``asked_s`` (monotonic); returns ``asked_s`` until that was observed."""
    if asked_s is not None and frame.event == "delta":
        ports.core.metrics.first_token_seconds.observe(ports.core.clock.monotonic_s() - asked_s)
        asked_s = None
    if frame.terminal:
        ports.core.metrics.replies.labels(frame.event).inc()
    return asked_s


async def follow_reply(ports: ChatPorts, caller: Caller, reply: Reply) -> None:
    """Read a reply to its end without a reader: while Redis is down nothing else releases the lock that was taken here."""
    try:
        async with aclosing(read_frames(ports, caller, reply)) as frames:
            async for frame in frames:
                if frame.terminal:
                    finish_reply(ports, caller, reply, frame)
    except (Refused, Unavailable) as error:
        log.info("reply_not_followed", reply_id=reply.id, cause=str(error))  # the lock then expires


async def cancel_reply(request: ApiRequest, reply: Reply, message: Message | None) -> None:
    """Ask for the end of a reply; ``message`` is its message, which it has once it has ended. Raises Refused("reply_finished")."""
    if message is not None:
        raise Refused("reply_finished", reply_id=reply.id)
    await request.ports(ChatPorts).reply_locks.request_cancel(request.user.tenant, reply.id)


def finish_reply(ports: ChatPorts, caller: Caller, reply: Reply, frame: ReplyFrame) -> None:
    """The reply has ended: release its lock if it was taken here, and add the answer to the known history."""
    conversation = (caller.tenant, reply.conversation_id)
    ports.running.mark_ended(reply.id)
    ports.running.close(conversation, reply.id)
    if frame.event == "completed":
        turn = Turn(role="assistant", content=_decode(frame.data).text)
        ports.running.add_turn(conversation, reply.id, turn, HistoryBudget.from_limits(ports.core.settings.limits))


_decode = msgspec.json.Decoder(_CompletedText).decode


def _track_queue(ports: ChatPorts, caller: Caller, reply: Reply, last_event_id: str | None) -> QueueTracker | None:
    """A tracker for a reader without any event of the answer, else None."""
    seen = EventId.parse(last_event_id)
    if reply.location is None or (seen is not None and seen.ordinal > 0):
        return None
    place = str(seen or EventId(reply.location.partition, reply.location.offset, 0))
    return QueueTracker(ports.estimates, ports.core.clock, place, caller.tenant)


def read_frames(
    ports: ChatPorts, caller: Caller, reply: Reply, last_event_id: str | None = None, *, first_heartbeat_s: float | None = None
) -> AsyncGenerator[ReplyFrame, None]:
    """The reply's frames from the log, or from its message once the log no longer has them; see ``Relay.stream``."""
    location = None if reply.location is None else (reply.location.partition, reply.location.offset)

    async def find_message() -> Message | None:
        return await ports.core.read_models.messages.get(f"{caller.tenant}/{reply.conversation_id}", reply.id)

    return ports.relay.stream(
        reply.id,
        location=location,
        last_event_id=last_event_id,
        fallback=find_message,
        first_heartbeat_s=first_heartbeat_s,
        with_thinking=reply.with_thinking,
    )
