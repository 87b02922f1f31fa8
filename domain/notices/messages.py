"""The messages that webhooks get: ``{type, timestamp, data}``, and the delivery of one to an endpoint."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas import ids
from schemas.notices import Webhook, WebhookDelivery, WebhookEventType

_encode = msgspec.json.Encoder().encode


def message_id(*cause: str | int) -> str:
    """The ``webhook-id`` of what ``cause`` says: the same cause gives the same id."""
    return "msg_" + ids.derive("webhook-message", *cause).replace("-", "")


def new_delivery(
    webhook: Webhook,
    event_type: WebhookEventType,
    at: datetime,
    data: Mapping[str, Any],
    *,
    id: str,  # noqa: A002
    now: datetime,
) -> WebhookDelivery:
    """A message of this type to the webhook: due now, or skipped while the webhook is off, so that a replay can send it.

    ``at`` is when it happened. The payload is what is sent, byte by byte.
    """
    payload = _encode({"type": event_type, "timestamp": at.astimezone(UTC).isoformat().replace("+00:00", "Z"), "data": data}).decode()
    is_on = not webhook.disabled
    return WebhookDelivery(
        id=id,
        webhook_id=webhook.id,
        tenant=webhook.tenant,
        account_id=webhook.account_id,
        type=event_type,
        payload=payload,
        state="pending" if is_on else "skipped",
        created_at=at,
        next_at=now if is_on else None,
        ended_at=None if is_on else now,
    )


def replay_delivery(delivery: WebhookDelivery, now: datetime) -> WebhookDelivery:
    """The same message with the same id, to be sent again from the beginning of the schedule."""
    return msgspec.structs.replace(delivery, state="pending", tries=0, replays=delivery.replays + 1, next_at=now, ended_at=None)
