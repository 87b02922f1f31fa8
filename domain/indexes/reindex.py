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

from domain.documents.visibility import Visibility
from domain.indexes.catalogue import Shelves
from domain.indexes.plans import Log, Plans, dropped, dropping, switched
from domain.indexes.reindex_reports import Phase, Rebuilds, Report
from domain.indexes.verification import STALLED_S, Proof, Tally, Target
from domain.read_models import Views
from schemas.documents import Shelf
from schemas.errors import Refused, Unavailable
from schemas.indexes import IndexPlan, plan_key
from schemas.requests import Ask, ClearShelf, CountShelves, ShelfCounts
from schemas.settings import Kafka
from schemas.traces import new_traceparent
from streams.log.range_reader import Gaps
from streams.log.request_reply import Inquiries
from streams.runtime.agent import Clock
from streams.topics import DOCUMENTS_SUBMITTED

NAME = "rebuilder"  # who changed a plan
SETTLE_S = 3.0  # every process knows a plan by then (it takes milliseconds), and searches that read the one before have ended
INCOMPLETE_S_MIN, INCOMPLETE_S_MAX = 2.0, 60.0  # between passes while documents are missing
ANSWER_S = 30.0  # the index removes 10,000 points a second or more; what takes longer is asked for again
FORGET_AT_ONCE = 500  # records forgotten in one round trip


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What driving needs. ``settle_s`` and ``stalled_s`` are for tests that cannot wait."""

    kafka: Kafka
    shelves: Shelves
    plans: Plans
    rebuilds: Rebuilds
    visibility: Visibility
    views: Views
    log: Log
    inquiries: Inquiries
    gaps: Gaps
    clock: Clock
    random_bytes: Callable[[int], bytes]
    settle_s: float = SETTLE_S
    stalled_s: float = STALLED_S


@dataclass(slots=True)
class Drive:
    """One plan, as long as it stays what it was."""

    parts: Parts
    plan: IndexPlan
    report: Report = field(init=False)
    queued: int = 0

    def __post_init__(self) -> None:
        phases: dict[str, Phase] = {"building": "building", "kept": "draining", "dropping": "dropping"}
        self.report = Report(
            revision=self.plan.revision,
            phase=phases[self.plan.state],
            generation=self._shelf().generation,
            updated_at=self.parts.clock.now(),
        )

    async def run(self) -> None:
        """Returns when the plan was changed, here or by somebody else; raises Unavailable when a part is out of reach."""
        if self.plan.state != "building":
            await self._take_over()
        await self._tell()
        await self._settle()
        if self.plan.state == "building":
            await self._build()
        elif self.plan.state == "kept":
            await self._let_go()
        else:
            await self._clear()

    def wanted(self) -> bool:
        """Nobody has changed what this works on; ``force`` may come while it does."""
        return _what(self._now()) == _what(self.plan)

    async def _build(self) -> None:
        building, keep = self._shelf(), self.plan.keep
        await self._each_key(lambda keys: self.parts.visibility.pardon(keys, building.generation))
        if await self._proved(fill=True):
            await self._count(building)
            await self._tell(phase="done" if keep else self.report.phase)
            await self._change(switched(building))

    async def _let_go(self) -> None:
        kept = self.plan.other
        if kept is not None and await self._proved(fill=False):
            await self._change(dropping(kept))

    async def _clear(self) -> None:
        gone = self._shelf()
        while (cleared := await self._ask(ClearShelf(knowledge_base_id=self.plan.knowledge_base_id, shelf=gone))).removed or any(
            cleared.points
        ):
            await self._tell()
        await self._each_key(lambda keys: self.parts.visibility.forget(keys, gone.generation))
        await self._tell(phase="done")
        await self._change(dropped(gone))

    async def _proved(self, *, fill: bool) -> bool:
        """Passes until one proves the shelf; False when the plan is no longer what it was."""
        target = Target(
            tenant=self.plan.tenant,
            knowledge_base_id=self.plan.knowledge_base_id,
            shelf=self._shelf(),
            fill=fill,
            bounds=await self._bounds(),
        )
        pause_s = INCOMPLETE_S_MIN
        while (tally := await self._pass(target)) is not None:
            await self._told(tally)
            self.queued += tally.queued
            if tally.queued or tally.open:
                continue
            if not tally.missing_total or self._now().force:
                return True
            await self._tell(phase="incomplete")
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, INCOMPLETE_S_MAX)
        return False

    async def _pass(self, target: Target) -> Tally | None:
        parts = self.parts
        proof = Proof(
            target=target,
            visibility=parts.visibility,
            views=parts.views,
            publisher=parts.log,
            gaps=parts.gaps,
            clock=parts.clock,
            wanted=self.wanted,
            told=self._told,
            stalled_s=parts.stalled_s,
        )
        return await proof.run()

    async def _pause(self, pause_s: float) -> None:
        """Until it is over, or somebody changes the plan."""
        until_s, revision = self.parts.clock.monotonic_s() + pause_s, self._now().revision
        while (left_s := until_s - self.parts.clock.monotonic_s()) > 0 and self._now().revision == revision:
            await self.parts.shelves.wait_change(self.parts.shelves.changes, left_s)

    async def _settle(self) -> None:
        """Wait until every process knows this plan."""
        since_s = (self.parts.clock.now() - self.plan.changed_at).total_seconds() if self.plan.changed_at else 0.0
        await asyncio.sleep(max(0.0, self.parts.settle_s - max(0.0, since_s)))

    async def _bounds(self) -> dict[int, int]:
        """Where the submissions end now: what comes later is routed by those who know the plan."""
        partitions = range(DOCUMENTS_SUBMITTED.partitions(self.parts.kafka))
        return {each: await self.parts.log.end_offset(DOCUMENTS_SUBMITTED, each) for each in partitions}

    async def _each_key(self, do: Callable[[list[str]], Awaitable[None]]) -> None:
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

    async def _take_over(self) -> None:
        """What the build has found stands until something newer is known."""
        before = await self.parts.rebuilds.report(self.plan.tenant, self.plan.knowledge_base_id)
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

    async def _told(self, tally: Tally) -> None:
        self.report = msgspec.structs.replace(
            self.report,
            documents=max(tally.documents, self.report.documents),
            queued=max(self.queued + tally.queued, self.report.queued),
            pending=tally.pending,
            missing=tuple(tally.missing),
            missing_total=tally.missing_total,
        )
        await self._tell()

    async def _tell(self, *, phase: Phase | None = None) -> None:
        self.report = msgspec.structs.replace(self.report, phase=phase or self.report.phase, updated_at=self.parts.clock.now())
        await self.parts.rebuilds.tell(self.plan.tenant, self.plan.knowledge_base_id, self.report)

    def _now(self) -> IndexPlan:
        return self.parts.shelves.plan(self.plan.tenant, self.plan.knowledge_base_id)

    def _shelf(self) -> Shelf:
        """The one that is proved or cleared."""
        return self.plan.active if self.plan.state == "kept" else self.plan.other or self.plan.active


def _what(plan: IndexPlan) -> tuple[object, ...]:
    return plan.state, plan.active, plan.other, plan.keep, plan.asked
