"""The action ``rebuild``: a knowledge base's index is built beside the one in use, as POST .../index/rebuild does, until readers use it."""

from datetime import timedelta

from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.plans import PlanStep, PlanWriter, begin_build, discard_other, step_once
from domain.jobs.runner import JobStep
from domain.jobs.steps import go_on, stop, succeed
from domain.knowledge.area import KNOWLEDGE_BASES
from schemas.documents import Shelf
from schemas.errors import Refused, Unavailable
from schemas.indexes import IndexPlan
from schemas.jobs import Job, RebuildAction
from schemas.settings import RetrievalSettings
from streams.clock import Clock
from streams.tables.projection import Tables

LOOK_S = 5.0  # between two looks at the build


def rebuild_step(tables: Tables, catalogue: CollectionCatalogue, plans: PlanWriter, retrieval: RetrievalSettings, clock: Clock) -> JobStep:
    """``position`` is the generation that is built."""

    async def step(job: Job) -> Job:
        assert isinstance(job.action, RebuildAction)
        base, now = job.action.knowledge_base_id, clock.now()
        look_at = now + timedelta(seconds=LOOK_S)
        if not job.position:
            if await tables.of(KNOWLEDGE_BASES).get(job.tenant, base) is None:
                raise Refused("not_found", f"there is no knowledge base {base}")
            try:
                change = step_once(begin_build(Shelf(), retrieval, keep=False, force=False), job.id)
                plan = await plans.change(job.tenant, base, change, by=job.account_id)
            except Refused as refusal:
                if refusal.code == "index_building" and refusal.retry_after_s:  # the collection before is being removed
                    return go_on(job, look_at)
                raise
            return go_on(job, look_at, position=str(plan.newest), unit="indexes", total=1)
        plan, generation = catalogue.plan(job.tenant, base), int(job.position)
        if plan.newest < generation:
            raise Unavailable("kafka_unavailable", "the index plans have not been read as far")
        if plan.active.generation == generation:
            return succeed(job, now, done=1, results={"indexes": 1})
        if plan.other is None or plan.other.generation != generation or plan.state != "building":
            return stop(job, now)  # it was discarded
        if job.cancel:
            await plans.change(job.tenant, base, _discard(generation), by=job.account_id)
            return stop(job, now)
        return go_on(job, look_at)

    return step


def _discard(generation: int) -> PlanStep:
    def change(plan: IndexPlan) -> IndexPlan:
        is_built = plan.state == "building" and plan.other is not None and plan.other.generation == generation
        return discard_other(plan) if is_built else plan

    return change
