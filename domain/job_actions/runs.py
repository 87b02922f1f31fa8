"""Runs of schedules: the one job that a tick, or somebody who triggers the schedule, begins."""

from collections.abc import Sequence
from datetime import datetime

from domain.jobs.records import JOBS, list_runs
from domain.jobs.runner import JobWriter
from domain.jobs.steps import runs_now, skip
from domain.schedules.errors import SCHEDULE_OVERLAP
from domain.schedules.records import SCHEDULES
from schemas.errors import Refused
from schemas.jobs import Job
from schemas.schedules import Schedule, ScheduleTick
from streams.log.outgoing import Outgoing
from streams.tables.projection import Tables
from streams.tables.record_writer import RecordWriter


async def begin_run(
    tenant: str,
    schedule_id: str,
    run_id: str,
    tables: Tables,
    records: RecordWriter,
    writer: JobWriter,
    now: datetime,
    *,
    tick: ScheduleTick | None = None,
    account_id: str = "",
    also: Sequence[Outgoing] = (),
) -> Job | None:
    """The run of this id, whoever asks for it and how often: under the lease of the schedule's runs it is written once. None when the
    schedule was deleted, or the run has been forgotten. ``tick``: None when ``account_id`` triggered it. ``also`` belongs to the change.
    """
    async with records.lease(f"runs/{schedule_id}"):
        present = await tables.of(JOBS).get(tenant, run_id)
        if present is not None:
            return present
        schedule = await tables.of(SCHEDULES).get(tenant, schedule_id)
        if schedule is None:
            return None
        runs = await list_runs(tables, schedule_id)
        if tick is not None and any(run.nominal_at is not None and run.nominal_at >= tick.nominal_at for run in runs):
            return None  # ticks come in order: this one began a run whose job is no longer kept
        open_runs = [run for run in runs if run.is_open]
        job = new_run(schedule, run_id, open_runs, now, tick=tick, account_id=account_id)
        if schedule.overlap == "cancel_old":
            for run in open_runs:
                await writer.request_cancel(run.tenant, run.id)
        return await writer.create(job, *also)


def new_run(
    schedule: Schedule, run_id: str, open_runs: Sequence[Job], now: datetime, *, tick: ScheduleTick | None = None, account_id: str = ""
) -> Job:
    """The job of a run: it begins at once, waits for the open ones, or is skipped."""
    job = Job(
        id=run_id,
        tenant=schedule.tenant,
        action=schedule.action,
        account_id=account_id or schedule.created_by,
        schedule_id=schedule.id,
        schedule_name=schedule.name,
        nominal_at=None if tick is None else tick.nominal_at,
        skipped_before=0 if tick is None else tick.skipped,
        state="waiting" if open_runs else "pending",
        created_at=now,
        next_at=now,
    )
    if runs_now(schedule.overlap, schedule.queued_max, open_runs):
        return job
    running = next((run for run in reversed(open_runs) if run.state != "waiting"), open_runs[-1])
    return skip(job, now, Refused(SCHEDULE_OVERLAP, f"run {running.id} is {running.state}").problem())
