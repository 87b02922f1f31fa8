"""The steps of jobs as pure functions: how one goes on, ends, waits for its turn, and what a tick begins."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from schemas.errors import Problem
from schemas.jobs import FAILURES_MAX, Job, JobFailure
from schemas.schedules import Overlap

POLL_S = 1.0  # between two looks of a run that waits for an earlier one


def go_on(job: Job, at: datetime, **changes: Any) -> Job:
    """The job after a step: the next one is due at ``at``."""
    return replace(job, state="running", next_at=at, **changes)


def succeed(job: Job, now: datetime, **changes: Any) -> Job:
    """The job has done everything."""
    return replace(job, state="succeeded", ended_at=now, next_at=None, **changes)


def fail(job: Job, now: datetime, cause: Problem, **changes: Any) -> Job:
    """The job cannot go on."""
    return replace(job, state="failed", ended_at=now, next_at=None, cause=cause, **changes)


def stop(job: Job, now: datetime, **changes: Any) -> Job:
    """The job was cancelled."""
    return replace(job, state="cancelled", ended_at=now, next_at=None, **changes)


def skip(job: Job, now: datetime, cause: Problem) -> Job:
    """The job does not run."""
    return replace(job, state="skipped", ended_at=now, next_at=None, cause=cause)


def count_failure(job: Job, item: str, code: str) -> Job:
    """One item of the job failed."""
    failures = (*job.failures, JobFailure(item, code)) if len(job.failures) < FAILURES_MAX else job.failures
    return replace(job, failed=job.failed + 1, failures=failures)


def count_result(job: Job, name: str, number: int = 1) -> Job:
    """So many more of this result."""
    return replace(job, results={**job.results, name: job.results.get(name, 0) + number})


def is_blocked(job: Job, others: Sequence[Job]) -> bool:
    """Whether an earlier run of its schedule has not ended."""
    return any(other.is_open and _turn(other) < _turn(job) for other in others)


def runs_now(overlap: Overlap, queued_max: int, open_runs: Sequence[Job]) -> bool:
    """Whether a tick begins a run, at once or once the open ones have ended, rather than being skipped."""
    if not open_runs or overlap == "cancel_old":
        return True
    waiting = sum(run.state == "waiting" for run in open_runs)
    return overlap == "queue" and waiting < queued_max


def next_poll(now: datetime) -> datetime:
    """When a run that waits looks again."""
    return now + timedelta(seconds=POLL_S)


def _turn(job: Job) -> tuple[datetime, str]:
    return job.created_at, job.id
