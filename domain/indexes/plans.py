"""Changes of index plans: steps that are right for processes that still have the plan before, written by compare-and-set."""

from collections.abc import Callable

from msgspec.structs import replace

from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.topics import INDEXES_CHANGED
from schemas import ids
from schemas.documents import Shelf
from schemas.errors import FieldError, Refused
from schemas.indexes import IndexPlan, IndexPlanChanged, plan_key
from schemas.model_names import LOCAL_EMBEDDING
from schemas.settings import RetrievalSettings
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import LogPublisher
from streams.tables.recent_requests import add_request
from streams.tables.record_writer import RecordWriter
from streams.tables.topic_map import TopicMapWriter

PLANS_MAX = 200_000  # about 100 MB in every process that files or searches
RETRY_AFTER_S = 5  # a collection that is being dropped is gone about then

PlanStep = Callable[[IndexPlan], IndexPlan]


class PlanWriter:
    """The writer of plans. Methods raise Unavailable when the log or Redis is out of reach."""

    def __init__(
        self,
        catalogue: CollectionCatalogue,
        records: RecordWriter,
        publisher: LogPublisher,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        source: str,
    ) -> None:
        self._writer = TopicMapWriter(catalogue, INDEXES_CHANGED, records, publisher, lease="index", keys_max=PLANS_MAX)
        self._clock, self._random_bytes, self._source = clock, random_bytes, source

    async def change(self, tenant: str, knowledge_base: str, step: PlanStep, *, by: str) -> IndexPlan:
        """The plan after ``step``, which gets the newest one; nothing is written when it changes nothing. Raises what ``step`` raises."""
        key, default = plan_key(tenant, knowledge_base), IndexPlan(tenant=tenant, knowledge_base_id=knowledge_base)

        def write(known: IndexPlan | None) -> tuple[IndexPlanChanged, IndexPlan] | None:
            before = known or default
            after = step(before)
            if after == before:
                return None
            now = self._clock.now()
            after = replace(after, revision=before.revision + 1, changed_at=now, changed_by=by)
            event = IndexPlanChanged(
                id=ids.derive("index-plan", key, after.revision),
                source=f"/claw/{self._source}",
                subject=key,
                time=now,
                tenant=tenant,
                traceparent=new_traceparent(self._random_bytes),
                data=after,
            )
            return event, after

        return await self._writer.change(key, write) or default


def step_once(step: PlanStep, request_id: str) -> PlanStep:
    """The step of a request that may be repeated late: when it has changed the plan before, the plan stays as it is."""

    def take(before: IndexPlan) -> IndexPlan:
        if request_id in before.requests:
            return before
        return replace(step(before), requests=add_request(before.requests, request_id))

    return take


def begin_build(wanted: Shelf, retrieval: RetrievalSettings, *, keep: bool, force: bool) -> PlanStep:
    """Build a collection like ``wanted`` beside the active one, or go on building it; its generation is chosen here.

    Raises Refused("validation_failed") for sizes or an embedding that cannot work, Refused("index_building") when there is another one.
    """
    target, hard = wanted.chunk_tokens or retrieval.chunk_tokens, wanted.chunk_tokens_max or retrieval.chunk_tokens_max
    if hard < target:
        error = FieldError("chunk_tokens_max", f"is {hard}, below chunk_tokens, which is {target}", f"at least {target}")
        raise Refused("validation_failed", "chunk_tokens_max is below chunk_tokens", errors=(error,))
    offered = {*LOCAL_EMBEDDING, retrieval.embedding}
    if wanted.embedding not in {"", *offered}:
        known = " or ".join(sorted(offered))
        error = FieldError("embedding", f"{wanted.embedding} is not set up here", known)
        raise Refused("validation_failed", f"CLAW_RETRIEVAL_EMBEDDING is {retrieval.embedding}", errors=(error,))

    def step(plan: IndexPlan) -> IndexPlan:
        if plan.other is None:
            generation = max(plan.newest, plan.active.generation) + 1
            other = replace(wanted, generation=generation)
            return replace(plan, other=other, state="building", keep=keep, force=force, newest=generation)
        if plan.state == "building" and replace(plan.other, generation=0) == replace(wanted, generation=0):
            return replace(plan, keep=keep, force=force, asked=plan.asked + 1)
        if plan.state == "dropping":
            raise Refused("index_building", "the collection before is being removed", retry_after_s=RETRY_AFTER_S)
        which = "with other parameters is being built" if plan.state == "building" else "is still kept"
        raise Refused("index_building", f"generation {plan.other.generation} {which}: drop it first")

    return step


def locate(generation: int, index: str) -> PlanStep:
    """Record that the points of a collection are in this index, unless its plan names one already."""

    def step(plan: IndexPlan) -> IndexPlan:
        located = [
            replace(each, index=index) if each is not None and each.generation == generation and not each.index else each
            for each in (plan.active, plan.other)
        ]
        return replace(plan, active=located[0], other=located[1])

    return step


def is_outdated(plan: IndexPlan) -> bool:
    """Whether readers search an index that the settings do not lead to any more."""
    return bool(plan.active.index)


def successor(plan: IndexPlan) -> Shelf:
    """The collection to build in place of an outdated one: the same, where the settings lead to."""
    return replace(plan.active, index="")


def replace_lost(plan: IndexPlan) -> IndexPlan:
    """Build a collection like the active one, whose points are all gone, as are those of any other. The switch waits for no document that
    cannot be indexed: whatever is there is more than nothing.
    """
    generation = max(plan.newest, plan.active.generation) + 1
    building = replace(successor(plan), generation=generation)
    return replace(plan, other=building, state="building", keep=False, force=True, newest=generation)


def switch_to(building: Shelf) -> PlanStep:
    """Make the built collection the active one; the other one is kept until it is dropped."""

    def step(plan: IndexPlan) -> IndexPlan:
        if plan.state != "building" or plan.other != building:
            return plan
        return replace(plan, active=building, other=plan.active, state="kept")

    return step


def roll_back(plan: IndexPlan) -> IndexPlan:
    """Make the kept collection the active one again; the other one is kept until it is dropped."""
    if plan.state != "kept" or plan.other is None:
        raise Refused("not_found", "no other build of this index is kept")
    return replace(plan, active=plan.other, other=plan.active, keep=True, force=False)


def discard_other(plan: IndexPlan) -> IndexPlan:
    """Discard the collection that is being built, or have the kept one dropped once nothing needs it."""
    if plan.other is None:
        raise Refused("not_found", "there is no other build of this index")
    return replace(plan, state="dropping") if plan.state == "building" else replace(plan, keep=False)


def begin_drop(unused: Shelf) -> PlanStep:
    """Begin to remove the points of the kept collection, which is not filled any more."""

    def step(plan: IndexPlan) -> IndexPlan:
        return replace(plan, state="dropping") if plan.state == "kept" and plan.other == unused and not plan.keep else plan

    return step


def finish_drop(gone: Shelf) -> PlanStep:
    """Leave the active collection as the only one."""

    def step(plan: IndexPlan) -> IndexPlan:
        if plan.state != "dropping" or plan.other != gone:
            return plan
        return replace(plan, other=None, state="steady", keep=False, force=False)

    return step
