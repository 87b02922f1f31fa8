"""What the routes of notices and webhooks use."""

from dataclasses import dataclass

from adapters.web.public_addresses import Network, parse_networks
from adapters.webhooks.client import NETWORKS
from api.area import Opening
from api.core import Core
from api.http.ports import HttpPorts
from api.http.watch import TopicWatch
from api.notices.watch import watch_notices
from domain.notices.records import DELIVERIES, NOTICE_PREFERENCES, NOTICES, UNREAD_NOTICES, WEBHOOKS
from domain.notices.settings import WebhookSettings
from domain.notices.webhook_secrets import WebhookSecrets
from schemas.notices import Notice, NoticePreferences, Webhook, WebhookDelivery
from streams.tables.record_table import RecordTable


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePorts:
    """``networks``: what webhooks may reach beside public addresses."""

    core: Core
    http: HttpPorts
    settings: WebhookSettings
    networks: tuple[Network, ...]
    secrets: WebhookSecrets
    notices: RecordTable[Notice]
    unread: RecordTable[Notice]
    preferences: RecordTable[NoticePreferences]
    webhooks: RecordTable[Webhook]
    deliveries: RecordTable[WebhookDelivery]
    watch: TopicWatch[Notice]


def open_ports(opening: Opening) -> NoticePorts:
    """Built from the core."""
    core = opening.core
    settings, tables = core.settings.of(WebhookSettings), core.read_models
    watch = watch_notices(core.settings.kafka)
    opening.stop_with(watch.stop)
    return NoticePorts(
        core=core,
        http=opening.ports(HttpPorts),
        settings=settings,
        networks=parse_networks(settings.networks, NETWORKS),
        secrets=WebhookSecrets(core.settings),
        notices=tables.of(NOTICES),
        unread=tables.of(UNREAD_NOTICES),
        preferences=tables.of(NOTICE_PREFERENCES),
        webhooks=tables.of(WEBHOOKS),
        deliveries=tables.of(DELIVERIES),
        watch=watch,
    )
