"""Batches that no consumer can read: each becomes one dead letter, a count and a line in the log, whichever process meets it first.

Only when its dead letter is written does a consumer go on behind the batch. A mark in Redis keeps other processes, and the same one after a
restart, from writing it again; without Redis there may be a second dead letter of a batch, never none.
"""

from collections import OrderedDict
from contextlib import suppress
from datetime import UTC

from prometheus_client import CollectorRegistry, Counter

from adapters.kafka import TopicPartition
from adapters.kafka_batches import UnreadableBatch
from adapters.kafka_fetches import FETCH_POLICY, FetchPolicy, log_unreadable
from adapters.redis.client import RedisClient
from schemas.errors import ClawError, Unavailable
from schemas.settings import Settings
from streams.clock import Clock
from streams.dead_letters.writer import WorkerPublisher, dead_letter_headers, write_dead_letter
from streams.log.delivery import Delivery
from streams.log.outgoing import LogOffset
from streams.topics import DEAD_LETTERS

UNREADABLE = "batch_unreadable"
READER = "reader"  # what stands for the agent in these dead letters
REMEMBERED = 10_000  # batches of this process
KEPT_S = (DEAD_LETTERS.retention_ms or 0) // 1000
RAW_BYTES_MAX = DEAD_LETTERS.message_bytes_max - 65_536  # of the batch in its dead letter: room for the headers


class UnreadableBatches:
    """Sets batches aside. ``install`` makes the consumers that this process makes from then on do so."""

    def __init__(
        self, settings: Settings, publisher: WorkerPublisher, redis: RedisClient, clock: Clock, registry: CollectorRegistry
    ) -> None:
        self._kafka, self._redis, self._prefix = settings.kafka, redis, settings.redis.key_prefix
        self._publisher, self._clock = publisher, clock
        self._seen: OrderedDict[tuple[str, int, int], None] = OrderedDict()
        self._count = Counter("claw_kafka_unreadable_batches", "Batches that were set aside.", ("topic", "reason"), registry=registry)

    def install(self) -> None:
        """For the task that calls it, and the tasks that it starts."""
        FETCH_POLICY.set(FetchPolicy(self.set_aside, self._kafka.batch_bytes_max))

    async def set_aside(self, place: TopicPartition, batch: UnreadableBatch) -> None:
        """Write the dead letter of a batch, once; raises Unavailable when the log does not take it."""
        at = (place.topic, place.partition, batch.first)
        if at in self._seen:
            return
        if not await self._is_marked(at):
            await log_unreadable(place, batch)
            await self._write(place, batch)
            with suppress(Unavailable):
                await self._mark(at)
        self._count.labels(place.topic, batch.reason).inc()
        self._seen[at] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    async def _is_marked(self, at: tuple[str, int, int]) -> bool:
        try:
            return await self._redis.execute_command("ZSCORE", marks_key(self._prefix), _member(at)) is not None
        except Unavailable:
            return False

    async def _mark(self, at: tuple[str, int, int]) -> None:
        key, now_s = marks_key(self._prefix), int(self._clock.now().timestamp())
        batch = self._redis.pipeline()
        batch.execute_command("ZADD", key, now_s, _member(at))
        batch.execute_command("ZREMRANGEBYSCORE", key, "-inf", now_s - KEPT_S)
        batch.execute_command("ZREMRANGEBYRANK", key, 0, -REMEMBERED - 1)
        await batch.execute()

    async def _write(self, place: TopicPartition, batch: UnreadableBatch) -> None:
        now_ms = int(self._clock.now().astimezone(UTC).timestamp() * 1000)
        delivery = Delivery(LogOffset(place.topic, place.partition, batch.first), None, batch.raw[:RAW_BYTES_MAX], now_ms, {})
        problem = ClawError(f"offsets {batch.first} to {batch.last}: {batch.detail}", code=UNREADABLE).problem()
        headers = dead_letter_headers(delivery, agent=READER, problem=problem, error=batch.reason, attempts=1, traceparent="")
        headers["last-offset"] = str(batch.last).encode()
        await write_dead_letter(self._publisher, self._kafka.topic_prefix, delivery, headers)


async def list_unreadable(redis: RedisClient, prefix: str, since_s: float) -> list[str]:
    """``topic:partition:offset`` of the batches that were set aside since then, the last first, at most REMEMBERED."""
    found = await redis.execute_command("ZRANGEBYSCORE", marks_key(prefix), int(since_s), "+inf")
    return [each.decode() for each in reversed(found)]


def marks_key(prefix: str) -> str:
    """The sorted set of batches that were set aside, by time."""
    return f"{prefix}:unreadable"


def _member(at: tuple[str, int, int]) -> str:
    return ":".join(map(str, at))
