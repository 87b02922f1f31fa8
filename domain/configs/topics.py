"""The topics of live configuration: the present values, and their history."""

from schemas import configs
from streams.topics import DAY_MS, Topic

HISTORY_DAYS = 3_650

CONFIGS_CHANGED = Topic(
    "claw.configs.changed.v1",
    "configuration key",
    configs.ConfigChanged,
    ("api", "tables"),
    "Configuration that changes while everything runs: settings, rate rules, allow and deny lists; the epoch of the tables in Redis.",
    None,
    count="single",
    readers=("api", "worker"),
)
CONFIGS_RECORDED = Topic(
    "claw.configs.recorded.v1",
    "configuration key",
    configs.ConfigRecorded,
    ("api",),
    "The history of configuration: every revision of every key, with who changed it and why.",
    HISTORY_DAYS * DAY_MS,
    count="single",
    readers=("project",),
)
