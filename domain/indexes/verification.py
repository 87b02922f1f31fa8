"""Verification that a collection holds every document that readers see; what it lacks is queued for it.

One pass reads claw.documents.submitted.v1 from its beginning and compares, per record, the visibility record with what the collection is
known to hold. A pass that queues nothing and misses nothing is the proof. Memory is bounded by the documents under way, whatever the size
of the knowledge base.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import msgspec

from domain.documents.records import DOCUMENTS
from domain.documents.topics import DOCUMENTS_QUEUED_BULK, DOCUMENTS_SUBMITTED
from domain.documents.visibility import BuildState, VersionState, Visibility
from domain.indexes.reindex_reports import MISSING_SHOWN_MAX, MissingDocument
from schemas.documents import DocumentQueued, DocumentSubmitted, Progress, Shelf, Work
from schemas.errors import Refused
from schemas.indexes import plan_key
from streams.clock import Clock
from streams.log.outgoing import Outgoing, Publisher
from streams.log.range_reader import LogRecord, RangeSource
from streams.tables.projection import Tables
from streams.topics import decoder

NAME = "rebuild"
PENDING_MAX = 500  # documents under way at once: the queue of the worker group stays short
PENDING_BYTES_MAX = 32 * 1_048_576  # of their submissions, kept to queue them once more
RECORDS_AT_ONCE = 200  # records compared in one round trip to Redis
POLL_S = 0.25  # between two checks of the documents under way
STALLED_S = 60.0  # a document without progress for so long is queued again; twice as long the next time
TRIES_MAX = 3  # then it counts as missing until it makes progress after all


@dataclass(slots=True)
class VerificationResult:
    """The counts of one pass so far. ``open``: something may have changed during the pass, so it proves nothing."""

    documents: int = 0
    queued: int = 0
    pending: int = 0
    open: bool = False
    missing: list[MissingDocument] = field(default_factory=list)
    missing_total: int = 0

    def add_missing(self, document_id: str, version: int, code: str) -> None:
        """The collection does not hold the version that readers see."""
        self.missing_total += 1
        if len(self.missing) < MISSING_SHOWN_MAX:
            self.missing.append(MissingDocument(document_id, version, code))


@dataclass(slots=True)
class PendingDocument:
    """A document under way. ``version`` is what the collection is to hold, ``submitted`` the offset of the record that carries it.
    ``arriving``: readers do not see that record's version yet. ``tries`` 0: the pass waits for it without queueing it.
    """

    document_id: str
    version: int
    submitted: int
    arriving: bool
    event: DocumentSubmitted
    size: int
    tries: int = 0
    since_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationTarget:
    """The collection to verify. ``bounds`` has the end, per partition, of the submissions that may have been dispatched under an older
    plan: with ``fill`` those that have not arrived are queued for the collection as well; else it gets them anyway and the pass waits.
    """

    tenant: str
    knowledge_base_id: str
    collection: Shelf
    fill: bool
    bounds: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class DocumentRecords:
    """What is known of documents: the versions that readers see, the progress of each, and all submissions on the log."""

    visibility: Visibility
    tables: Tables
    submissions: RangeSource


@dataclass(slots=True)
class Verification:
    """One pass. It ends early when ``is_wanted()`` is False; ``report(result)`` is called about every second."""

    target: VerificationTarget
    documents: DocumentRecords
    publisher: Publisher
    clock: Clock
    is_wanted: Callable[[], bool]
    report: Callable[[VerificationResult], Awaitable[None]]
    stalled_s: float = STALLED_S
    result: VerificationResult = field(default_factory=VerificationResult)
    pending: dict[str, PendingDocument] = field(default_factory=dict)  # by key
    progressed_s: float = 0.0  # when any of them made progress last
    reported_s: float = 0.0

    async def run(self) -> VerificationResult | None:
        """The result; None when it was no longer wanted. Raises Unavailable."""
        decode = decoder(DOCUMENTS_SUBMITTED).decode
        prefix = f"{plan_key(self.target.tenant, self.target.knowledge_base_id)}/".encode()
        self.progressed_s = self.clock.monotonic_s()
        for partition, bound in self.target.bounds.items():
            batch: list[LogRecord] = []
            async with aclosing(self.documents.submissions.records(partition, 0)) as records:
                async for record in records:
                    if record.key.startswith(prefix) and record.value is not None:
                        batch.append(record)
                    if len(batch) >= RECORDS_AT_ONCE:
                        await self._check_records(batch, decode, bound)
                        batch = []
                    if not self.is_wanted():
                        return None
            await self._check_records(batch, decode, bound)
        while any(not self._is_abandoned(item) for item in self.pending.values()):
            if not self.is_wanted():
                return None
            await self._wait()
        for item in self.pending.values():
            self.result.add_missing(item.document_id, item.version, "document_stalled")
        self.result.pending = 0
        return self.result

    async def _check_records(self, records: Sequence[LogRecord], decode: Callable[[bytes], object], bound: int) -> None:
        """Queue each, wait for it, or skip it."""
        keys = [record.key.decode() for record in records]
        states = await self.documents.visibility.version_states(keys)
        held = await self.documents.visibility.build_states(keys, self.target.collection.generation)
        for key, record in zip(keys, records, strict=True):
            state, offset = states[key], record.offset
            if offset <= state.deleted or offset not in (state.latest, state.visible):
                continue
            event = _decode_submission(record, decode)
            if event is None:
                continue
            if offset == state.latest and state.visible_version is not None:
                self.result.documents += 1
            if offset == state.visible:
                await self._check_visible(key, offset, record, event, held[key])
            else:
                await self._check_arriving(key, record, event, state, held[key], old=offset < bound)

    async def _check_visible(self, key: str, version: int, record: LogRecord, event: DocumentSubmitted, held: BuildState) -> None:
        """Check the version that readers see."""
        under_way = self.pending.get(key)
        if held.version >= version or (under_way is not None and under_way.version == version):
            return
        if held.failed == version:
            self.result.add_missing(event.data.document_id, version, held.code)
            return
        await self._add(key, self._item(record, event, version, arriving=False), held, queue=True)

    async def _check_arriving(
        self, key: str, record: LogRecord, event: DocumentSubmitted, state: VersionState, held: BuildState, *, old: bool
    ) -> None:
        """Check the newest version while readers see another one or none: it is on its way, it failed, or its content is unchanged."""
        document_id, shown = event.data.document_id, state.visible_version
        progress = await self.documents.tables.of(DOCUMENTS).get(self._scope, document_id)
        reached = progress.state if progress is not None and progress.version == record.offset else "queued"
        if reached == "unchanged":
            if shown is not None:
                await self._check_visible(key, shown, record, event, held)
        elif reached == "failed":
            if shown is not None and held.version < shown and key not in self.pending:
                self.result.add_missing(document_id, shown, held.code if held.failed == shown else "index_incomplete")
        elif old and not self._is_settled(state, held, record.offset):
            queue = self.target.fill and held.version < record.offset and held.failed < record.offset
            await self._add(key, self._item(record, event, record.offset, arriving=True), held, queue=queue)

    def _is_settled(self, state: VersionState, held: BuildState, version: int) -> bool:
        """If this collection were active, readers would see what they see now, and later this version."""
        if not self.target.fill:
            return False
        return held.version == state.visible if state.visible_version is not None else held.version >= version

    def _item(self, record: LogRecord, event: DocumentSubmitted, version: int, *, arriving: bool) -> PendingDocument:
        return PendingDocument(event.data.document_id, version, record.offset, arriving, event, len(record.value or b""))

    async def _add(self, key: str, item: PendingDocument, held: BuildState, *, queue: bool) -> None:
        """Add it to the pending documents as soon as there is room."""
        while self.pending and (
            len(self.pending) >= PENDING_MAX or item.size + sum(each.size for each in self.pending.values()) > PENDING_BYTES_MAX
        ):
            if not self.is_wanted():
                return
            await self._wait()
        self.pending[key] = item
        item.since_s = self.clock.monotonic_s()
        if queue:
            self.result.queued += 1
            await self._queue(key, item, earlier=held.version >= 0)

    async def _queue(self, key: str, item: PendingDocument, *, earlier: bool) -> None:
        work = Work(
            version=item.version, lane="bulk", document=item.event.data, shelf=self.target.collection, quiet=True, earlier=earlier
        )  # without a task: it has no progress that anybody reads
        name = f"{NAME}:{self.target.collection.generation}.{item.version}"
        queued = DocumentQueued.from_cause(item.event, name, data=work, now=self.clock.now(), ordinal=item.tries)
        item.tries += 1
        try:
            await self.publisher.publish(Outgoing(DOCUMENTS_QUEUED_BULK, queued))
        except Refused as error:
            del self.pending[key]
            self.result.add_missing(item.document_id, item.version, error.code)

    async def _wait(self) -> None:
        """Check every pending document, after a pause."""
        await asyncio.sleep(POLL_S)
        keys = list(self.pending)
        states = await self.documents.visibility.version_states(keys)
        held = await self.documents.visibility.build_states(keys, self.target.collection.generation)
        arriving = [item.document_id for item in self.pending.values() if item.arriving]
        progress = await self.documents.tables.of(DOCUMENTS).get_many(self._scope, arriving) if arriving else {}
        for key in keys:
            item = self.pending[key]
            if self._is_over(item, states[key], held[key], progress.get(item.document_id)):
                del self.pending[key]
                self.progressed_s = self.clock.monotonic_s()
        await self._requeue_stalled(held)
        self.result.pending = len(self.pending)
        if self.clock.monotonic_s() - self.reported_s >= 1.0:
            self.reported_s = self.clock.monotonic_s()
            await self.report(self.result)

    def _is_over(self, item: PendingDocument, state: VersionState, held: BuildState, progress: Progress | None) -> bool:
        """The collection has it, cannot have it, or does not need it any more."""
        if state.deleted >= item.submitted:
            return True
        if state.latest > item.submitted and state.visible != item.version:
            self.result.open = True  # a later version decides
            return True
        if not item.arriving:
            if held.version < item.version and held.failed == item.version:
                self.result.add_missing(item.document_id, item.version, held.code)
            return held.version >= item.version or held.failed == item.version
        if progress is not None and progress.version == item.submitted and progress.state in ("failed", "unchanged"):
            self.result.open = True
            return True
        if state.visible >= item.submitted:
            self.result.open = self.result.open or held.version < item.submitted
            return max(held.version, held.failed) >= item.submitted or not self.target.fill
        return self._is_settled(state, held, item.submitted)

    async def _requeue_stalled(self, held: Mapping[str, BuildState]) -> None:
        """Queue again what made no progress: the log may have lost a record, with a topic or an unclean broker."""
        now_s = self.clock.monotonic_s()
        for key, item in list(self.pending.items()):
            waited_s = now_s - max(item.since_s, self.progressed_s)
            if 0 < item.tries < TRIES_MAX and waited_s > self.stalled_s * 2 ** (item.tries - 1):
                item.since_s = now_s
                await self._queue(key, item, earlier=held[key].version >= 0)

    def _is_abandoned(self, item: PendingDocument) -> bool:
        waited_s = self.clock.monotonic_s() - max(item.since_s, self.progressed_s)
        return item.tries >= TRIES_MAX and waited_s > self.stalled_s

    @property
    def _scope(self) -> str:
        return plan_key(self.target.tenant, self.target.knowledge_base_id)


def _decode_submission(record: LogRecord, decode: Callable[[bytes], object]) -> DocumentSubmitted | None:
    """The submission in this record; None for a withdrawal and for what cannot be decoded."""
    try:
        event = decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event if isinstance(event, DocumentSubmitted) else None
