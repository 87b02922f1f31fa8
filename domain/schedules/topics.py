"""The topics of schedules."""

from schemas import schedules
from streams.topics import DAY_MS, Topic

TICKS_MS = 30 * DAY_MS  # longer than any catch-up window: what is older would not run

SCHEDULES_CHANGED = Topic(
    "claw.schedules.changed.v1",
    "schedule id",
    schedules.ScheduleChanged,
    ("api", "schedule"),
    "Schedules: when an action runs, and whether it is paused.",
    None,
    count="single",
    tombstones=True,
    readers=("project", "schedule"),
)
SCHEDULES_TICKED = Topic(
    "claw.schedules.ticked.v1",
    "schedule id",
    schedules.ScheduleTicked,
    ("schedule",),
    "Ticks of schedules: each begins one run.",
    TICKS_MS,
    count="single",
    readers=("project", "run_jobs"),
)
