"""The record tables of jobs: all of them for two days, and the last runs of each schedule."""

from collections.abc import Sequence

from domain.jobs.topics import JOBS_CHANGED, JOBS_MS
from schemas.jobs import Job, JobChanged
from streams.log.outgoing import LogOffset
from streams.tables.projection import Record, Tables, rank_of
from streams.tables.record_table import order_of

KEPT_S = 2 * 86_400.0  # after its last change; longer than any job may take
RUNS_KEPT = 50  # of a schedule, beside those that have not ended
RUNS_SLACK = 20  # more than that before the oldest are removed


def _job_order(event: JobChanged, offset: LogOffset) -> str:
    return order_of(event.data.revision, offset.offset)


async def _trim_runs(tables: Tables, events: Sequence[JobChanged]) -> None:
    runs = tables.of(SCHEDULE_JOBS)
    for schedule_id in {event.data.schedule_id for event in events if event.data.schedule_id}:
        if await runs.count(schedule_id) > RUNS_KEPT + RUNS_SLACK:
            await runs.trim(schedule_id, RUNS_KEPT, lambda job: job.is_open)


JOBS = Record(
    table="jobs",
    topic=JOBS_CHANGED,
    event=JobChanged,
    type=Job,
    scope=lambda event: event.data.tenant,
    order=_job_order,
    rank=lambda event, _offset: rank_of(event.data.created_at),
    retention_s=KEPT_S,
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
    return (await tables.of(SCHEDULE_JOBS).list(schedule_id, limit=2 * (RUNS_KEPT + RUNS_SLACK))).items
