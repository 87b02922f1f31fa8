"""Notices and webhooks over HTTP."""

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from schemas.bodies.pages import RequestBody
from schemas.notices import (
    Channel,
    DeliveryAttempt,
    DeliveryState,
    DisabledReason,
    Language,
    NoticeKind,
    Webhook,
    WebhookDelivery,
    WebhookEventType,
)

EventTypes = Annotated[
    tuple[WebhookEventType, ...], Meta(max_length=20, description="The events to send; empty: all.", examples=[["document.indexed"]])
]
WebhookUrl = Annotated[str, Meta(min_length=1, max_length=2_048, examples=["https://hooks.example.com/claw"])]
Description = Annotated[str, Meta(max_length=500)]
Moment = Annotated[datetime, Meta(tz=True)]


class NoticeView(Struct, frozen=True, kw_only=True):
    """A notice in the reader's language. ``fields`` has the data of the text; ``read_at`` is null while it is unread."""

    id: str
    kind: NoticeKind
    title: str
    text: str
    fields: dict[str, str]
    created_at: datetime
    read_at: datetime | None = None


class UnreadCount(Struct, frozen=True):
    """How many notices were not read."""

    unread: int


class NoticesRead(Struct, frozen=True):
    """How many notices this request marked as read."""

    read: int


class NoticePreferencesView(Struct, frozen=True, kw_only=True):
    """``channels`` of every kind, as chosen or by default. ``language`` null: that of the request, and English in mails."""

    language: Language | None
    channels: dict[str, tuple[Channel, ...]]


class NoticePreferencesPut(RequestBody, frozen=True, kw_only=True):
    """Kinds left out have their default; an empty list turns a kind off."""

    language: Language | None = None
    channels: dict[NoticeKind, Annotated[tuple[Channel, ...], Meta(max_length=2)]] = field(default_factory=dict)


class WebhookCreate(RequestBody, frozen=True, kw_only=True):
    """An endpoint that gets events of the caller's account by POST, signed after the Standard Webhooks specification."""

    url: WebhookUrl
    description: Description = ""
    event_types: EventTypes = ()


class WebhookPatch(RequestBody, frozen=True, kw_only=True):
    """Fields left out stay as they are. ``enabled`` true also ends a failure."""

    url: WebhookUrl | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    event_types: EventTypes | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class WebhookView(Struct, frozen=True, kw_only=True):
    """A webhook without its secret. ``disabled``: why it is off; ``failing_since``: of the first failure after the last success."""

    id: str
    url: str
    description: str
    event_types: tuple[WebhookEventType, ...]
    enabled: bool
    disabled: DisabledReason
    failing_since: datetime | None
    rotating_until: Annotated[datetime | None, Meta(description="Until then the previous secret signs as well.")]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, webhook: Webhook) -> "WebhookView":
        """The record without secrets."""
        return cls(
            id=webhook.id,
            url=webhook.url,
            description=webhook.description,
            event_types=webhook.event_types,
            enabled=not webhook.disabled,
            disabled=webhook.disabled,
            failing_since=webhook.failing_since,
            rotating_until=webhook.previous_until,
            created_at=webhook.created_at,
            updated_at=webhook.updated_at,
        )


class WebhookWithSecret(WebhookView, frozen=True, kw_only=True):
    """``secret`` is shown only in this response; it verifies the signatures."""

    secret: Annotated[str, Meta(examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])]


class DeliveryView(Struct, frozen=True, kw_only=True):
    """A message to the webhook. ``id`` is its ``webhook-id``; ``attempts`` are the newest, each with the beginning of the answer."""

    id: str
    type: WebhookEventType
    state: DeliveryState
    tries: int
    replays: int
    attempts: tuple[DeliveryAttempt, ...]
    created_at: datetime
    next_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, delivery: WebhookDelivery) -> "DeliveryView":
        """The record without the payload."""
        return cls(
            id=delivery.id,
            type=delivery.type,
            state=delivery.state,
            tries=delivery.tries,
            replays=delivery.replays,
            attempts=delivery.attempts,
            created_at=delivery.created_at,
            next_at=delivery.next_at,
            ended_at=delivery.ended_at,
        )


class DeliveryWithPayload(DeliveryView, frozen=True, kw_only=True):
    """``payload`` is the body that is sent."""

    payload: Raw


class WebhookReplay(RequestBody, frozen=True, kw_only=True):
    """Which messages to send again: those of a time (``since`` to ``until``, by default now), or those named. Exactly one of the two."""

    since: Moment | None = None
    until: Moment | None = None
    delivery_ids: Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=1_000)] = ()


class WebhookReplayed(Struct, frozen=True, kw_only=True):
    """The messages that are sent again, with their ids of before."""

    replayed: int
    delivery_ids: tuple[str, ...]
