"""The topic of jobs."""

from schemas import jobs
from streams.topics import DAY_MS, Topic

JOBS_MS = 7 * DAY_MS

JOBS_CHANGED = Topic(
    "claw.jobs.changed.v1",
    "job id",
    jobs.JobChanged,
    ("run_jobs", "api"),
    "Jobs: runs of schedules and bulk actions, how far each has come, and what it came to.",
    JOBS_MS,
    tombstones=True,
    readers=("project", "run_jobs"),
    compacted=True,
)
