"""The plan of faults."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from ops.faults.plan import HOLD_S, OVERLAP_S, TAKEOVER, all_faults, draw_plan, first_groups

SEEDS = st.integers(0, 2**32)


@given(SEEDS)
def test_the_same_seed_has_the_same_plan(seed):
    assert first_groups(seed, 40) == first_groups(seed, 40)


def test_another_seed_has_another_plan():
    assert len({tuple(first_groups(seed, 10)) for seed in range(50)}) == 50


@given(SEEDS, st.booleans())
def test_every_fault_comes_alone_before_any_comes_again(seed, flush):
    faults = all_faults(flush=flush)
    singles = (group.steps[0] for group in draw_plan(seed, flush=flush) if len(group.steps) == 1)
    first = [(step.kind, step.target) for step in islice(singles, len(faults))]
    assert sorted(first) == sorted(faults)
    assert len(set(first)) == len(first)


@given(SEEDS)
def test_a_third_are_pairs_of_different_parts_that_overlap(seed):
    groups = [group for group in first_groups(seed, 64) if group.steps != TAKEOVER]
    pairs = [group for group in groups if len(group.steps) == 2]
    assert len(groups) == 60
    assert len(pairs) == 20
    for first, second in (group.steps for group in pairs):
        assert first.target != second.target
        assert (first.kind, first.target) != ("kill", "up") != (second.kind, second.target)
        assert not first.kind == second.kind == "provider"
        assert 0 <= second.after_s <= OVERLAP_S


@given(SEEDS)
def test_a_worker_loses_its_leases_in_the_first_minutes_and_again(seed):
    turns = [group.number for group in first_groups(seed, 40) if group.steps == TAKEOVER]
    assert turns == [6, 22, 38]


@given(SEEDS)
def test_every_fault_is_bounded(seed):
    for group in first_groups(seed, 60):
        for step in group.steps:
            if group.steps == TAKEOVER:
                continue
            low, high = HOLD_S[step.kind]
            assert low <= step.hold_s <= high


def test_nothing_is_lost_of_redis_unless_it_is_asked_for():
    kinds = {step.kind for flush in (False, True) for group in first_groups(1, 60, flush=flush) for step in group.steps if not flush}
    assert "flush" not in kinds
    assert "flush" in {step.kind for group in first_groups(1, 90, flush=True) for step in group.steps}
