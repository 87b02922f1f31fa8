"""The topic of usage."""

from schemas import chats
from streams.topics import DAY_MS, Topic

USAGE_RECORDED = Topic(
    "claw.usage.recorded.v1",
    "user id",
    chats.UsageRecorded,
    ("generate", "digest", "lookup"),
    "Tokens spent, once per reply and purpose.",
    90 * DAY_MS,
    readers=("meter", "count_statistics_usage"),
)
