"""The area of tasks. It has no topic of its own: tasks are what the events of other areas say."""

from datetime import UTC, datetime

from domain.area import Area
from domain.chats.topics import CHATS_ASKED, CHATS_GROUNDED, MESSAGES_CHANGED
from domain.documents.topics import DOCUMENTS_PROGRESSED, DOCUMENTS_SUBMITTED
from domain.erasures.topics import ERASURES_CHANGED
from domain.indexes.topics import INDEXES_CHANGED
from domain.jobs.topics import JOBS_CHANGED
from domain.notices.topics import DELIVERIES_CHANGED, MAILS_ENDED, MAILS_REQUESTED
from domain.tasks.errors import ERRORS
from domain.tasks.settings import TaskSettings
from domain.tasks.steps import steps_of
from domain.tasks.table import TaskTable
from streams.tables.rebuild import Events, RebuildPorts, RebuildResult, replay

SOURCES = (  # never chats.answered: reading its deltas would cost as much as the API
    CHATS_ASKED,
    CHATS_GROUNDED,
    MESSAGES_CHANGED,
    DOCUMENTS_SUBMITTED,
    DOCUMENTS_PROGRESSED,
    INDEXES_CHANGED,
    MAILS_REQUESTED,
    MAILS_ENDED,
    DELIVERIES_CHANGED,
    JOBS_CHANGED,
    ERASURES_CHANGED,
)


async def _rebuild_tasks(ports: RebuildPorts) -> RebuildResult:
    """Rebuild the tasks from the records since the oldest that is shown; what compaction removed of documents and indexes is lost."""
    settings, now = ports.settings.of(TaskSettings), datetime.now(UTC)
    table = TaskTable(ports.redis, ports.settings.redis.key_prefix, settings)
    since_ms = int(now.timestamp() * 1000) - settings.kept_s * 1000

    async def fold(events: Events) -> None:
        await table.put_many([put for event, offset in events for put in steps_of(event, offset)], now)

    parts = [await replay(ports.reader, topic, fold, since_ms=since_ms) for topic in SOURCES]
    return RebuildResult(sum(part.events for part in parts), sum(part.unreadable for part in parts))


AREA = Area(name="tasks", rebuilds={"tasks": _rebuild_tasks}, errors=ERRORS)
