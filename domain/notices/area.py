"""The area of notices."""

from domain.area import Area
from domain.notices import records, topics
from domain.notices.delivery_queue import DeliveryQueue
from domain.notices.errors import ERRORS
from domain.notices.settings import WebhookSettings
from schemas.notices import DeliveryChanged
from streams.tables.rebuild import Events, RebuildPorts, RebuildResult, replay


async def _rebuild_deliveries(ports: RebuildPorts) -> RebuildResult:
    """Rebuild the deliveries of webhooks, and the timers of those that are pending."""
    pending_max = ports.settings.of(WebhookSettings).pending_max
    queue = DeliveryQueue(ports.redis, ports.settings.redis.key_prefix, pending_max)

    async def fold(events: Events) -> None:
        await ports.tables.apply_many(events)
        await queue.apply_many([(event.data, offset.partition) for event, offset in events if isinstance(event, DeliveryChanged)])

    return await replay(ports.reader, topics.DELIVERIES_CHANGED, fold)


AREA = Area(
    name="notices",
    topics=(
        topics.NOTICES_CHANGED,
        topics.NOTICE_PREFERENCES_CHANGED,
        topics.MAILS_REQUESTED,
        topics.MAILS_ENDED,
        topics.WEBHOOKS_CHANGED,
        topics.DELIVERIES_CHANGED,
    ),
    records=(
        records.NOTICES,
        records.UNREAD_NOTICES,
        records.NOTICE_PREFERENCES,
        records.MAIL_RESULTS,
        records.WEBHOOKS,
        records.TENANT_WEBHOOKS,
        records.DELIVERIES,
    ),
    rebuilds={"deliveries": _rebuild_deliveries},
    errors=ERRORS,
)
