"""The relay of one API process: its partition, the partitions it follows, and its readers."""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial

import structlog

from adapters.kafka import Consumer, connection_options, make_consumer
from domain.chats.relay.catch_up import CatchUpPool
from domain.chats.relay.cursor import Cursor, Fallback
from domain.chats.relay.frames import HEARTBEAT, EventId, PartitionOffset, ReplyFrame
from domain.chats.relay.tail import CONNECT_TIMEOUT_S, LIMITS, RECONNECT_S_MAX, Tail
from domain.chats.relay.window import RecordWindow
from domain.chats.topics import CHATS_ANSWERED
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.connection import ConsumerConnection
from streams.log.followers import Followers, followers_here
from streams.log.partitions import list_partitions

WINDOW_BYTES_MAX = 32 * 1_048_576  # this replica's partition: some 20 s at 2,000 deltas/s, hours at a usual load
FOREIGN_WINDOW_BYTES_MAX = 262_144  # each partition of another replica while a stream here reads a reply of it
# A fetch of an idle partition stays at the broker this long, and everything else on its connection waits behind it: long where the
# assignment never changes, short where the next partition must not wait, minimal where only records known to exist are read.
OWN_WAIT_MS, FOREIGN_WAIT_MS, CATCH_UP_WAIT_MS = 500, 100, 10
REQUEST_TIMEOUT_MS = 10_000
HEARTBEAT_S = 10.0
FRAMES_AT_ONCE_MAX = 64  # frames handed out before other streams of this process get their turn

log = structlog.get_logger(__name__)


class Relay:
    """Streams replies from ``claw.chats.answered.v1``, of any partition, from any offset, to any number of readers.

    Questions asked here name ``partition``; it is followed for as long as the process lives. ``choose`` gets the number of partitions
    and returns the one to take: replicas should spread, but an overlap is harmless.
    """

    def __init__(
        self, kafka: KafkaSettings, *, choose: Callable[[int], int] = secrets.randbelow, window_bytes_max: int = WINDOW_BYTES_MAX
    ) -> None:
        self._topic = kafka.topic_prefix + CHATS_ANSWERED.name
        self._kafka, self._connection = kafka, connection_options(kafka)
        self._choose = choose
        self._partition: int | None = None
        self._own = Tail("own", self._topic, partial(self._consumer, OWN_WAIT_MS), window_bytes_max)
        self._foreign = Tail("foreign", self._topic, partial(self._consumer, FOREIGN_WAIT_MS), FOREIGN_WINDOW_BYTES_MAX)
        self._pool = CatchUpPool(self._topic, partial(self._consumer, CATCH_UP_WAIT_MS), self)
        self._followers = Followers()
        self._beginning: asyncio.Task[None] | None = None
        self._cursors: set[Cursor] = set()
        self._readers_by_partition: Counter[int] = Counter()

    async def start(self) -> None:
        """Choose a partition and follow it. With the log out of reach this returns after 5 s and keeps trying in the background."""
        self._followers = followers_here()
        self._own.start()
        self._foreign.start()
        self._beginning = asyncio.create_task(self._choose_partition(), name="relay-begin")
        await asyncio.wait([self._beginning], timeout=CONNECT_TIMEOUT_S)

    async def stop(self) -> None:
        """End every stream (its reader can resume at another replica), then the consumers."""
        self._followers.remove(self._own)
        for cursor in self._cursors:
            cursor.close()
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.wait([self._beginning])
        await self._pool.stop()
        await self._foreign.stop()
        await self._own.stop()

    @property
    def ready(self) -> bool:
        """Whether this replica's partition is followed."""
        return self._partition is not None and self._own.is_connected

    @property
    def streams(self) -> int:
        """The number of open streams of this process."""
        return len(self._cursors)

    @property
    def partition(self) -> int:
        """The partition of answers to questions asked here; Unavailable until the log was reached once."""
        return self.location().partition

    def position(self) -> int:
        """The offset after the last record seen of this replica's partition; Unavailable until the log was reached once."""
        return self.location().offset

    def location(self) -> PartitionOffset:
        """The location of a reply that is requested now: take it before the question is published, and store it with the reply."""
        window = None if self._partition is None else self._own.windows.get(self._partition)
        if window is None:
            raise Unavailable("kafka_unavailable", "the log of replies has not been reached yet", retry_after_s=RECONNECT_S_MAX)
        return PartitionOffset(window.partition, window.end)

    async def stream(
        self,
        reply_id: str,
        *,
        location: tuple[int, int] | None,
        last_event_id: str | None = None,
        fallback: Fallback | None = None,
        heartbeat_s: float = HEARTBEAT_S,
        first_heartbeat_s: float | None = None,
        with_thinking: bool = False,
    ) -> AsyncGenerator[ReplyFrame, None]:
        """The events of a reply after ``last_event_id`` (all without one), to the one terminal frame; close it when the reader leaves.

        ``location`` is ``location()`` at the time of the question, of any replica; None when it has expired. A ``last_event_id`` that
        is malformed counts as none; one that names no record of this reply gives a ``snapshot`` and the rest. A reply past the log's
        retention comes from ``fallback``, which returns the reply's message record or None. Silence is filled with ``HEARTBEAT``,
        before the first text or end every ``first_heartbeat_s``. ``with_thinking``: the reader wants the model's thinking as well.
        Raises Refused("reply_expired") when neither the log nor ``fallback`` has it. Waits, with heartbeats, while the log is down.
        """
        place = PartitionOffset(*location) if location is not None else PartitionOffset(0, 0)
        cursor = Cursor(reply_id, place, EventId.parse(last_event_id), self, fallback, with_thinking=with_thinking)
        if location is None:
            cursor.end_catch_up(expired=True)
        with self._register_reader(cursor):
            handed_out, pause_s = 0, first_heartbeat_s or heartbeat_s
            while (frame := await cursor.read(pause_s)) is not None:
                yield frame
                if frame is HEARTBEAT:
                    continue
                if frame.event != "retrieved":
                    pause_s = heartbeat_s
                if frame.terminal:
                    return
                handed_out += 1
                if handed_out % FRAMES_AT_ONCE_MAX == 0:
                    await asyncio.sleep(0)

    def window(self, partition: int) -> RecordWindow | None:
        """The partition's window, when it is followed here."""
        return self._own.windows.get(partition) or self._foreign.windows.get(partition)

    def catch_up(self, cursor: Cursor) -> None:
        """Read the log for ``cursor`` in the pool."""
        self._pool.add(cursor)

    def follow(self, partition: int, offset: int) -> None:
        """Follow another replica's partition while a stream here reads it."""
        self._foreign.follow(partition, offset)

    @contextlib.contextmanager
    def _register_reader(self, cursor: Cursor) -> Iterator[None]:
        self._cursors.add(cursor)
        self._readers_by_partition[cursor.partition] += 1
        try:
            yield
        finally:
            cursor.close()
            self._cursors.discard(cursor)
            self._readers_by_partition[cursor.partition] -= 1
            if self._readers_by_partition[cursor.partition] == 0:
                del self._readers_by_partition[cursor.partition]
                self._foreign.unfollow(cursor.partition)

    def _consumer(self, fetch_wait_ms: int) -> Consumer:
        return make_consumer(
            self._connection,
            client_id="claw-relay",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",  # a lost position is logged, not skipped
            fetch_max_wait_ms=fetch_wait_ms,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )

    async def _choose_partition(self) -> None:
        connection = ConsumerConnection(partial(self._consumer, OWN_WAIT_MS), LIMITS, "relay_topic_unreachable", topic=self._topic)
        try:
            while (place := await connection.run(self._find_end)) is None:
                pass
        finally:
            await connection.close()
        self._own.follow(*place)
        self._followers.add(self._own)
        self._partition = place.partition
        log.info("relay_partition_taken", partition=place.partition, offset=place.offset)

    async def _find_end(self, consumer: Consumer) -> PartitionOffset:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            places = await list_partitions(self._kafka, self._topic)
            source = places[self._choose(len(places))]
            return PartitionOffset(source.partition, (await consumer.end_offsets([source]))[source])
