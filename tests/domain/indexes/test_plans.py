"""Steps of index plans that need no log."""

import pytest

from domain.indexes.plans import replace_lost, switch_to
from schemas.documents import Shelf
from schemas.indexes import IndexPlan, PlanState

SMALL = Shelf(generation=2, chunk_tokens=64, chunk_tokens_max=96)


@pytest.mark.parametrize("state", ["steady", "building", "kept", "dropping"])
def test_an_index_that_is_lost_is_built_as_it_was(state: PlanState) -> None:
    """Whatever else was there, or was being done, is gone as well; no generation is used again, and the new one is switched to."""
    other = None if state == "steady" else Shelf(generation=3)
    before = IndexPlan(tenant="t", knowledge_base_id="kb", active=SMALL, other=other, state=state, keep=True, newest=5)
    after = replace_lost(before)
    assert after.other is not None
    assert (after.active, after.other) == (SMALL, Shelf(generation=6, chunk_tokens=64, chunk_tokens_max=96))
    assert (after.state, after.newest, after.keep, after.force) == ("building", 6, False, True)
    assert switch_to(after.other)(after).active == after.other


def test_an_index_of_an_old_embedding_is_built_by_the_settings() -> None:
    building = replace_lost(IndexPlan(tenant="t", knowledge_base_id="kb", active=Shelf(index="bm25.1-old"))).other
    assert building is not None
    assert (building.generation, building.index) == (1, "")
