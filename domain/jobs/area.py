"""The area of jobs."""

from domain.area import Area
from domain.jobs import records, topics
from domain.jobs.errors import ERRORS
from domain.jobs.runner import JobTimers
from schemas.jobs import JobChanged
from streams.tables.rebuild import Events, RebuildPorts, RebuildResult, replay


async def _rebuild_jobs(ports: RebuildPorts) -> RebuildResult:
    """Rebuild the jobs, and the timers of those that have not ended."""
    timers = JobTimers(ports.redis, ports.settings.redis.key_prefix)

    async def fold(events: Events) -> None:
        await ports.tables.apply_many(events)
        await timers.apply_many([(event.data, offset.partition) for event, offset in events if isinstance(event, JobChanged)])

    return await replay(ports.reader, topics.JOBS_CHANGED, fold)


AREA = Area(
    name="jobs",
    topics=(topics.JOBS_CHANGED,),
    records=(records.JOBS, records.SCHEDULE_JOBS),
    rebuilds={"jobs": _rebuild_jobs},
    errors=ERRORS,
)
