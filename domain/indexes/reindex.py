"""What one index plan needs next, done by whoever holds its lease.

* ``building``: documents that readers see are queued for the new shelf until a pass over the log proves that it holds all of them. New
  versions are queued for both by ``route``, the new shelf first. Then one record makes the new shelf the active one.
* ``kept``: with ``keep`` nothing happens. Else work that was routed before the switch is waited for (it fills the old shelf last, and that
  is what makes it visible), the new shelf is proved once more, and the old one is let go.
* ``dropping``: the index is asked to clear the shelf until nothing is left.

Every step may be cut off and done again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.documents.visibility import Visibility
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.plans import PlanWriter, begin_drop, finish_drop, switch_to
from domain.indexes.reindex_reports import Phase, ReindexReport, ReindexReports
from domain.indexes.verification import STALLED_S, Verification, VerificationResult, VerificationTarget
from domain.read_models import ReadModels
from domain.retrieval.index_client import IndexClient
from schemas.documents import Shelf
from schemas.errors import Refused, Unavailable
from schemas.indexes import IndexPlan, plan_key
from schemas.requests import Ask, ClearShelf, CountShelves, ShelfCounts
from schemas.settings import KafkaSettings
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import LogPublisher
from streams.log.range_reader import RangeSource

NAME = "rebuilder"  # who changed a plan
SETTLE_S = 3.0  # every process knows a plan by then (it takes milliseconds), and searches that read the one before have ended
INCOMPLETE_S_MIN, INCOMPLETE_S_MAX = 2.0, 60.0  # between passes while documents are missing
ANSWER_S = 30.0  # the index removes 10,000 points a second or more; what takes longer is asked for again
FORGET_AT_ONCE = 500  # records forgotten in one round trip


@dataclass(frozen=True, slots=True, kw_only=True)
class ReindexPorts:
    """What driving needs. ``settle_s`` and ``stalled_s`` are for tests that cannot wait."""

    kafka: KafkaSettings
    shelves: CollectionCatalogue
    plans: PlanWriter
    rebuilds: ReindexReports
    visibility: Visibility
    views: ReadModels
    log: LogPublisher
    inquiries: IndexClient
    gaps: RangeSource
    clock: Clock
    random_bytes: Callable[[int], bytes]
    settle_s: float = SETTLE_S
    stalled_s: float = STALLED_S


@dataclass(slots=True)
class Reindex:
    """One plan, as long as it stays what it was."""

    parts: ReindexPorts
    plan: IndexPlan
    report: ReindexReport = field(init=False)
    queued: int = 0

    def __post_init__(self) -> None:
        phases: dict[str, Phase] = {"building": "building", "kept": "draining", "dropping": "dropping"}
        self.report = ReindexReport(
            revision=self.plan.revision,
            phase=phases[self.plan.state],
            generation=self._collection().generation,
            updated_at=self.parts.clock.now(),
        )

    async def run(self) -> None:
        """Returns when the plan was changed, here or by somebody else; raises Unavailable when a part is out of reach."""
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
        """Nobody has changed what this works on; ``force`` may come while it does."""
        return _plan_identity(self._current_plan()) == _plan_identity(self.plan)

    async def _build(self) -> None:
        building, keep = self._collection(), self.plan.keep
        await self._for_each_key(lambda keys: self.parts.visibility.clear_failures(keys, building.generation))
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
        await self._for_each_key(lambda keys: self.parts.visibility.remove_build(keys, gone.generation))
        await self._publish_report(phase="done")
        await self._change(finish_drop(gone))

    async def _verify(self, *, fill: bool) -> bool:
        """Passes until one proves the shelf; False when the plan is no longer what it was."""
        target = VerificationTarget(
            tenant=self.plan.tenant,
            knowledge_base_id=self.plan.knowledge_base_id,
            shelf=self._collection(),
            fill=fill,
            bounds=await self._bounds(),
        )
        pause_s = INCOMPLETE_S_MIN
        while (tally := await self._verify_once(target)) is not None:
            await self._report_progress(tally)
            self.queued += tally.queued
            if tally.queued or tally.open:
                continue
            if not tally.missing_total or self._current_plan().force:
                return True
            await self._publish_report(phase="incomplete")
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, INCOMPLETE_S_MAX)
        return False

    async def _verify_once(self, target: VerificationTarget) -> VerificationResult | None:
        parts = self.parts
        proof = Verification(
            target=target,
            visibility=parts.visibility,
            views=parts.views,
            publisher=parts.log,
            gaps=parts.gaps,
            clock=parts.clock,
            wanted=self.is_wanted,
            told=self._report_progress,
            stalled_s=parts.stalled_s,
        )
        return await proof.run()

    async def _pause(self, pause_s: float) -> None:
        """Until it is over, or somebody changes the plan."""
        until_s, revision = self.parts.clock.monotonic_s() + pause_s, self._current_plan().revision
        while (left_s := until_s - self.parts.clock.monotonic_s()) > 0 and self._current_plan().revision == revision:
            await self.parts.shelves.wait_change(self.parts.shelves.change_count, left_s)

    async def _settle(self) -> None:
        """Wait until every process knows this plan."""
        since_s = (self.parts.clock.now() - self.plan.changed_at).total_seconds() if self.plan.changed_at else 0.0
        await asyncio.sleep(max(0.0, self.parts.settle_s - max(0.0, since_s)))

    async def _bounds(self) -> dict[int, int]:
        """Where the submissions end now: what comes later is routed by those who know the plan."""
        partitions = range(DOCUMENTS_SUBMITTED.partitions(self.parts.kafka))
        return {each: await self.parts.log.end_offset(DOCUMENTS_SUBMITTED, each) for each in partitions}

    async def _for_each_key(self, do: Callable[[list[str]], Awaitable[None]]) -> None:
        """Every document that was ever submitted, some at a time; one with several records may come several times."""
        prefix = f"{plan_key(self.plan.tenant, self.plan.knowledge_base_id)}/".encode()
        for partition in range(DOCUMENTS_SUBMITTED.partitions(self.parts.kafka)):
            keys: set[str] = set()
            async with aclosing(self.parts.gaps.records(partition, 0)) as records:
                async for record in records:
                    if record.key.startswith(prefix):
                        keys.add(record.key.decode())
                    if len(keys) >= FORGET_AT_ONCE:
                        await do(list(keys))
                        keys.clear()
            if keys:
                await do(list(keys))

    async def _carry_over(self) -> None:
        """What the build has found stands until something newer is known."""
        before = await self.parts.rebuilds.get(self.plan.tenant, self.plan.knowledge_base_id)
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
        """How many points both shelves have, for people to compare; unknown when the index does not answer now."""
        shelves = (self.plan.active, building)
        try:
            old, new = (await self._ask(CountShelves(knowledge_base_id=self.plan.knowledge_base_id, shelves=shelves))).points
        except Unavailable:
            return
        self.report = msgspec.structs.replace(self.report, old_points=old, new_points=new)

    async def _ask(self, ask: Ask) -> ShelfCounts:
        request_id = str(UUID(bytes=self.parts.random_bytes(16), version=4))
        trace = new_traceparent(self.parts.random_bytes)
        try:
            answer = await self.parts.inquiries.ask(
                ask, request_id=request_id, tenant=self.plan.tenant, traceparent=trace, timeout_s=ANSWER_S
            )
        except Refused as error:  # its plan is older than ours
            raise Unavailable("index_unavailable", error.detail) from error
        assert isinstance(answer, ShelfCounts)
        return answer

    async def _change(self, step: Callable[[IndexPlan], IndexPlan]) -> None:
        await self.parts.plans.change(self.plan.tenant, self.plan.knowledge_base_id, step, by=NAME)

    async def _report_progress(self, tally: VerificationResult) -> None:
        self.report = msgspec.structs.replace(
            self.report,
            documents=max(tally.documents, self.report.documents),
            queued=max(self.queued + tally.queued, self.report.queued),
            pending=tally.pending,
            missing=tuple(tally.missing),
            missing_total=tally.missing_total,
        )
        await self._publish_report()

    async def _publish_report(self, *, phase: Phase | None = None) -> None:
        self.report = msgspec.structs.replace(self.report, phase=phase or self.report.phase, updated_at=self.parts.clock.now())
        await self.parts.rebuilds.save(self.plan.tenant, self.plan.knowledge_base_id, self.report)

    def _current_plan(self) -> IndexPlan:
        return self.parts.shelves.plan(self.plan.tenant, self.plan.knowledge_base_id)

    def _collection(self) -> Shelf:
        """The one that is proved or cleared."""
        return self.plan.active if self.plan.state == "kept" else self.plan.other or self.plan.active


def _plan_identity(plan: IndexPlan) -> tuple[object, ...]:
    return plan.state, plan.active, plan.other, plan.keep, plan.asked
