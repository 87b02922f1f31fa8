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

READERS_MAX = 7  # consumers of this pool; with the tail of other replicas' partitions the eight of the design
TURN_S = 1.0  # the turn of one partition while others wait for a reader
IDLE_S = 30.0  # a reader that is idle this long ends
POLL_MS = 500
SILENCE_S_MAX = 5.0  # the log holds more and no record arrives: the reader reconnects


class PartitionFollower(Protocol):
    """The windows that cursors continue in after catching up."""

    def window(self, partition: int) -> RecordWindow | None:
        """The window of the partition, when it is followed."""

    def follow(self, partition: int, offset: int) -> None:
        """Follow the partition from ``offset`` on."""


class CatchUpPool:
    """The pool. Partitions are served in order of request; one is read by one reader at a time, for all its cursors together."""

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
        """The number of consumers, busy or idle."""
        return len(self._readers)

    def add(self, cursor: Cursor) -> None:
        """Read for ``cursor`` until it is released."""
        self._waiting.setdefault(cursor.partition, []).append(cursor)
        self._assign_reader()

    async def stop(self) -> None:
        """End the readers; the owner of cursors that still wait closes them."""
        self._stopped = True
        for reader in self._readers:
            reader.cancel()
        if self._readers:
            await asyncio.wait(self._readers)

    def _assign_reader(self) -> None:
        """Assign the first waiting partition to an idle or a new reader; without either it waits until a reader is free."""
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
        """The partition that has waited longest and is not being read; the caller owns it until the end of its turn."""
        partition = next((each for each in self._waiting if each not in self._being_read), None)
        if partition is not None:
            self._being_read.add(partition)
        return partition

    async def _run_reader(self, partition: int | None) -> None:
        """Run one reader: turn after turn, idle while nothing waits, ended after ``IDLE_S`` without a partition."""
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
        """The next partition to read, or None after ``IDLE_S`` without one."""
        rest: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._resting.append(rest)
        try:
            async with asyncio.timeout(IDLE_S):
                return await rest
        except TimeoutError:
            return rest.result() if rest.done() and not rest.cancelled() else None  # assigned at the moment of the timeout

    async def _serve_partition(self, partition: int, consumer: Consumer) -> None:
        """Read upwards for all cursors that wait at this partition, until all are released or the turn ends while other partitions wait."""
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
            consumer.pause(source)  # an idle reader fetches nothing
            if serving:  # back to the end of the queue
                self._waiting[partition] = [*self._waiting.pop(partition, []), *serving]

    def _join_waiting(self, partition: int, position: int) -> list[Cursor]:
        """The cursors that joined since and need no record below ``position``."""
        waiting = self._waiting.pop(partition, [])
        behind = [cursor for cursor in waiting if cursor.next < position]
        if behind:
            self._waiting[partition] = behind
        return [cursor for cursor in waiting if cursor.next >= position]

    def _release_done(self, serving: list[Cursor], begin: int, end: int) -> list[Cursor]:
        """Release the cursors that are done; returns the others."""
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
    """Give each cursor its records; all below ``position`` was read. A full cursor keeps its offset."""
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
