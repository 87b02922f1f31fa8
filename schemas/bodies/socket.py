"""Frames that a client sends over the WebSocket. ``id`` is chosen by the client; every answer to the frame has the same."""

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Raw, Struct

from schemas.bodies.conversations import AnswerWish
from schemas.bodies.pages import RequestBody

FrameId = Annotated[str, Meta(min_length=1, max_length=64)]


class Addressed(Struct, frozen=True):
    """The members of every frame, which are read first."""

    id: str = ""
    type: str = ""


class Authenticate(RequestBody, frozen=True, kw_only=True):
    """A credential: first, and again before the token expires; always of the same account."""

    id: FrameId
    type: Literal["authenticate"]
    token: str


class Ask(RequestBody, frozen=True, kw_only=True):
    """A question. ``body`` is that of ``POST /conversations/{id}/messages``; ``idempotency_key`` the client's id of the message."""

    id: FrameId
    type: Literal["ask"]
    conversation_id: UUID
    body: Raw
    idempotency_key: str = ""


class Edit(RequestBody, frozen=True, kw_only=True):
    """Edit a question. ``body`` is that of ``POST /conversations/{id}/messages/{id}/edit``."""

    id: FrameId
    type: Literal["edit"]
    conversation_id: UUID
    message_id: UUID
    body: Raw
    idempotency_key: str = ""


class Regenerate(RequestBody, frozen=True, kw_only=True):
    """Regenerate an answer: adds another reply to the same question. ``body``, optional, is that of ``POST …/replies/{id}/regenerate``."""

    id: FrameId
    type: Literal["regenerate"]
    conversation_id: UUID
    reply_id: UUID
    body: AnswerWish | None = None
    idempotency_key: str = ""


class Read(RequestBody, frozen=True, kw_only=True):
    """Read a reply, from the beginning or exactly after ``last_event_id``. ``thinking``: whether its ``thinking`` events are sent; null:
    as the installation has it.
    """

    id: FrameId
    type: Literal["read"]
    conversation_id: UUID
    reply_id: UUID
    last_event_id: str = ""
    thinking: bool | None = None


class Cancel(RequestBody, frozen=True, kw_only=True):
    """Cancel a reply."""

    id: FrameId
    type: Literal["cancel"]
    conversation_id: UUID
    reply_id: UUID


class Watch(RequestBody, frozen=True, kw_only=True):
    """Follow the progress of a knowledge base's documents."""

    id: FrameId
    type: Literal["watch"]
    knowledge_base_id: UUID


class WatchNotices(RequestBody, frozen=True, kw_only=True):
    """Follow the notices of the account."""

    id: FrameId
    type: Literal["notices"]


class Leave(RequestBody, frozen=True, kw_only=True):
    """Close the stream that the frame ``subscription`` opened; what it started goes on."""

    id: FrameId
    type: Literal["leave"]
    subscription: FrameId


class Ping(RequestBody, frozen=True, kw_only=True):
    """Answered by ``pong``."""

    id: FrameId
    type: Literal["ping"]


ClientFrame = Authenticate | Ask | Edit | Regenerate | Read | Cancel | Watch | WatchNotices | Leave | Ping
FRAMES: dict[str, type[ClientFrame]] = {
    "authenticate": Authenticate,
    "ask": Ask,
    "edit": Edit,
    "regenerate": Regenerate,
    "read": Read,
    "cancel": Cancel,
    "watch": Watch,
    "notices": WatchNotices,
    "leave": Leave,
    "ping": Ping,
}
