"""The area of schedules."""

from domain.area import Area
from domain.schedules import records, topics
from domain.schedules.errors import ERRORS
from domain.schedules.ticker import schedule_timers
from schemas.schedules import ScheduleChanged
from streams.tables.rebuild import Events, RebuildPorts, RebuildResult, replay


async def _rebuild_schedules(ports: RebuildPorts) -> RebuildResult:
    """Rebuild the schedules and the timers of their next ticks."""
    timers = schedule_timers(ports.redis, ports.settings.redis.key_prefix)

    async def fold(events: Events) -> None:
        await ports.tables.apply_many(events)
        looks = [(event.data, offset.partition) for event, offset in events if isinstance(event, ScheduleChanged)]
        await timers.look_at(looks)

    return await replay(ports.reader, topics.SCHEDULES_CHANGED, fold)


AREA = Area(
    name="schedules",
    topics=(topics.SCHEDULES_CHANGED, topics.SCHEDULES_TICKED),
    records=(records.SCHEDULES, records.LAST_TICKS),
    rebuilds={"schedules": _rebuild_schedules},
    errors=ERRORS,
)
