"""The area of notices."""

from domain.area import Area
from domain.notices import records, topics
from domain.notices.errors import ERRORS

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
    errors=ERRORS,
)
