"""The run that rebuilds an index: begins one build, ends with it, discards it when it is cancelled."""

from typing import Any

import pytest
from msgspec.structs import replace

from domain.indexes.plans import PlanStep, switch_to
from domain.job_actions.rebuild import rebuild_step
from schemas.errors import Refused, Unavailable
from schemas.indexes import IndexPlan
from schemas.jobs import Job, RebuildAction
from schemas.settings import RetrievalSettings
from tests.support.ports import NOW, StandingClock

JOB = Job(id="run", tenant="t", action=RebuildAction(knowledge_base_id="k" * 36), created_at=NOW)


class Plans:
    """One plan, as writer and catalogue; and a table that has every knowledge base."""

    def __init__(self) -> None:
        self.present = IndexPlan(tenant="t", knowledge_base_id="k")
        self.exists = True

    async def change(self, _tenant: str, _base: str, step: PlanStep, *, by: str) -> IndexPlan:
        self.present = step(self.present)
        return self.present

    def plan(self, _tenant: str, _base: str) -> IndexPlan:
        return self.present

    def of(self, _record: object) -> "Plans":
        return self

    async def get(self, _scope: str, _id: str) -> object | None:
        return object() if self.exists else None


def step_of(plans: Any) -> Any:
    return rebuild_step(plans, plans, plans, RetrievalSettings(), StandingClock())


async def test_a_run_ends_when_readers_use_what_it_built():
    plans = Plans()
    step = step_of(plans)
    job = await step(JOB)
    assert (await step(JOB)).position == job.position == "1", "made again, it begins no second build"
    assert (await step(job)).state == "running"
    built = plans.present.other
    assert built is not None
    plans.present = switch_to(built)(plans.present)
    assert ((await step(job)).state, (await step(job)).results) == ("succeeded", {"indexes": 1})


async def test_a_run_that_is_cancelled_discards_its_build_and_one_that_is_discarded_is_cancelled():
    plans = Plans()
    step = step_of(plans)
    job = await step(JOB)
    assert (await step(replace(job, cancel=True))).state == "cancelled"
    assert plans.present.state == "dropping"
    assert (await step(job)).state == "cancelled"


async def test_a_run_waits_while_the_build_before_is_removed_and_fails_for_what_is_not_there():
    plans = Plans()
    step = step_of(plans)
    plans.present = replace(plans.present, other=replace(plans.present.active, generation=1), state="dropping", newest=1)
    assert ((await step(JOB)).state, (await step(JOB)).position) == ("running", "")
    plans.present = IndexPlan(tenant="t", knowledge_base_id="k")
    with pytest.raises(Unavailable):  # this process has not read as far yet
        await step(replace(JOB, position="3"))
    plans.exists = False
    with pytest.raises(Refused, match="no knowledge base"):
        await step(JOB)
