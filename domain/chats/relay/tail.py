"""The consumers that keep windows up to date: one task, one consumer, any number of partitions."""

import asyncio
from collections.abc import Mapping

import structlog

from adapters.kafka import Consumer, TopicPartition
from domain.chats.relay.window import RecordWindow, ReplyRecord
from streams.log.connection import Connect, ConnectionLimits, ConsumerConnection, OffsetOutOfRangeError
from streams.log.fetch_pacing import pace_fetches

PACE_S = 0.005  # between fetches under load: an imperceptible delay, and several deltas share a fetch
POLL_MS = 1_000  # the loop period of an idle tail; data is delivered at once
CONNECT_TIMEOUT_S = 5.0
RECONNECT_S_MIN, RECONNECT_S_MAX = 0.1, 2.0
LIMITS = ConnectionLimits(CONNECT_TIMEOUT_S, RECONNECT_S_MIN, RECONNECT_S_MAX)

log = structlog.get_logger(__name__)


class Tail:
    """Follows partitions of one topic into their windows. After any failure it resumes at the end of each window: no gap, no repeat."""

    def __init__(self, name: str, topic: str, connect: Connect, window_bytes_max: int) -> None:
        self._name = name
        self.topic = topic
        self._connection = ConsumerConnection(connect, LIMITS, "relay_tail_interrupted", tail=name)
        self._window_bytes_max = window_bytes_max
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._next_fetch_s = float("-inf")
        self._consumed: dict[TopicPartition, int] = {}
        self.windows: dict[int, RecordWindow] = {}

    @property
    def is_connected(self) -> bool:
        """Whether a consumer is connected."""
        return self._connection.consumer is not None

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """The offset that is read next, by partition, once it is read."""
        return self._consumed

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"relay-{self._name}")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        for partition in list(self.windows):
            self.unfollow(partition)

    def follow(self, partition: int, offset: int) -> RecordWindow:
        """Follow ``partition`` from ``offset`` on, unless it is followed already."""
        window = self.windows.get(partition)
        if window is None:
            window = self.windows[partition] = RecordWindow(partition, offset, self._window_bytes_max)
            self._assign()
        return window

    def unfollow(self, partition: int) -> None:
        """Stop following ``partition``; its waiters are woken and continue with the catch-up pool."""
        window = self.windows.pop(partition, None)
        if window is not None:
            self._assign()
            window.close()

    def _assign(self) -> None:
        """Assignment and positions in one step of the loop: the fetcher never sees one without the other."""
        self._wanted.set() if self.windows else self._wanted.clear()
        consumer = self._connection.consumer
        if consumer is None:
            return
        consumer.assign([TopicPartition(self.topic, partition) for partition in self.windows])
        for partition, window in self.windows.items():
            consumer.seek(TopicPartition(self.topic, partition), window.end)

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            await self._connection.run(self._read)
            await self._connection.close()  # an idle consumer costs the broker a connection

    async def _read(self, consumer: Consumer) -> None:
        """Fill the windows until there are none."""
        pace_fetches(consumer, lambda: self._next_fetch_s)
        self._connection.confirm()
        self._assign()
        while self.windows:
            try:
                batches = await consumer.getmany(timeout_ms=POLL_MS)
            except OffsetOutOfRangeError as error:
                await self._reset(consumer, list(error.args[0]))
                continue
            self._consumed = {place: await consumer.position(place) for place in consumer.assignment()}
            self._next_fetch_s = asyncio.get_running_loop().time() + PACE_S if batches else float("-inf")
            for topic_partition, records in batches.items():
                window = self.windows.get(topic_partition.partition)
                if window is None:
                    continue
                for record in records:
                    window.append(ReplyRecord(topic_partition.partition, record.offset, record.key, record.value))

    async def _reset(self, consumer: Consumer, lost: list[TopicPartition]) -> None:
        """The log does not have the position of the window (retention, or a new log): begin again at the log's end."""
        ends = await consumer.end_offsets(lost)
        for topic_partition, end in ends.items():
            partition = topic_partition.partition
            log.error("relay_position_lost", tail=self._name, partition=partition, end_offset=end)
            window = self.windows.get(partition)
            if window is not None:
                self.windows[partition] = RecordWindow(partition, end, self._window_bytes_max)
                window.close()
        self._assign()
