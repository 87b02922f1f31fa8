"""Streams of replies: opened, counted, relayed, and followed to their end."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import msgspec
import structlog
from msgspec import Struct

from api.identity import Caller
from api.ports import Ports
from api.sse import encoded
from schemas.chats import Message, Turn
from schemas.errors import Refused, Unavailable
from streams.history import Budget
from streams.relay import Frame
from streams.relay.frames import EventId
from streams.turns import Location

NOWHERE = EventId(0, 0, 0)  # resuming from here begins at the beginning

log = structlog.get_logger(__name__)


class Accepted(Struct, frozen=True, kw_only=True):
    """``accepted``: the question is on the log."""

    message_id: str
    reply_id: str
    conversation_id: str


class _Said(Struct, frozen=True):
    """The part of a ``completed`` event that a conversation's next question needs."""

    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer somebody may read. ``asked_s`` is when this process got the question (monotonic); None for a later reader."""

    id: str
    conversation_id: str
    message_id: str
    location: Location | None
    asked_s: float | None = None


def check_room(ports: Ports) -> None:
    """Unavailable("overloaded") when this process has all the event streams it may have."""
    if ports.running.streams >= ports.settings.limits.streams_max:
        raise Unavailable("overloaded", "all event streams of this process are taken", retry_after_s=2.0)


async def relayed(
    ports: Ports, caller: Caller, reply: Reply, last_event_id: str | None = None, first: bytes = b""
) -> AsyncGenerator[bytes, None]:
    """``first``, then the reply's events as ``text/event-stream``, to its end. A reader who leaves stops nothing but this."""
    conversing = (caller.tenant, reply.conversation_id)
    ports.running.reading(conversing, reply.id)
    ports.running.streams += 1
    ports.metrics.streams_open.set(ports.running.streams)
    try:
        if first:
            yield first
        asked_s = reply.asked_s
        async with aclosing(_frames(ports, caller, reply, last_event_id)) as frames:
            async for frame in frames:
                if asked_s is not None and frame.event == "delta":
                    ports.metrics.first_token_seconds.observe(ports.clock.monotonic_s() - asked_s)
                    asked_s = None
                if frame.terminal:
                    ports.metrics.replies.labels(frame.event).inc()
                    ended(ports, caller, reply, frame)
                yield frame.sse()
    except Refused as refusal:  # the head of the response is out: the stream itself has to say it
        yield encoded("failed", str(EventId.parse(last_event_id) or NOWHERE), msgspec.json.encode(refusal.problem()))
    except Unavailable as error:
        log.warning("stream_interrupted", reply_id=reply.id, cause=str(error))  # it ends without an end: the client resumes
    finally:
        ports.running.unread(conversing, reply.id)
        ports.running.streams -= 1
        ports.metrics.streams_open.set(ports.running.streams)


async def followed(ports: Ports, caller: Caller, reply: Reply) -> None:
    """Read a reply to its end for its own sake: while Redis is down nobody else tells this process that the turn is over."""
    try:
        async with aclosing(_frames(ports, caller, reply, None)) as frames:
            async for frame in frames:
                if frame.terminal:
                    ended(ports, caller, reply, frame)
    except (Refused, Unavailable) as error:
        log.info("reply_not_followed", reply_id=reply.id, cause=str(error))  # the turn then ends by its age


def ended(ports: Ports, caller: Caller, reply: Reply, frame: Frame) -> None:
    """The reply is over: free the turn if it was taken here, and remember what was said."""
    conversing = (caller.tenant, reply.conversation_id)
    ports.running.close(conversing, reply.id)
    if frame.event == "completed":
        turn = Turn(role="assistant", content=_decode(frame.data).text)
        ports.running.said(conversing, reply.id, turn, Budget.of(ports.settings.limits))


_decode = msgspec.json.Decoder(_Said).decode


def _frames(ports: Ports, caller: Caller, reply: Reply, last_event_id: str | None) -> AsyncGenerator[Frame, None]:
    location = None if reply.location is None else (reply.location.partition, reply.location.offset)

    async def record() -> Message | None:
        return await ports.views.messages.get(f"{caller.tenant}/{reply.conversation_id}", reply.id)

    return ports.relay.stream(reply.id, location=location, last_event_id=last_event_id, fallback=record)
