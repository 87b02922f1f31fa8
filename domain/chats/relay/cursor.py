"""The cursor of one reader in one reply."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from domain.chats.relay.frames import HEARTBEAT, EventId, PartitionOffset, ReplyFrame, frames_of_message, snapshot_of
from domain.chats.relay.window import RecordWindow, ReplyRecord
from domain.chats.reply_fold import ReplyFold
from schemas.chats import Message
from schemas.errors import Refused

FRAMES_MAX = 512  # frames a cursor holds while a catch-up reader serves it; then that reader continues without it
BYTES_MAX = 131_072  # and their bytes: with 4,000 streams that all stall in mid-catch-up, 512 MiB
AHEAD_S_MAX = 1.0  # a reader that comes from another replica may have seen more of the log than this one: how long to wait for it

Fallback = Callable[[], Awaitable[Message | None]]


class RecordSource(Protocol):
    """The source of a cursor's records."""

    def window(self, partition: int) -> RecordWindow | None:
        """The partition's window, when the process follows it."""

    def catch_up(self, cursor: "Cursor") -> None:
        """Read the log for this cursor until it is full, its reply ends, or a window covers it; then release it."""


class Cursor:
    """Reads one reply from ``location`` on and returns the frames after ``after``.

    ``next`` is the first offset that is not folded yet. While ``_after`` is set no frame is emitted: either the record it names is read
    and is of this reply, and the frames after it are emitted, or the whole log is folded without it, and a snapshot is emitted.
    """

    def __init__(
        self,
        reply_id: str,
        location: PartitionOffset,
        after: EventId | None,
        source: RecordSource,
        fallback: Fallback | None,
        *,
        with_thinking: bool = False,
    ) -> None:
        self.key = reply_id.encode()
        self.partition = location.partition
        self.next = location.offset
        self._folded = self._origin = EventId(*location, 0)  # ``_folded``: the last event folded, for which a snapshot stands
        if after is not None and after.partition == location.partition and after <= self._origin:
            after = None  # it has seen nothing of the log yet
        self._after = after
        self._source = source
        self._fallback = fallback
        self._fold = ReplyFold(with_thinking=with_thinking)
        self._frames: deque[ReplyFrame] = deque()
        self._bytes = 0
        self._waiting: RecordWindow | None = None
        self._catching_up = False
        self._expired = False
        self._over = False
        self._patience_ends_s = 0.0
        self._news: asyncio.Future[None] | None = None

    async def read(self, heartbeat_s: float) -> ReplyFrame | None:
        """The next frame, a heartbeat after ``heartbeat_s`` of silence, None after the end.

        Raises Refused("reply_expired") when the log no longer keeps the reply and there is no record of it either. Records without a frame
        for this reader, such as thinking that it did not ask for, are silence.
        """
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + heartbeat_s
        while True:
            if self._frames:
                frame = self._frames.popleft()
                self._bytes -= len(frame.data)
                return frame
            if self._over or self._fold.end is not None:
                return None
            if self._expired:
                await self._fall_back()
            elif not self._advance() and not await self._wait(ends_s - loop.time()):
                return HEARTBEAT

    def close(self) -> None:
        """End the cursor of a reader that has gone. A catch-up reader that serves it checks ``wants_records``."""
        self._over = True
        if self._waiting is not None:
            self._waiting.remove_waiter(self)
            self._waiting = None
        self._wake()

    def _advance(self) -> bool:
        """Fold the next record of the window, or register for a wake-up; False when the cursor has to wait."""
        if self._catching_up or self._waiting is not None:
            return self._patience_ends_s > 0 and self._settle()
        window = self._source.window(self.partition)
        if window is None or self.next < window.start:
            self._catching_up = True
            self._source.catch_up(self)
            return False
        record = window.find(self.key, self.next)
        if record is not None:
            self.apply(record)
            return True
        self._waiting = window
        window.add_waiter(self)
        return self._after is not None and self._settle()

    def _settle(self) -> bool:
        """All present records are folded, without the record to resume from: wait a moment if it may still arrive, else emit a snapshot."""
        after, window = self._after, self._waiting
        if after is None or window is None:
            return False
        now = asyncio.get_running_loop().time()
        if after.partition == self.partition and after.offset >= window.end:
            self._patience_ends_s = self._patience_ends_s or now + AHEAD_S_MAX
            if now < self._patience_ends_s:
                return False
        self._emit((snapshot_of(self._fold, self._folded),))
        return True

    async def _wait(self, timeout_s: float) -> bool:
        """Wait for a change; False when ``timeout_s`` of silence calls for a heartbeat."""
        loop = asyncio.get_running_loop()
        patient = self._after is not None and self._waiting is not None and self._patience_ends_s > 0
        deadline_s = loop.time() + timeout_s
        self._news = loop.create_future()
        try:
            async with asyncio.timeout_at(min(deadline_s, self._patience_ends_s) if patient else deadline_s):
                await self._news
        except TimeoutError:
            return patient and loop.time() < deadline_s
        finally:
            self._news = None
        return True

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _fall_back(self) -> None:
        message = await self._fallback() if self._fallback is not None else None
        if message is None:
            raise Refused("reply_expired")
        self._emit(frames_of_message(message, self._origin))
        self._over = True

    def _emit(self, frames: tuple[ReplyFrame, ...]) -> None:
        self._after = None
        self._frames.extend(frames)
        self._bytes += sum(len(frame.data) for frame in frames)
        self._wake()

    def resume_at(self, offset: int) -> None:
        """See ``Waiter``."""
        self._waiting = None
        self.next = max(self.next, offset)
        self._wake()

    @property
    def wants_records(self) -> bool:
        """Whether the cursor has room, its reply has not ended, and its reader is connected."""
        return not self._over and self._fold.end is None and len(self._frames) < FRAMES_MAX and self._bytes < BYTES_MAX

    def apply(self, record: ReplyRecord) -> None:
        """Fold a record of this reply and queue its frames. Repeats of an offset are ignored."""
        if record.offset < self.next:
            return
        self.next = record.offset + 1
        event = record.event()
        steps = self._fold.apply(event) if event is not None else ()
        frames = record.frames(steps) if steps else ()
        after = self._after
        if after is None:
            self._emit(frames)
        elif (after.partition, after.offset) == (self.partition, record.offset):
            self._emit(frames[after.ordinal :])
        elif self._fold.end is not None:
            place = EventId(self.partition, record.offset, len(frames) - 1)
            self._emit((snapshot_of(self._fold, place), frames[-1]))
        if frames:
            self._folded = EventId(self.partition, record.offset, len(frames))

    def end_catch_up(self, *, expired: bool = False) -> None:
        """The catch-up reader has released this cursor; ``expired``: the log begins after the reply did."""
        self._catching_up = False
        self._expired = expired
        self._wake()
