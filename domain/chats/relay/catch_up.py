"""Reads the log for cursors that no window covers: a few pooled consumers, each serving many cursors of one partition at a time."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Protocol

from adapters.kafka import Consumer, StoredRecord, TopicPartition
from domain.chats.relay.cursor import Cursor
from domain.chats.relay.tail import CONNECT_TIMEOUT_S, LIMITS
from domain.chats.relay.window import RecordWindow, ReplyRecord
from schemas.errors import Unavailable
from streams.log.connection import Connect, ConsumerConnection

READERS_MAX = 7  # consumers here; with the one that follows other replicas' partitions the eight of the design
TURN_S = 1.0  # a partition's turn while others wait for a reader
IDLE_S = 30.0  # a reader with nothing to do this long leaves
POLL_MS = 500
SILENCE_S_MAX = 5.0  # the log holds more and none of it comes: the reader connects anew


class PartitionFollower(Protocol):
    """Who takes over where catching up ends."""

    def window(self, partition: int) -> RecordWindow | None:
        """The window of the partition, when it is followed."""

    def follow(self, partition: int, offset: int) -> None:
        """Follow the partition from ``offset`` on."""


class CatchUpPool:
    """The pool. Partitions are served in the order of asking; one is read by one reader at a time, for all its cursors together."""

    def __init__(self, topic: str, connect: Connect, follower: PartitionFollower) -> None:
        self._topic = topic
        self._connect = connect
        self._follower = follower
        self._waiting: dict[int, list[Cursor]] = {}
        self._being_read: set[int] = set()
        self._readers: set[asyncio.Task[None]] = set()
        self._resting: list[asyncio.Future[int]] = []
        self._stopped = False

    @property
    def readers(self) -> int:
        """Consumers at work or at rest."""
        return len(self._readers)

    def add(self, cursor: Cursor) -> None:
        """Read for ``cursor`` until it is released."""
        self._waiting.setdefault(cursor.partition, []).append(cursor)
        self._assign_reader()

    async def stop(self) -> None:
        """Readers end; cursors still waiting are for their owner to close."""
        self._stopped = True
        for reader in self._readers:
            reader.cancel()
        if self._readers:
            await asyncio.wait(self._readers)

    def _assign_reader(self) -> None:
        """Hand the first waiting partition to a reader at rest or to a new one; with neither it waits for the next to be done."""
        while self._resting and self._resting[-1].done():
            self._resting.pop()
        if self._stopped or not (self._resting or len(self._readers) < READERS_MAX):
            return
        partition = self._claim()
        if partition is None:
            return
        if self._resting:
            self._resting.pop().set_result(partition)
            return
        reader = asyncio.create_task(self._run_reader(partition), name="relay-catch-up")
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    def _claim(self) -> int | None:
        """The partition that has waited longest and is not being read; it is the caller's until the end of its turn."""
        partition = next((each for each in self._waiting if each not in self._being_read), None)
        if partition is not None:
            self._being_read.add(partition)
        return partition

    async def _run_reader(self, partition: int | None) -> None:
        """The life of one reader: turn after turn, rest when nothing waits, leave when nothing comes."""
        connection = ConsumerConnection(self._connect, LIMITS, "relay_catch_up_interrupted")
        try:
            while partition is not None:
                try:
                    await connection.run(partial(self._serve_partition, partition), partition=partition)
                finally:
                    self._being_read.discard(partition)
                partition = self._claim()
                if partition is None:
                    partition = await self._wait_for_partition()
        finally:
            await connection.close()

    async def _wait_for_partition(self) -> int | None:
        """The next partition to read, or None when none has come for ``IDLE_S``."""
        rest: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._resting.append(rest)
        try:
            async with asyncio.timeout(IDLE_S):
                return await rest
        except TimeoutError:
            return rest.result() if rest.done() and not rest.cancelled() else None  # it came in the very same moment

    async def _serve_partition(self, partition: int, consumer: Consumer) -> None:
        """Read upwards for everybody who waits at this partition, until all are released or others have waited long enough."""
        loop = asyncio.get_running_loop()
        source = TopicPartition(self._topic, partition)
        serving: list[Cursor] = []
        try:
            consumer.assign([source])
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                begin = (await consumer.beginning_offsets([source]))[source]
                end = (await consumer.end_offsets([source]))[source]
            position, turn_ends_s, silent_since_s = -1, loop.time() + TURN_S, loop.time()
            while True:
                serving = self._release_done([*serving, *self._join_waiting(partition, position)], begin, end)
                if not serving or (loop.time() > turn_ends_s and self._waiting):
                    return
                lowest = min(cursor.next for cursor in serving)
                if lowest != position:
                    position = lowest
                    consumer.seek(source, position)
                records = (await consumer.getmany(source, timeout_ms=POLL_MS)).get(source, [])
                reached = await consumer.position(source)
                if reached > position:  # with records or without: aborted ones and the markers of transactions never arrive
                    silent_since_s, position = loop.time(), reached
                    _distribute(partition, records, serving, position)
                elif loop.time() - silent_since_s > SILENCE_S_MAX:
                    raise Unavailable("kafka_unavailable", f"nothing from {source} at {position}, which ends at {end}")
        finally:
            consumer.pause(source)  # at rest it fetches nothing
            if serving:  # back to the end of the queue
                self._waiting[partition] = [*self._waiting.pop(partition, []), *serving]

    def _join_waiting(self, partition: int, position: int) -> list[Cursor]:
        """Those who came since and need nothing that has gone by."""
        waiting = self._waiting.pop(partition, [])
        behind = [cursor for cursor in waiting if cursor.next < position]
        if behind:
            self._waiting[partition] = behind
        return [cursor for cursor in waiting if cursor.next >= position]

    def _release_done(self, serving: list[Cursor], begin: int, end: int) -> list[Cursor]:
        """Release whoever has what it came for; returns the others."""
        staying = []
        for cursor in serving:
            if not cursor.wants_records:
                cursor.end_catch_up()
            elif cursor.next < begin:
                cursor.end_catch_up(expired=True)
            elif self._is_covered(cursor, end):
                cursor.end_catch_up()
            else:
                staying.append(cursor)
        return staying

    def _is_covered(self, cursor: Cursor, end: int) -> bool:
        window = self._follower.window(cursor.partition)
        if window is not None:
            return cursor.next >= window.start
        if cursor.next < end:
            return False
        self._follower.follow(cursor.partition, end)
        return True


def _distribute(partition: int, records: Sequence[StoredRecord], serving: list[Cursor], position: int) -> None:
    """Give each cursor its records; all below ``position`` was read. A cursor that is full stays where it is."""
    by_key: dict[bytes, list[Cursor]] = {}
    for cursor in serving:
        by_key.setdefault(cursor.key, []).append(cursor)
    for raw in records:
        takers = by_key.get(raw.key or b"")
        if takers:
            record = ReplyRecord(partition, raw.offset, raw.key, raw.value)
            for cursor in takers:
                if cursor.wants_records:
                    cursor.apply(record)
    for cursor in serving:
        if cursor.wants_records:
            cursor.next = max(cursor.next, position)
