"""The topic of rate-limit decisions."""

from schemas import limits
from streams.topics import DAY_MS, Topic

LIMITS_DECIDED = Topic(
    "claw.limits.decided.v1",
    "deciding process",
    limits.LimitsDecided,
    ("api",),
    "Decisions of the rate limits, counted by process and second.",
    90 * DAY_MS,
    readers=("tally",),
)
