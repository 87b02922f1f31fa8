"""The topic of live configuration."""

from schemas import configs
from streams.topics import Topic

CONFIGS_CHANGED = Topic(
    "claw.configs.changed.v1",
    "configuration key",
    configs.ConfigChanged,
    ("api", "tables"),
    "Configuration that changes while everything runs: rate rules, allow and deny lists; the epoch of the tables in Redis.",
    None,
    readers=("api",),
)
