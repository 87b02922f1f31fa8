"""A compacted topic, read from its beginning and then followed by one consumer without a group."""

import asyncio
from collections.abc import Callable, Mapping

from adapters.kafka import Consumer, StoredRecord, TopicPartition, connection_options, make_consumer
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.connection import ConnectionLimits, ConsumerConnection
from streams.log.followers import Followers, followers_here
from streams.log.partitions import list_partitions
from streams.topics import Topic

BATCH_MAX = 1_000  # records folded before other tasks get their turn
LIMITS = ConnectionLimits(connect_s_max=10.0, retry_s_min=0.5, retry_s_max=10.0)


class TopicReplica:
    """Calls ``fold`` with every record, in order within a partition; after a lost connection it goes on where it was.

    The broker answers a fetch with ``fetch_bytes_min`` or after ``wait_ms``: with 1 byte a new record arrives at once.
    """

    def __init__(
        self, kafka: KafkaSettings, topic: Topic, fold: Callable[[StoredRecord], None], *, fetch_bytes_min: int, wait_ms: int
    ) -> None:
        self._kafka = kafka
        self.topic = kafka.topic_prefix + topic.name
        self._name = topic.name
        self._fold = fold
        self._fetch_bytes_min, self._wait_ms = fetch_bytes_min, wait_ms
        self._positions: dict[TopicPartition, int] = {}
        self._goal: dict[TopicPartition, int] | None = None  # where the log ended when it was first reached
        self._progress = asyncio.Event()  # set and replaced after every read
        self._connection = ConsumerConnection(self._create_consumer, LIMITS, "topic_not_followed", topic=topic.name)
        self._task: asyncio.Task[None] | None = None
        self._followers = Followers()

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """The offset that is read next, by partition."""
        return self._positions

    @property
    def is_connected(self) -> bool:
        """A consumer is at work."""
        return self._connection.consumer is not None

    @property
    def ready(self) -> bool:
        """Everything that was on the log at the start has been read."""
        return self._goal is not None and self._has_reached(self._goal)

    async def start(self) -> None:
        """Begin to read; returns at once."""
        self._followers = followers_here()
        self._followers.add(self)
        self._task = asyncio.create_task(self._follow(), name=f"follow-{self._name}")

    async def stop(self) -> None:
        """Stop reading."""
        self._followers.remove(self)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    async def wait_ready(self, timeout_s: float) -> bool:
        """Whether everything that was on the log at the start has been read, after at most so long."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.ready:
                    await self._progress.wait()
        except TimeoutError:
            return False
        return True

    async def catch_up(self, partition: int, end: int, timeout_s: float) -> None:
        """Read a partition up to the offset ``end``; raises Unavailable("kafka_unavailable") when that takes longer."""
        ends = {TopicPartition(self.topic, partition): end}
        try:
            async with asyncio.timeout(timeout_s):
                while not self._has_reached(ends):
                    await self._progress.wait()
        except TimeoutError:
            raise Unavailable("kafka_unavailable", f"{self._name} was not read up to {end} within {timeout_s:g} s") from None

    def _has_reached(self, ends: dict[TopicPartition, int]) -> bool:
        return all(self._positions.get(partition, 0) >= end for partition, end in ends.items())

    async def _follow(self) -> None:
        while True:
            await self._connection.run(self._read)

    def _create_consumer(self) -> Consumer:
        return make_consumer(
            connection_options(self._kafka),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_min_bytes=self._fetch_bytes_min,
            fetch_max_wait_ms=self._wait_ms,
        )

    async def _assign(self, consumer: Consumer) -> None:
        """All partitions, by number: a consumer that is subscribed to the topic drops them when the broker once answers without it."""
        places = list(self._positions) or await list_partitions(self._kafka, self.topic)
        if self._goal is None:
            goal, begins = dict(await consumer.end_offsets(places)), await consumer.beginning_offsets(places)
            self._goal, self._positions = goal, dict(begins)
        consumer.assign(places)
        for partition, position in self._positions.items():
            consumer.seek(partition, position)

    async def _read(self, consumer: Consumer) -> None:
        async with asyncio.timeout(LIMITS.connect_s_max):
            await self._assign(consumer)
        self._connection.confirm()
        while True:
            for partition in self._positions:
                self._positions[partition] = await consumer.position(partition)
            self._progress.set()
            self._progress = asyncio.Event()
            for records in (await consumer.getmany(timeout_ms=self._wait_ms, max_records=BATCH_MAX)).values():
                for record in records:
                    self._fold(record)
