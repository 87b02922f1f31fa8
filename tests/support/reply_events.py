"""Replies as events, for the tests of this folder."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from domain.chats.relay import Relay, ReplyFrame
from domain.chats.topics import CHATS_ANSWERED
from schemas import ids
from schemas.chats import (
    Answered,
    Cancelled,
    Citation,
    Completed,
    Extended,
    Failed,
    ReplyCancelled,
    ReplyCompleted,
    ReplyExtended,
    ReplyFailed,
    ReplyStarted,
    ReplyThought,
    Source,
    Started,
    Thought,
)
from schemas.errors import Problem, Unavailable
from schemas.events import Event
from streams.log.outgoing import Outgoing
from streams.log.publisher import KafkaPublisher

CONVERSATION = "11111111-1111-4111-8111-111111111111"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CITATION = Citation(marker=1, chunk_id="c1", knowledge_base_id="kb", document_id="d1", version=3, title="Title", locator="A > B", quote="q")
SOURCE = Source(marker=1, chunk_id="c1", knowledge_base_id="kb", document_id="d1", version=3, title="Title", score=0.5)

E = TypeVar("E", bound=Event)


def _event(kind: type[E], reply_id: str, data: Any) -> E:
    name = kind.type_name()
    return kind(
        id=ids.derive(reply_id, name, data.attempt, getattr(data, "seq", 0)),
        source="/claw/generate",
        subject=reply_id,
        time=NOW,
        tenant="t",
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
        data=data,
    )


def started(reply_id: str, attempt: int = 1) -> ReplyStarted:
    data = Started(conversation_id=CONVERSATION, attempt=attempt, model="local", keywords=("k",), sources=(SOURCE,))
    return _event(ReplyStarted, reply_id, data)


def extended(reply_id: str, seq: int, text: str, attempt: int = 1, *, cited: bool = False) -> ReplyExtended:
    data = Extended(conversation_id=CONVERSATION, attempt=attempt, seq=seq, text=text, citations=(CITATION,) if cited else ())
    return _event(ReplyExtended, reply_id, data)


def thought(reply_id: str, seq: int, text: str, attempt: int = 1) -> ReplyThought:
    return _event(ReplyThought, reply_id, Thought(conversation_id=CONVERSATION, attempt=attempt, seq=seq, text=text))


def completed(reply_id: str, text: str, attempt: int = 1) -> ReplyCompleted:
    return _event(ReplyCompleted, reply_id, Completed(conversation_id=CONVERSATION, attempt=attempt, text=text, citations=(CITATION,)))


def failed(reply_id: str, attempt: int = 1) -> ReplyFailed:
    return _event(ReplyFailed, reply_id, Failed(conversation_id=CONVERSATION, attempt=attempt, problem=Problem(code="answer_failed")))


def cancelled(reply_id: str, text: str, attempt: int = 1) -> ReplyCancelled:
    return _event(ReplyCancelled, reply_id, Cancelled(conversation_id=CONVERSATION, attempt=attempt, text=text))


def whole_reply(reply_id: str, pieces: list[str], attempt: int = 1) -> list[Answered]:
    """A reply from start to completion; every second piece has a citation."""
    deltas = [extended(reply_id, seq, text, attempt, cited=seq % 2 == 0) for seq, text in enumerate(pieces, start=1)]
    return [started(reply_id, attempt), *deltas, completed(reply_id, "".join(pieces), attempt)]


def outgoing(events: Sequence[Event], partition: int) -> list[Outgoing]:
    return [Outgoing(CHATS_ANSWERED, event, partition=partition) for event in events]


async def collect(relay: Relay, reply_id: str, *, heartbeats: bool = False, **options: Any) -> list[ReplyFrame]:
    """A stream to its end."""
    async with aclosing(relay.stream(reply_id, **options)) as frames:
        return [frame async for frame in frames if frame.id or heartbeats]


def text_of(frames: list[ReplyFrame]) -> str:
    """The text a client that only follows deltas, restarts and snapshots has."""
    text = ""
    for frame in frames:
        body = msgspec.json.decode(frame.data) if frame.data else {}
        if frame.event == "delta":
            text += body["text"]
        elif frame.event == "restart":
            text = ""
        elif frame.event == "snapshot":
            text = body["text"]
    return text


def names(frames: list[ReplyFrame]) -> list[str]:
    return [frame.event for frame in frames]


async def until_published(publisher: KafkaPublisher, each: Outgoing, patience_s: float = 40) -> None:
    """As the agent wrapper does: again and again."""
    async with asyncio.timeout(patience_s):
        while True:
            try:
                await publisher.publish(each)
            except Unavailable:
                await asyncio.sleep(0.1)
            else:
                return
