"""The end of a topic, followed: every record after the start is delivered once in this process.

For records that matter only to requests that are open. After any failure it goes on where it was; where the log does not have that offset
any more, it begins at the end.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog

from adapters.kafka import Consumer, TopicPartition, connection_options, make_consumer
from schemas.settings import KafkaSettings
from streams.log.connection import ConnectionLimits, ConsumerConnection, OffsetOutOfRangeError
from streams.log.followers import Followers, followers_here
from streams.log.partitions import list_partitions
from streams.topics import Topic

POLL_MS = 1_000  # only how often an idle reader looks around; data is delivered at once
BATCH_MAX = 500  # records delivered before other tasks run
FETCH_WAIT_MS = 500  # an idle fetch stays at the broker this long
CONNECT_S_MAX = 5.0
RECONNECT_S_MIN, RECONNECT_S_MAX = 0.1, 2.0
LIMITS = ConnectionLimits(CONNECT_S_MAX, RECONNECT_S_MIN, RECONNECT_S_MAX)

log = structlog.get_logger(__name__)

Take = Callable[[int, int, bytes, bytes | None], None]  # partition, offset, key, value; must not block or raise


class TopicTail:
    """``choose`` gets the number of partitions and returns those to follow. ``jumped`` is called whenever reading begins at the end anew,
    at the start too: ``rewind`` offsets before it in each partition, and ``reached`` is set once the end of that time was read.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: Topic,
        take: Take,
        *,
        choose: Callable[[int], Collection[int]],
        jumped: Callable[[], None] = lambda: None,
        rewind: int = 0,
    ) -> None:
        self.reached = asyncio.Event()
        self.topic = kafka.topic_prefix + topic.name
        self._kafka = kafka
        self._take, self._choose, self._jumped, self._rewind = take, choose, jumped, rewind
        self._positions: dict[TopicPartition, int] = {}
        self._goals: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._followers = Followers()
        self._connection = ConsumerConnection(self._create_consumer, LIMITS, "tail_interrupted", topic=self.topic)

    @property
    def partitions(self) -> list[int]:
        """What is followed; empty until the log was reached once."""
        return [place.partition for place in self._positions]

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """The offset that is read next, by partition."""
        return self._positions

    @property
    def is_connected(self) -> bool:
        """A consumer is at work."""
        return self._connection.consumer is not None

    def start(self) -> None:
        """Begin; returns at once."""
        self._followers = followers_here()
        self._followers.add(self)
        self._task = asyncio.create_task(self._run(), name=f"tail-{self.topic}")

    async def stop(self) -> None:
        """Follow no more."""
        self._followers.remove(self)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _run(self) -> None:
        while True:
            await self._connection.run(self._read)

    def _create_consumer(self) -> Consumer:
        return make_consumer(
            connection_options(self._kafka),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",  # a lost position is logged, not skipped
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )

    async def _assign(self, consumer: Consumer) -> None:
        if not self._positions:
            places = await list_partitions(self._kafka, self.topic)
            await self._jump_to_end(consumer, [places[number] for number in self._choose(len(places))])
        consumer.assign(list(self._positions))
        for place, offset in self._positions.items():
            consumer.seek(place, offset)

    async def _jump_to_end(self, consumer: Consumer, places: Collection[TopicPartition]) -> None:
        ends = await consumer.end_offsets(list(places))
        begins = await consumer.beginning_offsets(list(places)) if self._rewind else {}
        self._goals.update(ends)
        self._positions.update({place: max(begins.get(place, 0), end - self._rewind) for place, end in ends.items()})
        self.reached.clear()
        self._jumped()
        self._check_reached()

    def _check_reached(self) -> None:
        if all(self._positions[place] >= goal for place, goal in self._goals.items()):
            self.reached.set()

    async def _read(self, consumer: Consumer) -> None:
        async with asyncio.timeout(CONNECT_S_MAX):
            await self._assign(consumer)
        self._connection.confirm()
        while True:
            try:
                batches: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=POLL_MS, max_records=BATCH_MAX)
            except OffsetOutOfRangeError as error:
                lost = list(error.args[0])
                log.warning("tail_position_lost", topic=self.topic, partitions=[place.partition for place in lost])
                await self._jump_to_end(consumer, lost)
                for place in lost:
                    consumer.seek(place, self._positions[place])
                continue
            for place, records in batches.items():
                for record in records:
                    self._take(place.partition, record.offset, record.key or b"", record.value)
            for place in self._positions:  # behind a last record that never arrives, too
                self._positions[place] = await consumer.position(place)
            if not self.reached.is_set():
                self._check_reached()
