"""The reconciler: finds stalled documents, requeues them, and fails them after three times. Versions that wait for a later retry it queues
when that is due.

A document is stalled when it has made no progress for ``stall_s`` although its queue has passed it: nothing that was written before that
silence began still waits for an agent. A document that waits in a backlog is left alone, however long. Requeueing publishes the same
version once more, which is harmless should it have been under way after all. The silences are durable timers (``open_documents.py``).

One of N replicas works at a time, under a lease in Redis. Kafka is read only when a document has been silent for long.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter

from adapters.kafka import TopicPartition
from adapters.redis.client import RedisClient
from domain.documents.open_documents import QUEUES, DueRetry, OpenDocuments, StalledDocument
from domain.documents.progress import progress_event, stall
from domain.documents.topics import (
    DOCUMENTS_CHUNKED,
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_PROGRESSED,
    DOCUMENTS_SUBMITTED,
    QUEUE_TOPICS,
)
from domain.documents.visibility import VersionState, VisibilitySource
from schemas.documents import DocumentQueue, DocumentSubmitted, Progress, Submitted
from schemas.errors import ClawError
from schemas.settings import Settings
from streams.clock import Clock
from streams.leader import LeaderLoop
from streams.log.outgoing import Outgoing, Publisher
from streams.log.reader import LogReader, open_log_reader, read_group_offsets
from streams.topics import Topic

NAME = "reconcile"
EVERY_S = 10.0  # between two rounds
LEASE_S = 60.0  # of the replica that works; longer than a round takes, short enough that another soon takes over
TRIES_MAX = 3  # then it fails
BATCH_MAX = 50  # documents of one partition and queue requeued per round; the others have their turn in the next
FETCH_BYTES = 65_536  # fetched of a partition at once: one record is wanted, and comes whole whatever its size

STAGES: tuple[tuple[str, Topic], ...] = (("documents", DOCUMENTS_CHUNKED), ("knowledge", DOCUMENTS_EMBEDDED))  # of all queues
GROUPS = ("tables", "documents", "knowledge")

RETRY_STEP = 100  # between the numbers of requeues of two retries: those of stalls lie between
Requeue = Callable[[DocumentSubmitted, int, DocumentQueue, int, int], Awaitable[Sequence[Outgoing]]]
"""``requeue(submission, version, queue, again, retries)``: the events that queue this version once more, the ``again``-th time (1, 2, 3
after stalls, 100, 200, 300 for later retries); their ids follow from that, so a repeat has the same. ``retries``: how many of these it had.
"""
ProgressOf = Callable[[str], Awaitable[Progress | None]]
"""The newest progress of the document with this key. Raises Unavailable("redis_unavailable")."""

_SUBMITTED: msgspec.json.Decoder[Submitted] = msgspec.json.Decoder(Submitted)

log = structlog.get_logger(__name__)


class Reconciler:
    """``worker`` names the replica. ``run_once()`` is one round; ``start()`` repeats it every 10 s until ``stop()``."""

    def __init__(
        self,
        settings: Settings,
        documents: OpenDocuments,
        visibility: VisibilitySource,
        redis: RedisClient,
        publisher: Publisher,
        clock: Clock,
        requeue: Requeue,
        progress_of: ProgressOf,
        *,
        worker: str,
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._settings, self._documents, self._visibility = settings, documents, visibility
        self._publisher, self._clock, self._requeue, self._progress_of = publisher, clock, requeue, progress_of
        self._worker = worker
        lease = f"{settings.redis.key_prefix}:reconciler"
        self._rounds = LeaderLoop(
            redis, lease, self._round, name="reconciler", holder=worker, lease_s=LEASE_S, every_s=EVERY_S, retry_s=EVERY_S
        )
        self._stalled = Counter(
            "claw_documents_stalled",
            "Documents that stalled, by what was done about it: sent_on (requeued), failed.",
            ("outcome",),
            registry=registry,
        )

    async def start(self) -> None:
        """Begin the rounds; returns at once."""
        await self._rounds.start()

    async def stop(self) -> None:
        """Stop, and let another replica take over at once."""
        await self._rounds.stop()

    async def _round(self) -> float:
        await self.run_once()
        return EVERY_S

    async def run_once(self) -> int:
        """One round: requeue or fail what has stalled; returns how many documents that were. Raises Unavailable, and Superseded when
        another replica has begun a round.
        """
        return await self._requeue_retries() + await self._find_stalled()

    async def _find_stalled(self) -> int:
        silent_since_ms = self._now_ms() - int(self._settings.documents.stall_s * 1000)
        again_at_ms = silent_since_ms + int(min(self._settings.documents.stall_s, LEASE_S) * 1000)  # should this process die
        shards = [
            (partition, queue)
            for partition in range(self._documents.partitions)
            for queue in QUEUES
            if await self._documents.find_silent(partition, queue, silent_since_ms, 1)
        ]
        if not shards:
            return 0
        tokens = {partition: await self._documents.take_over(partition, self._clock.now()) for partition, _ in shards}
        done = await read_group_offsets(self._settings.kafka, GROUPS)
        found = 0
        async with open_log_reader(self._settings.kafka, fetch_bytes=FETCH_BYTES) as reader:
            for partition, queue in shards:
                before_ms = await self._safe_before_ms(reader, done, partition, queue)
                some = await self._documents.claim_silent(
                    *(partition, queue, tokens[partition], min(before_ms, silent_since_ms)), again_at_ms=again_at_ms, limit=BATCH_MAX
                )
                if some:
                    found += await self._requeue_stalled(reader, partition, some)
        return found

    async def _requeue_retries(self) -> int:
        """Queue what waits for a later retry that is due; returns how many."""
        now_ms, found = self._now_ms(), 0
        due = [partition for partition in range(self._documents.partitions) if await self._documents.find_retries(partition, now_ms)]
        if not due:
            return 0
        async with open_log_reader(self._settings.kafka, fetch_bytes=FETCH_BYTES) as reader:
            for partition in due:
                token = await self._documents.take_over(partition, self._clock.now())
                again_at_ms = now_ms + int(LEASE_S * 1000)  # should this process die
                for retry in await self._documents.claim_retries(partition, token, now_ms, again_at_ms=again_at_ms, limit=BATCH_MAX):
                    found += await self._requeue_retry(reader, partition, retry)
        return found

    async def _requeue_retry(self, reader: LogReader, partition: int, retry: DueRetry) -> bool:
        """Whether it was queued: nothing newer happened to it since it was postponed."""
        progress = await self._progress_of(retry.key)
        state = (await self._visibility.version_states([retry.key]))[retry.key]
        waits = progress is not None and progress.version == retry.version and progress.retry_at is not None
        event = None
        if waits and _is_wanted(state, retry.version):
            event = await self._read_submission(reader, partition, retry.version)
        if event is not None and progress is not None:
            again = RETRY_STEP * progress.retries
            await self._publisher.publish_all(await self._requeue(event, retry.version, progress.queue, again, progress.retries))
            log.info("document_retried", tenant=event.tenant, document=retry.key, version=retry.version, retries=progress.retries)
        await self._documents.end_retry(retry)
        return event is not None

    async def _safe_before_ms(self, reader: LogReader, done: Mapping[TopicPartition, int], partition: int, queue: DocumentQueue) -> int:
        """A document silent since before this time has stalled: every record written until ``stall_s`` later has been handled.

        Its progress events must have been handled as well; until then this is 0.
        """
        stall_ms = int(self._settings.documents.stall_s * 1000)
        progress_ms = await self._oldest_ms(reader, done, "tables", DOCUMENTS_PROGRESSED, partition)
        if progress_ms < self._now_ms() - stall_ms:
            return 0
        stages = (("documents", QUEUE_TOPICS[queue]), *STAGES)
        waiting = [await self._oldest_ms(reader, done, group, topic, partition) for group, topic in stages]
        return min(waiting) - stall_ms

    async def _oldest_ms(self, reader: LogReader, done: Mapping[TopicPartition, int], group: str, topic: Topic, partition: int) -> int:
        """When the oldest record that ``group`` has not acknowledged was written; now, when it has acknowledged all."""
        place = reader.topic_partition(topic, partition)
        begin, end = (await reader.bounds([place]))[place]
        begin = max(begin, done.get(place, 0))
        record = await reader.read_first(place, begin, end) if begin < end else None
        if record is None:
            return self._now_ms()
        log.debug("reconciler_waits", group=group, topic=topic.name, partition=partition, waiting=end - begin)
        return int(record.timestamp)

    async def _requeue_stalled(self, reader: LogReader, partition: int, some: Sequence[StalledDocument]) -> int:
        states = await self._visibility.version_states([each.key for each in some])
        found = 0
        for each in some:
            event = None
            if _is_wanted(states[each.key], each.version):
                event = await self._read_submission(reader, partition, each.version)
            if event is None:  # it was indexed or superseded, or the log was compacted to a newer version
                await self._documents.remove(each.key, each.version)
                continue
            found += 1
            await self._requeue_document(event, each) if each.tries < TRIES_MAX else await self._fail_document(event, each)
        return found

    @staticmethod
    async def _read_submission(reader: LogReader, partition: int, version: int) -> DocumentSubmitted | None:
        record = await reader.read_record(reader.topic_partition(DOCUMENTS_SUBMITTED, partition), version)
        return _decode_submission(record.value) if record is not None else None

    async def _requeue_document(self, event: DocumentSubmitted, document: StalledDocument) -> None:
        progress = await self._progress_of(document.key)
        retries = progress.retries if progress is not None and progress.version == document.version else 0
        again = RETRY_STEP * retries + document.tries + 1
        outgoing = await self._requeue(event, document.version, document.queue, again, retries)
        await self._publisher.publish_all(outgoing)
        await self._documents.mark_requeued(document, self._clock.now())
        self._report_stall(event, document, "sent_on")

    async def _fail_document(self, event: DocumentSubmitted, document: StalledDocument) -> None:
        """Readers keep the version before; the owner reads the cause in the document's status."""
        detail = f"no progress for {self._settings.documents.stall_s:g} s, {TRIES_MAX} times over"
        problem = ClawError(detail, code="document_stalled").problem()
        progress = stall(event, document.version, document.queue, problem)
        await self._publisher.publish(progress_event(event, NAME, progress, self._clock.now(), ordinal=document.version))
        await self._documents.remove(document.key, document.version)
        self._report_stall(event, document, "failed")

    def _report_stall(self, event: DocumentSubmitted, document: StalledDocument, outcome: str) -> None:
        self._stalled.labels(outcome).inc()
        log.warning(
            "document_stalled",
            outcome=outcome,
            tenant=event.tenant,
            document=document.key,
            version=document.version,
            lane=document.queue,
            silent_s=round((self._now_ms() - document.since_ms) / 1000, 1),
            tries=document.tries,
        )

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def _is_wanted(state: VersionState, version: int) -> bool:
    return not state.supersedes(version) and state.visible < version


def _decode_submission(value: bytes | None) -> DocumentSubmitted | None:
    try:
        event = _SUBMITTED.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event if isinstance(event, DocumentSubmitted) else None
