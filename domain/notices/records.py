"""The record tables of notices, mails and webhooks."""

from collections.abc import Sequence

from domain.notices.topics import (
    DELIVERIES_CHANGED,
    DELIVERIES_MS,
    KEPT_MS,
    MAILS_ENDED,
    MAILS_ENDED_MS,
    NOTICE_PREFERENCES_CHANGED,
    NOTICES_CHANGED,
    WEBHOOKS_CHANGED,
)
from schemas.notices import (
    DeliveryChanged,
    MailEnded,
    MailResult,
    Notice,
    NoticeChanged,
    NoticePreferences,
    NoticePreferencesChanged,
    Webhook,
    WebhookChanged,
    WebhookDelivery,
)
from streams.log.outgoing import LogOffset
from streams.tables.projection import Record, Tables, rank_of
from streams.tables.record_table import order_of


def is_shown(event: NoticeChanged) -> bool:
    """Whether the notice is listed in the product."""
    return "in_app" in event.data.channels


def _notice_order(event: NoticeChanged, offset: LogOffset) -> str:
    """A notice that was read stays read when its creation is delivered again."""
    return order_of(int(event.data.read_at is not None), offset.offset)


def _delivery_order(event: DeliveryChanged, offset: LogOffset) -> str:
    """What was tried is newer than what is to be tried, however often the event that asked for it is delivered."""
    delivery = event.data
    return order_of(delivery.replays, delivery.tries, int(delivery.state != "pending"), offset.offset)


async def _close_deleted(tables: Tables, events: Sequence[WebhookChanged]) -> None:
    for event in events:
        if event.data.deleted:
            await tables.of(DELIVERIES).close(event.data.id)


NOTICES = Record(
    table="notices",
    topic=NOTICES_CHANGED,
    event=NoticeChanged,
    type=Notice,
    scope=lambda event: event.data.account_id,
    applies=is_shown,
    order=_notice_order,
    rank=lambda event, _offset: rank_of(event.data.created_at),
    retention_s=KEPT_MS / 1000,
)
UNREAD_NOTICES = Record(
    table="unread_notices",
    topic=NOTICES_CHANGED,
    event=NoticeChanged,
    type=Notice,
    scope=lambda event: event.data.account_id,
    applies=is_shown,
    gone=lambda event: event.data.read_at is not None,
    order=_notice_order,
    rank=lambda event, _offset: rank_of(event.data.created_at),
    retention_s=KEPT_MS / 1000,
)
NOTICE_PREFERENCES = Record(
    table="notice_preferences",
    topic=NOTICE_PREFERENCES_CHANGED,
    event=NoticePreferencesChanged,
    type=NoticePreferences,
    scope=lambda event: event.data.id,
    rank=lambda _event, _offset: 0.0,
)
MAIL_RESULTS = Record(
    table="mail_results",
    topic=MAILS_ENDED,
    event=MailEnded,
    type=MailResult,
    scope=lambda event: event.data.id,
    rank=lambda _event, _offset: 0.0,
    retention_s=MAILS_ENDED_MS / 1000,
)
WEBHOOKS = Record(
    table="webhooks",
    topic=WEBHOOKS_CHANGED,
    event=WebhookChanged,
    type=Webhook,
    scope=lambda event: event.data.account_id,
    gone=lambda event: event.data.deleted,
    rank=lambda event, _offset: rank_of(event.data.created_at),
    then=_close_deleted,
)
TENANT_WEBHOOKS = Record(
    table="tenant_webhooks",
    topic=WEBHOOKS_CHANGED,
    event=WebhookChanged,
    type=Webhook,
    scope=lambda event: event.data.tenant,
    gone=lambda event: event.data.deleted,
    rank=lambda event, _offset: rank_of(event.data.created_at),
)
DELIVERIES = Record(
    table="deliveries",
    topic=DELIVERIES_CHANGED,
    event=DeliveryChanged,
    type=WebhookDelivery,
    scope=lambda event: event.data.webhook_id,
    order=_delivery_order,
    rank=lambda event, _offset: rank_of(event.data.created_at),
    retention_s=DELIVERIES_MS / 1000,
)
