"""Watching a topic: a snapshot of what is true now, then every record as it arrives, fanned out to any number of streams.

One consumer per process follows the end of the topic while it has subscribers. Its latest records are kept, because tables lag behind the
log: a snapshot is the tables and whatever is newer among those records. A subscriber that falls behind gets a fresh snapshot in place of a
backlog, and so does every subscriber after records were missed. SSE and WebSocket both send the frames of ``watch``.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, contextmanager
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec
import structlog

from api.http.open_count import OpenCount
from api.http.sse import event_frame
from domain.chats.relay import HEARTBEAT, ReplyFrame
from schemas.errors import Refused
from schemas.settings import KafkaSettings
from streams.clock import Clock
from streams.log.tail import TopicTail
from streams.topics import Topic

T = TypeVar("T")

HEARTBEAT_S = 10.0  # no stream is silent for longer; access is checked as often
STREAM_S_MAX = 3_600.0  # then the client reconnects, with a credential that is still valid
SNAPSHOT_PAUSE_S = 1.0  # between two snapshots of one stream
UPDATES_MAX = 256  # updates a subscriber may leave unread before it gets a snapshot instead
RECENT_MAX = 4_000  # records kept, of all groups: some 4 MB, four seconds of a full import, 15 ms to scan
REWIND = 500  # offsets per partition read again when following begins
CATCH_UP_S_MAX = 2.0  # then a snapshot is sent all the same; the next one will have the rest

log = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


class Update(NamedTuple, Generic[T]):
    """A record and its place on the log."""

    partition: int
    offset: int
    data: T

    @property
    def id(self) -> str:
        """The id of its event."""
        return f"{self.partition}.{self.offset}"


class Subscriber(Generic[T]):
    """A stream's queue. While it is ``stale`` it needs a snapshot and gets no updates; ``closed``: the process is stopping."""

    def __init__(self) -> None:
        self.stale = True
        self.closed = False
        self._updates: deque[Update[T]] = deque()
        self._woken = asyncio.Event()

    def offer(self, update: Update[T]) -> None:
        """Queue an update, unless a snapshot is due; a full queue makes the subscriber stale."""
        if self.stale:
            return
        self._updates.append(update)
        if len(self._updates) > UPDATES_MAX:
            self.mark_stale()
        self._woken.set()

    def mark_stale(self) -> None:
        """Drop the queue: only a snapshot can follow."""
        self.stale = True
        self._updates.clear()
        self._woken.set()

    def mark_current(self) -> None:
        """A snapshot holds everything read so far; from here on updates are queued."""
        self.stale = False
        self._updates.clear()

    def close(self) -> None:
        """End the stream."""
        self.closed = True
        self._woken.set()

    async def next_updates(self, timeout_s: float) -> list[Update[T]]:
        """The queue, at once when it has updates; empty after ``timeout_s``, or when ``stale`` or ``closed``."""
        if not (self._updates or self.stale or self.closed):
            self._woken.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._woken.wait()
            except TimeoutError:
                return []
        updates = list(self._updates)
        self._updates.clear()
        return updates


class Subscribers(Generic[T]):
    """The subscribers of a feed by their group."""

    def __init__(self) -> None:
        self._by_group: dict[bytes, set[Subscriber[T]]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_group)

    def __iter__(self) -> Iterator[Subscriber[T]]:
        return (subscriber for some in self._by_group.values() for subscriber in some)

    @contextmanager
    def join(self, group: bytes) -> Iterator[Subscriber[T]]:
        """Another one, for as long as the block lasts."""
        subscriber: Subscriber[T] = Subscriber()
        self._by_group.setdefault(group, set()).add(subscriber)
        try:
            yield subscriber
        finally:
            self._by_group[group].discard(subscriber)
            if not self._by_group[group]:
                del self._by_group[group]

    def groups(self) -> Collection[bytes]:
        """The groups that have any."""
        return self._by_group.keys()

    def of(self, group: bytes) -> Collection[Subscriber[T]]:
        """Those of a group."""
        return self._by_group.get(group, ())


class TopicWatch(Generic[T]):
    """One topic of one process. ``group_of`` gives the group of a record's key, for which subscribers wait; ``decode`` the data of a value,
    None for a value that no subscriber gets.
    """

    def __init__(self, kafka: KafkaSettings, topic: Topic, group_of: Callable[[bytes], bytes], decode: Callable[[bytes], T | None]) -> None:
        self._kafka, self._topic, self._group_of, self._decode = kafka, topic, group_of, decode
        self._subscribers: Subscribers[T] = Subscribers()
        self._tail: TopicTail | None = None
        self._recent: deque[tuple[bytes, bytes]] = deque(maxlen=RECENT_MAX)  # group and value

    @property
    def is_following(self) -> bool:
        """Whether the topic is being followed."""
        return self._tail is not None

    @asynccontextmanager
    async def subscribe(self, group: bytes) -> AsyncIterator[Subscriber[T]]:
        """A subscriber of ``group`` for as long as the block lasts."""
        try:
            with self._subscribers.join(group) as subscriber:
                if self._tail is None:
                    self._tail = TopicTail(self._kafka, self._topic, self._take, choose=range, jumped=self._mark_all_stale, rewind=REWIND)
                    self._tail.start()
                yield subscriber
        finally:
            if not self._subscribers:
                await self._stop_tail()

    async def catch_up(self) -> None:
        """Returns when the records that were on the log when following began have been read, or after 2 s."""
        if self._tail is not None and not self._tail.reached.is_set():
            try:
                async with asyncio.timeout(CATCH_UP_S_MAX):
                    await self._tail.reached.wait()
            except TimeoutError:
                log.warning("watch_not_caught_up", topic=self._topic.name, waited_s=CATCH_UP_S_MAX)

    def recent(self, group: bytes) -> list[T]:
        """What was read of the group lately, oldest first."""
        decoded = (self._decode(value) for each, value in self._recent if each == group)
        return [data for data in decoded if data is not None]

    async def stop(self) -> None:
        """End every stream; clients reconnect to another process."""
        for subscriber in self._subscribers:
            subscriber.close()
        await self._stop_tail()

    async def _stop_tail(self) -> None:
        tail, self._tail = self._tail, None
        self._recent.clear()
        if tail is not None:
            await tail.stop()

    def _mark_all_stale(self) -> None:
        self._recent.clear()
        for subscriber in self._subscribers:
            subscriber.mark_stale()

    def _take(self, partition: int, offset: int, key: bytes, value: bytes | None) -> None:
        if value is None:
            return
        group = self._group_of(key)
        self._recent.append((group, value))
        subscribers = self._subscribers.of(group)
        if subscribers and (data := self._decode(value)) is not None:
            update = Update(partition, offset, data)
            for subscriber in subscribers:
                subscriber.offer(update)


class Feed(Protocol[T]):
    """What streams of one kind subscribe to: ``TopicWatch``, or whatever else learns of changes."""

    def subscribe(self, group: bytes) -> AbstractAsyncContextManager[Subscriber[T]]:
        """A subscriber of ``group`` for as long as the block lasts."""

    async def catch_up(self) -> None:
        """Returns when everything that had happened before the subscription has been read, or after a bounded time."""

    def recent(self, group: bytes) -> list[T]:
        """What was read of the group lately, and may be missing from the tables; oldest first."""


class Watched(Protocol[T]):
    """What one stream shows of a group."""

    @property
    def group(self) -> bytes:
        """The group of records."""

    async def snapshot(self, take_recent: Callable[[], list[T]]) -> msgspec.Struct | None:
        """The data of a ``snapshot`` event; None while it cannot be made. Call ``take_recent`` once the tables have been read: the snapshot
        must include what it returns, and later records follow as updates.
        """

    async def update(self, data: T) -> tuple[str, msgspec.Struct] | None:
        """The event of one record: its name and data; None when the stream does not show it."""

    async def check_access(self) -> None:
        """Raises Refused when the caller may no longer watch."""


async def watch(feed: Feed[T], watched: Watched[T], clock: Clock, streams: OpenCount) -> AsyncGenerator[ReplyFrame, None]:
    """The frames of one stream: a ``snapshot``, then its updates; ``failed`` as the end when access was withdrawn."""
    try:
        with streams.enter():
            async with (
                feed.subscribe(watched.group) as subscriber,
                aclosing(_frames(feed, watched, clock, subscriber)) as frames,
            ):
                async for frame in frames:
                    yield frame
    except Refused as refusal:  # the head of the response has been sent: the stream itself has to report it
        yield event_frame("failed", _clock_id(clock), _encode(refusal.problem()))


async def _frames(feed: Feed[T], watched: Watched[T], clock: Clock, subscriber: Subscriber[T]) -> AsyncGenerator[ReplyFrame, None]:
    began_s = checked_s = clock.monotonic_s()
    snapshot_due_s = began_s
    while not subscriber.closed and (now_s := clock.monotonic_s()) - began_s < STREAM_S_MAX:
        if now_s - checked_s >= HEARTBEAT_S:
            checked_s = now_s
            await watched.check_access()
        if subscriber.stale:
            await asyncio.sleep(max(0.0, snapshot_due_s - now_s))
            snapshot_due_s = clock.monotonic_s() + SNAPSHOT_PAUSE_S
            yield await _snapshot_frame(feed, watched, clock, subscriber)
            continue
        updates = await subscriber.next_updates(HEARTBEAT_S)
        shown = 0
        for update in updates:
            if (event := await watched.update(update.data)) is not None:
                shown += 1
                yield event_frame(event[0], update.id, _encode(event[1]))
        if not (shown or subscriber.stale):
            yield HEARTBEAT


async def _snapshot_frame(feed: Feed[T], watched: Watched[T], clock: Clock, subscriber: Subscriber[T]) -> ReplyFrame:
    """A heartbeat in place of a snapshot that cannot be made."""
    await feed.catch_up()

    def take_recent() -> list[T]:
        subscriber.mark_current()
        return feed.recent(watched.group)

    body = await watched.snapshot(take_recent)
    return HEARTBEAT if body is None else event_frame("snapshot", _clock_id(clock), _encode(body))


def _clock_id(clock: Clock) -> str:
    """The id of an event without a place on the log; a client that resumes from it gets a snapshot."""
    return f"at.{int(clock.now().timestamp() * 1000)}"
