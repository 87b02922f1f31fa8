"""The data of every event that leaves as a server-sent event, and the frames that the WebSocket sends.

The WebSocket sends the same events with the same names, ids and data; docs/socket.md describes the protocol.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from schemas.bodies.notices import NoticeView
from schemas.bodies.openai import Annotation, CompletionUsage
from schemas.chats import Citation, Outcome, Source, UnsupportedNumber, Usage
from schemas.documents import Lane, Note, Progress, State
from schemas.errors import Problem

T = TypeVar("T")

# a reply


class AcceptedData(Struct, frozen=True, kw_only=True):
    """``accepted``: the question is on the log. ``queue_position`` and ``estimated_wait_s`` are null when they are unknown."""

    message_id: str
    reply_id: str
    conversation_id: str
    queue_position: int | None = None
    estimated_wait_s: float | None = None


class QueuedData(Struct, frozen=True):
    """``queued``: the number of questions before this one; ``estimated_wait_s`` until it is answered, null when it is unknown."""

    position: int
    estimated_wait_s: float | None


class RetrievedData(Struct, frozen=True):
    """``retrieved``: the passages that the answer is made from."""

    keywords: tuple[str, ...]
    passages: tuple[Source, ...]
    model: str


class SnapshotData(Struct, frozen=True):
    """``snapshot``: everything so far, in place of the events before; ``seq`` is the last delta's.

    ``thinking``: for a reader that asked for it, and only while the events of the reply are kept.
    """

    text: str
    seq: int
    keywords: tuple[str, ...]
    passages: tuple[Source, ...]
    citations: tuple[Citation, ...]
    thinking: str = ""


class ThinkingData(Struct, frozen=True):
    """``thinking``: more of what the model thinks before it answers; ``seq`` counts apart from the deltas. No part of the answer: it is not
    stored, and cites nothing. Only for a reader that asked for it.
    """

    seq: int
    text: str


class DeltaData(Struct, frozen=True):
    """``delta``: more text."""

    seq: int
    text: str


class RestartData(Struct, frozen=True):
    """``restart``: drop the text and the thinking so far; the answer is generated again."""

    attempt: int


class CompletedData(Struct, frozen=True):
    """``completed``: the whole answer. ``outcome``: what it rests on; null for answers of before there was one."""

    text: str
    citations: tuple[Citation, ...]
    usage: Usage
    finish_reason: str
    cached: bool
    model: str
    unsupported_numbers: tuple[UnsupportedNumber, ...] = ()
    outcome: Outcome | None = None


class CancelledData(Struct, frozen=True):
    """``cancelled``: the text up to the cancellation."""

    text: str


REPLY_EVENTS: dict[str, type[Struct]] = {
    "accepted": AcceptedData,
    "queued": QueuedData,
    "retrieved": RetrievedData,
    "snapshot": SnapshotData,
    "thinking": ThinkingData,
    "delta": DeltaData,
    "citation": Citation,
    "restart": RestartData,
    "completed": CompletedData,
    "failed": Problem,
    "cancelled": CancelledData,
}


# a reply, as a visitor of a page sees it that embeds a widget


class WidgetAccepted(Struct, frozen=True, kw_only=True):
    """``accepted``: the question is on the log; the answer is found by ``reply_id`` and the key that asked."""

    reply_id: str
    queue_position: int | None = None
    estimated_wait_s: float | None = None


class WidgetRetrieved(Struct, frozen=True):
    """``retrieved``: the number of passages that the answer is made from."""

    passages: int


class WidgetCitation(Struct, frozen=True, kw_only=True):
    """``citation``: a source of the answer. ``marker`` is its number in the text, ``[1]``; ``locator`` its place, ``p. 3 > A > B``."""

    marker: int
    title: str
    locator: str
    quote: str


class WidgetSnapshot(Struct, frozen=True):
    """``snapshot``: everything so far, in place of the events before; ``seq`` is the last delta's."""

    text: str
    seq: int
    citations: tuple[WidgetCitation, ...]


class WidgetCompleted(Struct, frozen=True):
    """``completed``: the whole answer."""

    text: str
    citations: tuple[WidgetCitation, ...]
    finish_reason: str


class WidgetProblem(Struct, frozen=True, kw_only=True):
    """``failed``: why there is no answer."""

    code: str
    status: int
    title: str
    title_zh: str
    retry_after_s: int


WIDGET_EVENTS: dict[str, type[Struct]] = {
    "accepted": WidgetAccepted,
    "queued": QueuedData,
    "retrieved": WidgetRetrieved,
    "snapshot": WidgetSnapshot,
    "delta": DeltaData,
    "citation": WidgetCitation,
    "restart": RestartData,
    "completed": WidgetCompleted,
    "failed": WidgetProblem,
    "cancelled": CancelledData,
}


# the progress of documents


class ProgressView(Struct, frozen=True, kw_only=True):
    """``progress``: the state of a version. Of one document the highest version counts; a deletion has the number of points ``removed``.

    ``done`` of ``chunks`` are stored. ``estimated_wait_s``: until it is searchable, null when that is unknown or when it has ended.
    ``retry_at``: something outside is away, as ``problem`` says, and the version is tried again then.
    """

    document_id: str
    version: int
    state: State
    title: str
    percent: Annotated[int, Meta(ge=0, le=100)]
    chunks: int
    done: int
    removed: int
    lane: Lane
    estimated_wait_s: float | None
    problem: Problem | None
    notes: tuple[Note, ...]
    retry_at: datetime | None = None

    @classmethod
    def of(cls, progress: Progress, estimated_wait_s: float | None) -> "ProgressView":
        """The event, with the estimate."""
        return cls(
            document_id=progress.document_id,
            version=progress.version,
            state=progress.state,
            title=progress.title,
            percent=progress.percent,
            chunks=progress.chunks,
            done=progress.done,
            removed=progress.removed,
            lane=progress.lane,
            estimated_wait_s=estimated_wait_s,
            problem=progress.cause,
            notes=progress.notes,
            retry_at=progress.retry_at,
        )


class ProgressSnapshot(Struct, frozen=True, kw_only=True):
    """``snapshot``: the present state. ``counts`` by state of the newest documents: of all of them when ``complete``.

    ``open``: the newest that have not ended, at most 500.
    """

    knowledge_base_id: str
    documents: int
    counts: dict[State, int]
    complete: bool
    open: tuple[ProgressView, ...]


PROGRESS_EVENTS: dict[str, type[Struct]] = {"snapshot": ProgressSnapshot, "progress": ProgressView, "failed": Problem}


# notices


class NoticeSnapshot(Struct, frozen=True, kw_only=True):
    """``snapshot``: how many notices were not read, and the newest."""

    unread: int
    newest: tuple[NoticeView, ...]


NOTICE_EVENTS: dict[str, type[Struct]] = {"snapshot": NoticeSnapshot, "notice": NoticeView, "failed": Problem}


# a chat completion


class ChunkDelta(Struct, frozen=True, kw_only=True):
    """What a chunk adds to the message; citations arrive as ``annotations``, its thinking, when asked for, as ``reasoning_content``."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    refusal: UnsetType | None = UNSET
    annotations: tuple[Annotation, ...] | UnsetType = UNSET
    unsupported_numbers: tuple[UnsupportedNumber, ...] | UnsetType = UNSET


class ChunkChoice(Struct, frozen=True, kw_only=True):
    """There is one; ``finish_reason`` is null before the end."""

    index: int = 0
    delta: ChunkDelta
    logprobs: None = None
    finish_reason: str | None = None


class ChatCompletionChunk(Struct, frozen=True, kw_only=True):
    """One event of a streamed completion; the last one is ``[DONE]``. ``usage`` comes with ``stream_options.include_usage``, last."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str
    choices: tuple[ChunkChoice, ...]
    usage: CompletionUsage | UnsetType | None = UNSET


# frames of the WebSocket; ``id`` is that of the client's frame, "" for what the server sends of its own accord


class AuthenticatedData(Struct, frozen=True):
    """The account, and when the credential ends (null: when it is revoked)."""

    user_id: str
    expires_at: datetime | None


class ExpiringData(Struct, frozen=True):
    """When the credential ends."""

    expires_at: datetime


class SocketAuthenticated(Struct, frozen=True, kw_only=True):
    """The credential is valid."""

    id: str
    type: Literal["authenticated"] = "authenticated"
    data: AuthenticatedData


class SocketExpiring(Struct, frozen=True, kw_only=True):
    """The credential ends soon: send ``authenticate`` before then, or the connection closes."""

    id: str = ""
    type: Literal["expiring"] = "expiring"
    data: ExpiringData


class SocketHeartbeat(Struct, frozen=True, kw_only=True):
    """Sent after 10 s of silence."""

    id: str = ""
    type: Literal["heartbeat"] = "heartbeat"


class SocketPong(Struct, frozen=True, kw_only=True):
    """The answer to ``ping``."""

    id: str
    type: Literal["pong"] = "pong"


class SocketOpened(Struct, frozen=True, kw_only=True):
    """The frame has opened a stream; its events follow."""

    id: str
    type: Literal["opened"] = "opened"


class SocketClosed(Struct, frozen=True, kw_only=True):
    """The stream has ended."""

    id: str
    type: Literal["closed"] = "closed"


class SocketDone(Struct, frozen=True, kw_only=True):
    """The frame was carried out; ``data`` is the body of the HTTP answer, if there is one."""

    id: str
    type: Literal["done"] = "done"
    data: Raw | UnsetType = UNSET


class SocketProblem(Struct, frozen=True, kw_only=True):
    """The frame was refused, as the HTTP request would have been."""

    id: str
    type: Literal["problem"] = "problem"
    problem: Problem


class SocketEvent(Struct, Generic[T], frozen=True, kw_only=True):
    """An event of a stream; ``event``, ``event_id`` and ``data`` are those of the server-sent event."""

    id: str
    type: Literal["event"] = "event"
    event: str
    event_id: str
    data: T


SOCKET_EVENTS: dict[str, Any] = {
    "authenticated": SocketAuthenticated,
    "expiring": SocketExpiring,
    "heartbeat": SocketHeartbeat,
    "pong": SocketPong,
    "opened": SocketOpened,
    "closed": SocketClosed,
    "done": SocketDone,
    "problem": SocketProblem,
    **{f"reply.{name}": SocketEvent[data] for name, data in REPLY_EVENTS.items()},  # type: ignore[valid-type]
    **{f"documents.{name}": SocketEvent[data] for name, data in PROGRESS_EVENTS.items()},  # type: ignore[valid-type]
    **{f"notices.{name}": SocketEvent[data] for name, data in NOTICE_EVENTS.items()},  # type: ignore[valid-type]
}
