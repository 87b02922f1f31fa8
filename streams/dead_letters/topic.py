"""The topic of dead letters."""

from streams.topics import DAY_MS, MIB, Topic

DEAD_LETTERS = Topic(
    "claw.dead-letters.v1",
    "original key",
    None,
    ("agent wrapper",),
    "What could not be handled: original bytes as value; place, cause and agent in headers.",
    30 * DAY_MS,
    message_bytes_max=2 * MIB,
)
