"""Proof that a shelf holds every document that readers see, by going through the record of all submissions; what it lacks is queued for it.

One pass reads claw.documents.submitted.v1 from its beginning and looks, per record, at the visibility record and at what the shelf is
known to hold. A pass that queues nothing and misses nothing is the proof. Memory is bounded by what is under way, whatever the size of the
knowledge base.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import msgspec

from domain.documents.topics import DOCUMENTS_QUEUED_BULK, DOCUMENTS_SUBMITTED
from domain.documents.visibility import BuildState, VersionState, Visibility
from domain.indexes.reindex_reports import MISSING_SHOWN_MAX, MissingDocument
from domain.read_models import ReadModels
from schemas.documents import DocumentQueued, DocumentSubmitted, Progress, Shelf, Work
from schemas.errors import Refused
from schemas.indexes import plan_key
from streams.clock import Clock
from streams.log.outgoing import Outgoing, Publisher
from streams.log.range_reader import LogRecord, RangeSource
from streams.topics import decoder

NAME = "rebuild"
PENDING_MAX = 500  # documents under way at once: the lane is never outrun
PENDING_BYTES_MAX = 32 * 1_048_576  # of their submissions, kept to queue them once more
RECORDS_AT_ONCE = 200  # records judged in one round trip to Redis
POLL_S = 0.25  # between two looks at what is under way
STALLED_S = 60.0  # nothing of it moves for so long: it is queued again; twice as long the next time
TRIES_MAX = 3  # then it is named as missing until it moves after all


@dataclass(slots=True)
class VerificationResult:
    """What one pass has found so far. ``open``: something may have changed behind its back, so it proves nothing."""

    documents: int = 0
    queued: int = 0
    pending: int = 0
    open: bool = False
    missing: list[MissingDocument] = field(default_factory=list)
    missing_total: int = 0

    def add_missing(self, document_id: str, version: int, code: str) -> None:
        """The shelf does not hold what readers see."""
        self.missing_total += 1
        if len(self.missing) < MISSING_SHOWN_MAX:
            self.missing.append(MissingDocument(document_id, version, code))


@dataclass(slots=True)
class PendingDocument:
    """A document under way. ``version`` is what the shelf is to hold, ``submitted`` the record that says it. ``arriving``: readers do not
    see that record's version yet. ``tries`` 0: it is only waited for.
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
    """The shelf to be proved. ``bounds`` has per partition where the submissions end that may have been worked under an older plan: with
    ``fill`` those that have not arrived are queued for the shelf as well, else it gets them by itself and they are waited for.
    """

    tenant: str
    knowledge_base_id: str
    shelf: Shelf
    fill: bool
    bounds: Mapping[int, int]


@dataclass(slots=True)
class Verification:
    """One pass. ``wanted`` says whether it still makes sense, ``told`` hears of the tally about every second."""

    target: VerificationTarget
    visibility: Visibility
    views: ReadModels
    publisher: Publisher
    gaps: RangeSource
    clock: Clock
    wanted: Callable[[], bool]
    told: Callable[[VerificationResult], Awaitable[None]]
    stalled_s: float = STALLED_S
    tally: VerificationResult = field(default_factory=VerificationResult)
    pending: dict[str, PendingDocument] = field(default_factory=dict)  # by key
    moved_s: float = 0.0  # when anything of it moved last
    told_s: float = 0.0

    async def run(self) -> VerificationResult | None:
        """What was found; None when it was no longer wanted. Raises Unavailable."""
        decode = decoder(DOCUMENTS_SUBMITTED).decode
        prefix = f"{plan_key(self.target.tenant, self.target.knowledge_base_id)}/".encode()
        self.moved_s = self.clock.monotonic_s()
        for partition, bound in self.target.bounds.items():
            looked: list[LogRecord] = []
            async with aclosing(self.gaps.records(partition, 0)) as records:
                async for record in records:
                    if record.key.startswith(prefix) and record.value is not None:
                        looked.append(record)
                    if len(looked) >= RECORDS_AT_ONCE:
                        await self._check_records(looked, decode, bound)
                        looked = []
                    if not self.wanted():
                        return None
            await self._check_records(looked, decode, bound)
        while any(not self._is_abandoned(item) for item in self.pending.values()):
            if not self.wanted():
                return None
            await self._wait()
        for item in self.pending.values():
            self.tally.add_missing(item.document_id, item.version, "document_stalled")
        self.tally.pending = 0
        return self.tally

    async def _check_records(self, records: Sequence[LogRecord], decode: Callable[[bytes], object], bound: int) -> None:
        """Queue, wait for, or pass over each."""
        keys = [record.key.decode() for record in records]
        standings = await self.visibility.version_states(keys)
        held = await self.visibility.build_states(keys, self.target.shelf.generation)
        for key, record in zip(keys, records, strict=True):
            standing, offset = standings[key], record.offset
            if offset <= standing.deleted or offset not in (standing.latest, standing.visible):
                continue
            event = _decode_submission(record, decode)
            if event is None:
                continue
            if offset == standing.latest and standing.visible_version is not None:
                self.tally.documents += 1
            if offset == standing.visible:
                await self._check_visible(key, offset, record, event, held[key])
            else:
                await self._check_arriving(key, record, event, standing, held[key], old=offset < bound)

    async def _check_visible(self, key: str, version: int, record: LogRecord, event: DocumentSubmitted, held: BuildState) -> None:
        """Readers see ``version``, and this is what it says."""
        under_way = self.pending.get(key)
        if held.version >= version or (under_way is not None and under_way.version == version):
            return
        if held.failed == version:
            self.tally.add_missing(event.data.document_id, version, held.code)
            return
        await self._add(key, self._item(record, event, version, arriving=False), held, queue=True)

    async def _check_arriving(
        self, key: str, record: LogRecord, event: DocumentSubmitted, standing: VersionState, held: BuildState, *, old: bool
    ) -> None:
        """The newest version, and readers see another one or none: it is on its way, it failed, or it says nothing new."""
        document_id, shown = event.data.document_id, standing.visible_version
        progress = await self.views.documents.get(self._scope, document_id)
        state = progress.state if progress is not None and progress.version == record.offset else "queued"
        if state == "unchanged":
            if shown is not None:
                await self._check_visible(key, shown, record, event, held)
        elif state == "failed":
            if shown is not None and held.version < shown and key not in self.pending:
                self.tally.add_missing(document_id, shown, held.code if held.failed == shown else "index_incomplete")
        elif old and not self._is_settled(standing, held, record.offset):
            queue = self.target.fill and held.version < record.offset and held.failed < record.offset
            await self._add(key, self._item(record, event, record.offset, arriving=True), held, queue=queue)

    def _is_settled(self, standing: VersionState, held: BuildState, version: int) -> bool:
        """With the shelf in front, readers would see what they see now, and later this version."""
        if not self.target.fill:
            return False
        return held.version == standing.visible if standing.visible_version is not None else held.version >= version

    def _item(self, record: LogRecord, event: DocumentSubmitted, version: int, *, arriving: bool) -> PendingDocument:
        return PendingDocument(event.data.document_id, version, record.offset, arriving, event, len(record.value or b""))

    async def _add(self, key: str, item: PendingDocument, held: BuildState, *, queue: bool) -> None:
        """Take it up as soon as there is room."""
        while self.pending and (
            len(self.pending) >= PENDING_MAX or item.size + sum(each.size for each in self.pending.values()) > PENDING_BYTES_MAX
        ):
            if not self.wanted():
                return
            await self._wait()
        self.pending[key] = item
        item.since_s = self.clock.monotonic_s()
        if queue:
            self.tally.queued += 1
            await self._queue(key, item, earlier=held.version >= 0)

    async def _queue(self, key: str, item: PendingDocument, *, earlier: bool) -> None:
        work = Work(
            version=item.version, lane="bulk", document=item.event.data, shelf=self.target.shelf, quiet=True, earlier=earlier
        )  # without a task: nobody follows it
        name = f"{NAME}:{self.target.shelf.generation}.{item.version}"
        queued = DocumentQueued.from_cause(item.event, name, data=work, now=self.clock.now(), ordinal=item.tries)
        item.tries += 1
        try:
            await self.publisher.publish(Outgoing(DOCUMENTS_QUEUED_BULK, queued))
        except Refused as error:
            del self.pending[key]
            self.tally.add_missing(item.document_id, item.version, error.code)

    async def _wait(self) -> None:
        """Look at all that is under way, after a moment."""
        await asyncio.sleep(POLL_S)
        keys = list(self.pending)
        standings = await self.visibility.version_states(keys)
        held = await self.visibility.build_states(keys, self.target.shelf.generation)
        arriving = [item.document_id for item in self.pending.values() if item.arriving]
        states = await self.views.documents.get_many(self._scope, arriving) if arriving else {}
        for key in keys:
            item = self.pending[key]
            if self._is_over(item, standings[key], held[key], states.get(item.document_id)):
                del self.pending[key]
                self.moved_s = self.clock.monotonic_s()
        await self._requeue_stalled(held)
        self.tally.pending = len(self.pending)
        if self.clock.monotonic_s() - self.told_s >= 1.0:
            self.told_s = self.clock.monotonic_s()
            await self.told(self.tally)

    def _is_over(self, item: PendingDocument, standing: VersionState, held: BuildState, progress: Progress | None) -> bool:
        """Nothing more will come of it: the shelf has it, cannot have it, or it no longer matters."""
        if standing.deleted >= item.submitted:
            return True
        if standing.latest > item.submitted and standing.visible != item.version:
            self.tally.open = True  # by what came later
            return True
        if not item.arriving:
            if held.version < item.version and held.failed == item.version:
                self.tally.add_missing(item.document_id, item.version, held.code)
            return held.version >= item.version or held.failed == item.version
        if progress is not None and progress.version == item.submitted and progress.state in ("failed", "unchanged"):
            self.tally.open = True
            return True
        if standing.visible >= item.submitted:
            self.tally.open = self.tally.open or held.version < item.submitted
            return max(held.version, held.failed) >= item.submitted or not self.target.fill
        return self._is_settled(standing, held, item.submitted)

    async def _requeue_stalled(self, held: Mapping[str, BuildState]) -> None:
        """The log may have lost what was queued, with a topic or an unclean broker."""
        now_s = self.clock.monotonic_s()
        for key, item in list(self.pending.items()):
            waited_s = now_s - max(item.since_s, self.moved_s)
            if 0 < item.tries < TRIES_MAX and waited_s > self.stalled_s * 2 ** (item.tries - 1):
                item.since_s = now_s
                await self._queue(key, item, earlier=held[key].version >= 0)

    def _is_abandoned(self, item: PendingDocument) -> bool:
        waited_s = self.clock.monotonic_s() - max(item.since_s, self.moved_s)
        return item.tries >= TRIES_MAX and waited_s > self.stalled_s

    @property
    def _scope(self) -> str:
        return plan_key(self.target.tenant, self.target.knowledge_base_id)


def _decode_submission(record: LogRecord, decode: Callable[[bytes], object]) -> DocumentSubmitted | None:
    """The submission in this record; None for a withdrawal and for what nobody can read."""
    try:
        event = decode(record.value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event if isinstance(event, DocumentSubmitted) else None
