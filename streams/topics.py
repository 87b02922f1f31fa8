"""Every topic as plain data: name, key, events, partitions, retention, owner. Nothing here talks to a broker."""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from schemas.events import Event
from schemas.settings import KafkaSettings

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MIB = 1_048_576
SEGMENT_MS = DAY_MS  # Kafka removes whole segments: a record outlives its retention by no more than this
COMPACTION_LAG_MS = DAY_MS  # after which a replaced record is compacted away
TOMBSTONES_MS = 30 * DAY_MS  # for which a tombstone stays

Count = Literal["keyed", "replies", "single"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. ``events`` is the tagged union of its events; ``retention_ms`` None = compacted for ever.

    ``owners`` write it, ``readers`` follow it: agents by their names, ``worker`` for what every worker process reads.
    ``message_bytes_max`` bounds one record; ``count`` names the setting of its number of partitions at creation; ``single``: one, for
    what is rarely written, because every fetch names every partition that its reader has. ``tombstones``: records
    without a value are written to it. ``compacted``: of a topic with a retention, too, only the newest record of a key is kept.
    """

    name: str
    key: str
    events: Any
    owners: tuple[str, ...]
    summary: str
    retention_ms: int | None
    message_bytes_max: int = MIB
    count: Count = "keyed"
    private: bool = False  # not for analysts
    readers: tuple[str, ...] = ()
    tombstones: bool = False
    compacted: bool = False
    broker_time: bool = False  # records are stamped by the broker's clock, whatever their producers write

    def partitions(self, kafka: KafkaSettings) -> int:
        """Partitions at creation; of a keyed topic they never change."""
        return {"keyed": kafka.partitions, "replies": kafka.reply_partitions, "single": 1}[self.count]

    def allows(self, partitions: int, kafka: KafkaSettings) -> bool:
        """Whether the topic may have so many. One that is rarely written keeps what it was created with."""
        return self.count == "single" or partitions == self.partitions(kafka)

    def configuration(self) -> dict[str, str]:
        """Topic-level configuration as Kafka spells it."""
        config = {"max.message.bytes": str(self.message_bytes_max)}
        if self.broker_time:
            config["message.timestamp.type"] = "LogAppendTime"
        policies = ["delete"] if self.retention_ms is not None else []
        if self.is_compacted:
            policies.insert(0, "compact")
        config["cleanup.policy"] = ",".join(policies)
        config["segment.ms"] = str(SEGMENT_MS)
        if "compact" in policies:  # every rebuild reads the tombstones, and deleted text leaves the disk within about a day
            config |= {"delete.retention.ms": str(TOMBSTONES_MS), "max.compaction.lag.ms": str(COMPACTION_LAG_MS)}
        return config if self.retention_ms is None else config | {"retention.ms": str(self.retention_ms)}

    @property
    def is_compacted(self) -> bool:
        """Whether only the newest record of a key stays."""
        return self.compacted or self.retention_ms is None

    def types(self) -> tuple[type[Event], ...]:
        """The event classes of the union, in order."""
        return getattr(self.events, "__args__", None) or (self.events,)


def decoder(topic: Topic) -> msgspec.json.Decoder[Event]:
    """Decodes one record of ``topic``; raises msgspec.DecodeError (ValidationError included) on anything else."""
    return msgspec.json.Decoder(topic.events)


DEAD_LETTERS = Topic(
    "claw.dead-letters.v1",
    "original key",
    None,
    ("agent wrapper",),
    "Records that could not be processed: original bytes as value; log offset, cause and agent in headers.",
    30 * DAY_MS,
    message_bytes_max=2 * MIB,
    readers=("api", "notify_dead_letters"),
)
