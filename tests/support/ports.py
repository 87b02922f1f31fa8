"""Small ports for steps: a clock that stands still, a publisher that remembers."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas.events import Event
from streams.log.outgoing import LogOffset, Outgoing
from streams.runtime.agent import Context
from streams.topics import Topic

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class StandingClock:
    def now(self) -> datetime:
        return NOW

    def monotonic_s(self) -> float:
        return 0.0


@dataclass
class RememberingPublisher:
    sent: list[Outgoing] = field(default_factory=list)
    forgotten: list[tuple[str, str, int]] = field(default_factory=list)
    first_offset: int = 0

    async def publish(self, outgoing: Outgoing) -> LogOffset:
        self.sent.append(outgoing)
        return LogOffset(outgoing.topic.name, outgoing.partition or 0, self.first_offset + len(self.sent))

    async def publish_all(self, outgoing: Sequence[Outgoing]) -> list[LogOffset]:
        return [await self.publish(each) for each in outgoing]

    async def enqueue(self, outgoing: Outgoing) -> Awaitable[LogOffset]:
        done: asyncio.Future[LogOffset] = asyncio.get_running_loop().create_future()
        done.set_result(await self.publish(outgoing))
        return done

    @property
    def is_fresh(self) -> bool:
        return True

    async def publish_tombstone(self, topic: Topic, key: str, partition: int) -> Awaitable[LogOffset]:
        self.forgotten.append((topic.name, key, partition))
        done: asyncio.Future[LogOffset] = asyncio.get_running_loop().create_future()
        done.set_result(LogOffset(topic.name, partition, len(self.forgotten)))
        return done

    def partition_for(self, topic: Topic, key: str) -> int:
        return len(key) % 4

    def events(self) -> list[Event]:
        return [each.event for each in self.sent]


async def yes() -> bool:
    return True


def context(
    publisher: RememberingPublisher | None = None, *, offset: int = 7, topic: str = "t", attempt: int = 0, replayed: bool = False
) -> Context:
    return Context(
        place=LogOffset(topic, 0, offset),
        attempt=attempt,
        replayed=replayed,
        publisher=publisher or RememberingPublisher(),
        clock=StandingClock(),
        still_owner=yes,
    )


def header(ident: str, subject: str, tenant: str = "acme") -> dict[str, Any]:
    return {
        "id": ident,
        "source": "/claw/test",
        "subject": subject,
        "time": NOW,
        "tenant": tenant,
        "traceparent": "00-11111111111111111111111111111111-2222222222222222-01",
    }
