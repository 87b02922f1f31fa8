"""The plan of a run of tasks."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from ops.faults.plan import WORKERS
from ops.faults.task_plan import KILL_S, SHARES, TASKS_OF, draw_kills, draw_work

SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.integers(10, 600))
def test_work_makes_so_many_tasks_of_every_kind(seed, tasks):
    """The same for the same seed."""
    work = draw_work(seed, tasks)
    assert tasks <= sum(TASKS_OF[each.kind] for each in work) <= tasks + max(TASKS_OF.values())
    assert {each.kind for each in work} == set(SHARES)
    assert [each.number for each in work] == list(range(len(work)))
    assert work == draw_work(seed, tasks)


@given(SEEDS)
def test_every_group_dies_once_before_any_dies_again(seed):
    kills = list(islice(draw_kills(seed), 3 * len(WORKERS)))
    for first in range(0, len(kills), len(WORKERS)):
        assert sorted(kill.group for kill in kills[first : first + len(WORKERS)]) == sorted(WORKERS)
    assert all(KILL_S[0] <= kill.after_s <= KILL_S[1] for kill in kills)
