"""The record tables of jobs: those of each tenant, and the last runs of each schedule."""

from collections.abc import Sequence

from domain.jobs.topics import JOBS_CHANGED, JOBS_MS
from schemas.jobs import Job, JobChanged
from streams.log.outgoing import LogOffset
from streams.tables.projection import Record, Tables, rank_of
from streams.tables.record_table import order_of

JOBS_KEPT = 5_000  # of a tenant, beside those that have not ended; about 1 KB each
RUNS_KEPT = 50  # of a schedule, as well
SLACK = 20  # more than that before the oldest are removed


def _job_order(event: JobChanged, offset: LogOffset) -> str:
    return order_of(event.data.revision, offset.offset)


async def _trim_runs(tables: Tables, events: Sequence[JobChanged]) -> None:
    runs = tables.of(SCHEDULE_JOBS)
    for schedule_id in {event.data.schedule_id for event in events if event.data.schedule_id}:
        if await runs.count(schedule_id) > RUNS_KEPT + SLACK:
            await runs.trim(schedule_id, RUNS_KEPT, lambda job: job.is_open)


async def _trim_jobs(tables: Tables, events: Sequence[JobChanged]) -> None:
    jobs = tables.of(JOBS)
    for tenant in {event.data.tenant for event in events}:
        if await jobs.count(tenant) > JOBS_KEPT + SLACK:
            await jobs.trim(tenant, JOBS_KEPT, lambda job: job.is_open)


JOBS = Record(
    table="jobs",
    topic=JOBS_CHANGED,
    event=JobChanged,
    type=Job,
    scope=lambda event: event.data.tenant,
    order=_job_order,
    rank=lambda event, _offset: rank_of(event.data.created_at),
    retention_s=JOBS_MS / 1000,
    then=_trim_jobs,
)
SCHEDULE_JOBS = Record(
    table="schedule_jobs",
    topic=JOBS_CHANGED,
    event=JobChanged,
    type=Job,
    scope=lambda event: event.data.schedule_id,
    applies=lambda event: event.data.schedule_id != "",
    order=_job_order,
    rank=lambda event, _offset: rank_of(event.data.created_at),
    retention_s=JOBS_MS / 1000,
    then=_trim_runs,
)


async def list_runs(tables: Tables, schedule_id: str) -> Sequence[Job]:
    """The last runs of a schedule and those that have not ended, the newest first. Raises Unavailable("redis_unavailable")."""
    return (await tables.of(SCHEDULE_JOBS).list(schedule_id, limit=2 * (RUNS_KEPT + SLACK))).items
