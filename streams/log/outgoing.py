"""Events on their way to the log, and the offsets where they arrive."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.events import Event
from streams.topics import Topic


@dataclass(frozen=True, slots=True)
class LogOffset:
    """A record's place on the log."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way: ``key`` defaults to the event's subject, ``partition`` to the key's (murmur2)."""

    topic: Topic
    event: Event
    key: str = ""
    partition: int | None = None


class Publisher(Protocol):
    """Puts events on the log with ``acks=all``; raises Unavailable("kafka_unavailable") when the log does not take them in time."""

    async def publish(self, outgoing: Outgoing) -> LogOffset: ...

    async def publish_all(self, outgoing: Sequence[Outgoing]) -> list[LogOffset]: ...

    async def enqueue(self, outgoing: Outgoing) -> Awaitable[LogOffset]:
        """Sent now, acknowledged when the returned awaitable is done; events of one partition keep their order."""
        ...

    async def publish_tombstone(self, topic: Topic, key: str, partition: int) -> Awaitable[LogOffset]:
        """A tombstone: the compacted ``topic`` drops what it holds under ``key``. Acknowledged like ``enqueue``."""
        ...

    @property
    def is_fresh(self) -> bool:
        """Whether the log has acknowledged an event within the last few seconds: it can be expected to take the next one."""
        ...

    def partition_for(self, topic: Topic, key: str) -> int:
        """The partition of a key, for records that must lie where another key's do."""
        ...


class LogPublisher(Publisher, Protocol):
    """A publisher that can ask where partitions end."""

    async def end_offset(self, topic: Topic, partition: int) -> int:
        """The offset that the next record of the partition will get."""
        ...
