"""Documents under way, and since when each has been silent: the timers of the reconciler.

One timer per version (``streams/runtime/timers.py``), set to the time of its last progress: how long a silence may last is a setting and
depends on the backlog, so it is added when the timers are asked. A version that is to be retried later has another timer, set to that time,
and its silence begins then. They follow the progress topic in any order and with any repeats; an entry
that is wrong (from a late repeat of an old event) is found and removed when it is due.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.redis.client import RedisClient
from domain.documents.visibility import NO_VERSION
from schemas.documents import PERCENT, DocumentProgressed, DocumentQueue
from streams.log.partitions import partition_of
from streams.runtime.timers import Timer, Timers, TimerSetting, ms_of

QUEUES: tuple[DocumentQueue, ...] = ("express", "bulk", "slow")
RETRY = len(QUEUES)  # the class of those timers
SHARD_MAX = 50_000  # documents of one partition and queue; beyond it a document is entered with its next progress


@dataclass(frozen=True, slots=True)
class StalledDocument:
    """A version without progress since ``since_ms``; ``tries``: how often it was requeued before."""

    key: str
    version: int
    queue: DocumentQueue
    since_ms: int
    tries: int


@dataclass(frozen=True, slots=True)
class DueRetry:
    """A version that is to be queued again now."""

    key: str
    version: int


class OpenDocuments:
    """``partitions``: of the document topics. Every method raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str, partitions: int) -> None:
        self.partitions = partitions
        self._timers = Timers(redis, prefix, "open", kinds=(*QUEUES, "retry"), entries_max=SHARD_MAX)

    async def apply(self, event: DocumentProgressed) -> None:
        """Enter one progress event."""
        await self.apply_many((event,))

    async def apply_many(self, events: Sequence[DocumentProgressed]) -> None:
        """The same for several, in one round trip."""
        await self._timers.set_many([timer for event in events if event.data.version != NO_VERSION for timer in self._settings_of(event)])

    async def find_silent(self, partition: int, queue: DocumentQueue, before_ms: int, limit: int) -> list[StalledDocument]:
        """Those without progress since before that time, the longest silent first."""
        timers = await self._timers.list_due(partition, before_ms, limit, kind=QUEUES.index(queue))
        return [_document_of(timer) for timer in timers]

    async def take_over(self, partition: int, at: datetime) -> int:
        """The token to claim documents of this partition with; tokens taken earlier end."""
        return await self._timers.take_over(partition, ms_of(at))

    async def claim_silent(
        self, partition: int, queue: DocumentQueue, token: int, before_ms: int, *, again_at_ms: int, limit: int
    ) -> list[StalledDocument]:
        """The same as ``find_silent``, for the partition's owner; they are found again after ``again_at_ms`` unless something is done.

        Raises Superseded when the token has ended.
        """
        kind = QUEUES.index(queue)
        timers = await self._timers.claim(partition, token, before_ms=before_ms, again_at_ms=again_at_ms, limit=limit, kind=kind)
        return [_document_of(timer) for timer in timers]

    async def find_retries(self, partition: int, before_ms: int) -> bool:
        """Whether versions are to be retried that were to be before that time."""
        return bool(await self._timers.list_due(partition, before_ms, 1, kind=RETRY))

    async def claim_retries(self, partition: int, token: int, before_ms: int, *, again_at_ms: int, limit: int) -> list[DueRetry]:
        """Those, for the partition's owner; found again after ``again_at_ms`` unless ``end_retry`` is called. Raises Superseded."""
        timers = await self._timers.claim(partition, token, before_ms=before_ms, again_at_ms=again_at_ms, limit=limit, kind=RETRY)
        return [_retry_of(timer) for timer in timers]

    async def end_retry(self, retry: DueRetry) -> None:
        """It was queued again, or nobody wants it; a later postponement sets the timer anew."""
        await self._timers.end(Timer(self.partition_of(retry.key), _member(retry.key, retry.version), RETRY, 0, 0))

    async def mark_requeued(self, document: StalledDocument, at: datetime) -> None:
        """It was requeued once more. Nothing happens to one that was indexed or failed meanwhile."""
        partition, member = self.partition_of(document.key), _member(document.key, document.version)
        timer = Timer(partition, member, QUEUES.index(document.queue), document.since_ms, document.tries)
        await self._timers.repeat(timer, ms_of(at))

    async def remove(self, key: str, version: int) -> None:
        """It is not under way."""
        await self._timers.set_many([TimerSetting(self.partition_of(key), _member(key, version), None)])

    async def count(self) -> int:
        """How many are under way."""
        return await self._timers.count(range(self.partitions), kinds=range(len(QUEUES)))

    def partition_of(self, key: str) -> int:
        """Where the records of a document lie, on every document topic."""
        return partition_of(key, self.partitions)

    def _settings_of(self, event: DocumentProgressed) -> Iterator[TimerSetting]:
        progress = event.data
        partition, member, kind = self.partition_of(event.subject), _member(event.subject, progress.version), QUEUES.index(progress.queue)
        if PERCENT[progress.state] == 100:  # noqa: PLR2004
            yield TimerSetting(partition, member, None)
        elif progress.retry_at is None:
            yield TimerSetting(partition, member, ms_of(event.time), kind)
        else:
            yield TimerSetting(partition, member, ms_of(progress.retry_at), kind)
            yield TimerSetting(partition, member, ms_of(progress.retry_at), RETRY)


def _retry_of(timer: Timer) -> DueRetry:
    version, _, key = timer.id.partition("/")
    return DueRetry(key, int(version))


def _document_of(timer: Timer) -> StalledDocument:
    version, _, key = timer.id.partition("/")
    return StalledDocument(key, int(version), QUEUES[timer.kind], timer.at_ms, timer.fired)


def _member(key: str, version: int) -> str:
    return f"{version}/{key}"
