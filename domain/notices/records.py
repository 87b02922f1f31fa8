"""The record tables of notices, mails and webhooks."""

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
from streams.tables.projection import Record, rank_of

NOTICES = Record(
    table="notices",
    topic=NOTICES_CHANGED,
    event=NoticeChanged,
    type=Notice,
    scope=lambda event: event.data.account_id,
    rank=lambda event, _offset: rank_of(event.data.created_at),
    retention_s=KEPT_MS / 1000,
)
UNREAD_NOTICES = Record(
    table="unread_notices",
    topic=NOTICES_CHANGED,
    event=NoticeChanged,
    type=Notice,
    scope=lambda event: event.data.account_id,
    gone=lambda event: event.data.read_at is not None,
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
    rank=lambda event, _offset: rank_of(event.data.created_at),
    retention_s=DELIVERIES_MS / 1000,
)
