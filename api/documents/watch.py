"""Who watches the progress of documents in this process, and what they are told.

The end of ``claw.documents.progressed.v1`` is followed while anybody watches, by one consumer for all. What it said lately is kept, for the
tables lag behind the log: a snapshot is the tables and whatever of that is newer. A reader who falls behind, and everybody after records
were missed, gets a fresh snapshot in place of a backlog.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec
import structlog

from domain.documents.records import has_version, progress_order
from domain.documents.topics import DOCUMENTS_PROGRESSED
from schemas.documents import DocumentProgressed, Progress
from schemas.settings import KafkaSettings
from streams.log.tail import TopicTail

WAITING_MAX = 256  # news one reader may leave unread
RECENT_MAX = 4_000  # records kept, of all tenants: some 4 MB, four seconds of a full import, 15 ms to look through
REWIND = 500  # offsets per partition read again when following begins
REACHED_S_MAX = 2.0  # then a snapshot goes out without; another one follows

log = structlog.get_logger(__name__)

_decode = msgspec.json.Decoder(DocumentProgressed).decode


class ProgressUpdate(NamedTuple):
    """A step of a document and its place on the log."""

    partition: int
    offset: int
    progress: Progress


class Subscriber:
    """A reader of one knowledge base. ``stale``: it needs a snapshot; until then it is told nothing."""

    def __init__(self) -> None:
        self.stale = True
        self.gone = False
        self._news: deque[ProgressUpdate] = deque()
        self._woken = asyncio.Event()

    def offer(self, news: ProgressUpdate) -> None:
        """Tell it, unless a snapshot will."""
        if self.stale:
            return
        self._news.append(news)
        if len(self._news) > WAITING_MAX:
            self.mark_stale()
        self._woken.set()

    def mark_stale(self) -> None:
        """What it knows is not enough to go on from."""
        self.stale = True
        self._news.clear()
        self._woken.set()

    def mark_current(self) -> None:
        """It has a snapshot that holds all it was offered."""
        self.stale = False
        self._news.clear()

    def close(self) -> None:
        """The process is stopping."""
        self.gone = True
        self._woken.set()

    async def next_updates(self, timeout_s: float) -> list[ProgressUpdate]:
        """What came since, at once when there is any; nothing after ``timeout_s``, or when ``stale`` or ``gone``."""
        if not (self._news or self.stale or self.gone):
            self._woken.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._woken.wait()
            except TimeoutError:
                return []
        news = list(self._news)
        self._news.clear()
        return news


class ProgressFeed:
    """All of one process."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._watching: dict[bytes, set[Subscriber]] = {}  # by the prefix of the keys they want
        self._tail: TopicTail | None = None
        self._recent: deque[tuple[bytes, bytes]] = deque(maxlen=RECENT_MAX)

    @property
    def is_following(self) -> bool:
        """The topic is being followed."""
        return self._tail is not None

    @asynccontextmanager
    async def subscribe(self, tenant: str, knowledge_base: str) -> AsyncIterator[Subscriber]:
        """A reader of this knowledge base for as long as the block lasts."""
        prefix, spectator = _prefix(tenant, knowledge_base), Subscriber()
        self._watching.setdefault(prefix, set()).add(spectator)
        if self._tail is None:
            self._tail = TopicTail(self._kafka, DOCUMENTS_PROGRESSED, self._take, choose=range, jumped=self._mark_all_stale, rewind=REWIND)
            self._tail.start()
        try:
            yield spectator
        finally:
            self._watching[prefix].discard(spectator)
            if not self._watching[prefix]:
                del self._watching[prefix]
            if not self._watching:
                await self._stop_tail()

    async def catch_up(self) -> None:
        """What was on the log when following began has been read, or 2 s have passed."""
        if self._tail is not None and not self._tail.reached.is_set():
            try:
                async with asyncio.timeout(REACHED_S_MAX):
                    await self._tail.reached.wait()
            except TimeoutError:
                log.warning("progress_not_reached_yet", waited_s=REACHED_S_MAX)

    def apply_recent(self, tenant: str, knowledge_base: str, known: dict[str, Progress]) -> None:
        """Bring ``known``, by document id as the tables have it, up to what was read of the log."""
        prefix = _prefix(tenant, knowledge_base)
        for key, value in self._recent:
            if key.startswith(prefix) and (event := _decode_event(value)) is not None:
                before = known.get(event.data.document_id)
                if before is None or progress_order(before) < progress_order(event.data):
                    known[event.data.document_id] = event.data

    async def stop(self) -> None:
        """Everybody is sent away; they come back to another process."""
        for spectators in self._watching.values():
            for spectator in spectators:
                spectator.close()
        await self._stop_tail()

    async def _stop_tail(self) -> None:
        tail, self._tail = self._tail, None
        self._recent.clear()
        if tail is not None:
            await tail.stop()

    def _mark_all_stale(self) -> None:
        self._recent.clear()
        for spectators in self._watching.values():
            for spectator in spectators:
                spectator.mark_stale()

    def _take(self, partition: int, offset: int, key: bytes, value: bytes | None) -> None:
        if value is None:
            return
        self._recent.append((key, value))
        spectators = self._watching.get(key[: key.find(b"/", key.find(b"/") + 1) + 1])
        if spectators and (event := _decode_event(value)) is not None:
            news = ProgressUpdate(partition, offset, event.data)
            for spectator in spectators:
                spectator.offer(news)


def _prefix(tenant: str, knowledge_base: str) -> bytes:
    return f"{tenant}/{knowledge_base}/".encode()


def _decode_event(value: bytes) -> DocumentProgressed | None:
    """None for what is none, or speaks of no version."""
    try:
        event = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("progress_undecodable", error=str(error))
        return None
    return event if has_version(event) else None
