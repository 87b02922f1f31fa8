"""The steps that one index plan needs next, taken by the holder of its lease.

* ``building``: documents that readers see are queued for the new collection until a pass over the log proves that it holds all of them.
  ``dispatch`` queues new versions for both collections, the new one first. Then one record makes the new collection the active one.
* ``kept``: with ``keep`` nothing happens. Else documents dispatched before the switch are waited for (they reach the old collection last,
  and that makes them visible), the new collection is verified once more, and the old one is dropped.
* ``dropping``: the index is asked to clear the collection until nothing is left.

Every step may be interrupted and repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.plans import PlanWriter, begin_drop, finish_drop, switch_to
from domain.indexes.reindex_reports import Phase, ReindexReport, ReindexReports
from domain.indexes.verification import STALLED_S, DocumentRecords, Verification, VerificationResult, VerificationTarget
from domain.retrieval.index_client import IndexClient
from schemas.documents import Shelf
from schemas.errors import Refused, Unavailable
from schemas.indexes import IndexPlan, plan_key
from schemas.requests import Ask, ClearShelf, CountShelves, ShelfCounts
from schemas.settings import KafkaSettings, RetrievalSettings
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import LogPublisher

NAME = "rebuilder"  # the author of its changes to plans
SETTLE_S = 3.0  # every process has read a plan by then (it takes milliseconds), and searches under the one before have ended
INCOMPLETE_S_MIN, INCOMPLETE_S_MAX = 2.0, 60.0  # between passes while documents are missing
ANSWER_S = 30.0  # the index removes 10,000 points a second or more; what takes longer is asked for again
KEYS_AT_ONCE = 500  # visibility records changed in one round trip


@dataclass(frozen=True, slots=True, kw_only=True)
class ReindexPorts:
    """What a reindex needs. ``settle_s`` and ``stalled_s`` are for tests that cannot wait."""

    kafka: KafkaSettings
    retrieval: RetrievalSettings
    catalogue: CollectionCatalogue
    plans: PlanWriter
    reports: ReindexReports
    documents: DocumentRecords
    publisher: LogPublisher
    index: IndexClient
    clock: Clock
    random_bytes: Callable[[int], bytes]
    settle_s: float = SETTLE_S
    stalled_s: float = STALLED_S


@dataclass(slots=True)
class Reindex:
    """The work on one state of a plan."""

    ports: ReindexPorts
    plan: IndexPlan
    report: ReindexReport = field(init=False)
    queued: int = 0

    def __post_init__(self) -> None:
        phases: dict[str, Phase] = {"building": "building", "kept": "draining", "dropping": "dropping"}
        self.report = ReindexReport(
            revision=self.plan.revision,
            phase=phases[self.plan.state],
            generation=self._collection().generation,
            updated_at=self.ports.clock.now(),
        )

    async def run(self) -> None:
        """Returns when the plan was changed, here or elsewhere; raises Unavailable when Kafka, Redis or the index is out of reach."""
        if self.plan.state != "building":
            await self._carry_over()
        await self._publish_report()
        await self._settle()
        if self.plan.state == "building":
            await self._build()
        elif self.plan.state == "kept":
            await self._retire()
        else:
            await self._clear()

    def is_wanted(self) -> bool:
        """The plan still asks for this work; ``force`` may be set meanwhile."""
        return _plan_identity(self._current_plan()) == _plan_identity(self.plan)

    async def _build(self) -> None:
        building, keep = self._collection(), self.plan.keep
        await self._for_each_key(lambda keys: self.ports.documents.visibility.clear_failures(keys, building.generation))
        if await self._verify(fill=True):
            await self._count(building)
            await self._publish_report(phase="done" if keep else self.report.phase)
            await self._change(switch_to(building))

    async def _retire(self) -> None:
        kept = self.plan.other
        if kept is not None and await self._verify(fill=False):
            await self._change(begin_drop(kept))

    async def _clear(self) -> None:
        gone = self._collection()
        while (cleared := await self._ask(ClearShelf(knowledge_base_id=self.plan.knowledge_base_id, shelf=gone))).removed or any(
            cleared.points
        ):
            await self._publish_report()
        await self._for_each_key(lambda keys: self.ports.documents.visibility.remove_build(keys, gone.generation))
        await self._publish_report(phase="done")
        await self._change(finish_drop(gone))

    async def _verify(self, *, fill: bool) -> bool:
        """Repeat passes until one proves the collection; False when the plan has changed."""
        target = VerificationTarget(
            tenant=self.plan.tenant,
            knowledge_base_id=self.plan.knowledge_base_id,
            collection=self._collection(),
            fill=fill,
            bounds=await self._bounds(),
        )
        pause_s = INCOMPLETE_S_MIN
        while (result := await self._verify_once(target)) is not None:
            await self._report_progress(result)
            self.queued += result.queued
            if result.queued or result.open:
                continue
            if not result.missing_total or self._current_plan().force:
                return True
            await self._publish_report(phase="incomplete")
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, INCOMPLETE_S_MAX)
        return False

    async def _verify_once(self, target: VerificationTarget) -> VerificationResult | None:
        ports = self.ports
        verification = Verification(
            target=target,
            documents=ports.documents,
            publisher=ports.publisher,
            clock=ports.clock,
            is_wanted=self.is_wanted,
            report=self._report_progress,
            stalled_s=ports.stalled_s,
        )
        return await verification.run()

    async def _pause(self, pause_s: float) -> None:
        """Wait for so long, or until the plan changes."""
        until_s, revision = self.ports.clock.monotonic_s() + pause_s, self._current_plan().revision
        while (left_s := until_s - self.ports.clock.monotonic_s()) > 0 and self._current_plan().revision == revision:
            await self.ports.catalogue.wait_change(self.ports.catalogue.change_count, left_s)

    async def _settle(self) -> None:
        """Wait until every process knows this plan."""
        since_s = (self.ports.clock.now() - self.plan.changed_at).total_seconds() if self.plan.changed_at else 0.0
        await asyncio.sleep(max(0.0, self.ports.settle_s - max(0.0, since_s)))

    async def _bounds(self) -> dict[int, int]:
        """Where the submissions end now: later ones are dispatched under the present plan."""
        partitions = range(DOCUMENTS_SUBMITTED.partitions(self.ports.kafka))
        return {each: await self.ports.publisher.end_offset(DOCUMENTS_SUBMITTED, each) for each in partitions}

    async def _for_each_key(self, do: Callable[[list[str]], Awaitable[None]]) -> None:
        """Call ``do`` with the keys of every document that was ever submitted, in batches; some keys may be repeated."""
        prefix = f"{plan_key(self.plan.tenant, self.plan.knowledge_base_id)}/".encode()
        for partition in range(DOCUMENTS_SUBMITTED.partitions(self.ports.kafka)):
            keys: set[str] = set()
            async with aclosing(self.ports.documents.submissions.records(partition, 0)) as records:
                async for record in records:
                    if record.key.startswith(prefix):
                        keys.add(record.key.decode())
                    if len(keys) >= KEYS_AT_ONCE:
                        await do(list(keys))
                        keys.clear()
            if keys:
                await do(list(keys))

    async def _carry_over(self) -> None:
        """Take over the counts of the report before until there are newer ones."""
        before = await self.ports.reports.get(self.plan.tenant, self.plan.knowledge_base_id)
        if before is not None:
            self.report = msgspec.structs.replace(
                self.report,
                documents=before.documents,
                queued=before.queued,
                missing=before.missing,
                missing_total=before.missing_total,
                old_points=before.old_points,
                new_points=before.new_points,
            )

    async def _count(self, building: Shelf) -> None:
        """Count the points of both collections, for people to compare; unknown when the index does not answer now."""
        collections = (self.plan.active, building)
        try:
            old, new = (await self._ask(CountShelves(knowledge_base_id=self.plan.knowledge_base_id, shelves=collections))).points
        except Unavailable:
            return
        self.report = msgspec.structs.replace(self.report, old_points=old, new_points=new)

    async def _ask(self, ask: Ask) -> ShelfCounts:
        request_id = str(UUID(bytes=self.ports.random_bytes(16), version=4))
        trace = new_traceparent(self.ports.random_bytes)
        try:
            answer = await self.ports.index.ask(ask, request_id=request_id, tenant=self.plan.tenant, traceparent=trace, timeout_s=ANSWER_S)
        except Refused as error:  # its plan is older than ours
            raise Unavailable("index_unavailable", error.detail) from error
        assert isinstance(answer, ShelfCounts)
        return answer

    async def _change(self, step: Callable[[IndexPlan], IndexPlan]) -> None:
        await self.ports.plans.change(self.plan.tenant, self.plan.knowledge_base_id, step, by=NAME)

    async def _report_progress(self, result: VerificationResult) -> None:
        self.report = msgspec.structs.replace(
            self.report,
            documents=max(result.documents, self.report.documents),
            queued=max(self.queued + result.queued, self.report.queued),
            pending=result.pending,
            missing=tuple(result.missing),
            missing_total=result.missing_total,
        )
        await self._publish_report()

    async def _publish_report(self, *, phase: Phase | None = None) -> None:
        self.report = msgspec.structs.replace(self.report, phase=phase or self.report.phase, updated_at=self.ports.clock.now())
        await self.ports.reports.save(self.plan.tenant, self.plan.knowledge_base_id, self.report)

    def _current_plan(self) -> IndexPlan:
        return self.ports.catalogue.plan(self.plan.tenant, self.plan.knowledge_base_id)

    def _collection(self) -> Shelf:
        """The one that is verified or cleared."""
        return self.plan.active if self.plan.state == "kept" else self.plan.other or self.plan.active


def _plan_identity(plan: IndexPlan) -> tuple[object, ...]:
    return plan.state, plan.active, plan.other, plan.keep, plan.asked
