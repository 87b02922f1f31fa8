"""Whose events wait: what goes before one tenant's, and bounded reports."""

from collections import Counter

import pytest

from adapters.fairness import FairQueue, equal_weight
from streams.runtime import backlog as module
from streams.runtime.backlog import Backlog


def test_a_light_tenants_event_waits_for_one_turn_of_each_other() -> None:
    backlog = Backlog.of({"heavy": 900, "b": 1, "c": 1})
    assert backlog.turns_before("light", 902, equal_weight, new=True) == 3
    assert backlog.turns_before("heavy", 902, equal_weight, new=True) == 902
    assert backlog.turns_before("b", 902, equal_weight, new=False) == 3


@pytest.mark.parametrize(("mine", "others"), [(0, [50]), (3, [50, 2, 10]), (20, [5, 5, 40]), (7, [])])
def test_the_estimate_is_what_the_queue_does(mine: int, others: list[int]) -> None:
    queue: FairQueue[str] = FairQueue()
    events = {"me": mine, **{f"t{n}": count for n, count in enumerate(others)}}
    for tenant, count in events.items():
        for _ in range(count):
            queue.push(tenant, tenant)
    queue.push("me", "new")
    before = next(n for n in range(1_000) if queue.pop() == "new")
    backlog = Backlog.of({tenant: count for tenant, count in events.items() if count})
    assert abs(backlog.turns_before("me", sum(events.values()), equal_weight, new=True) - before) <= len(others)


def test_weights_count() -> None:
    backlog = Backlog.of({"heavy": 900})
    assert backlog.turns_before("light", 900, lambda tenant: 4.0 if tenant == "heavy" else 1.0, new=True) == 4
    assert backlog.turns_before("light", 900, lambda tenant: 0.1 if tenant == "heavy" else 1.0, new=True) == 1


def test_nothing_known_of_tenants_means_everything_is_before() -> None:
    assert Backlog().turns_before("t", 17, equal_weight, new=True) == 17
    assert Backlog.of({"a": 3}).turns_before("t", 0, equal_weight, new=True) == 0


def test_a_report_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LISTED_MAX", 2)
    one = Backlog.of(Counter(a=9, b=5, c=2, d=1))
    assert (one.tenants, one.others, one.others_count) == ({"a": 9, "b": 5}, 3, 2)
    both = Backlog.sum([one, Backlog.of({"a": 1})])
    assert (both.tenants, both.others, both.others_count) == ({"a": 10, "b": 5}, 3, 2)
    assert both.turns_before("new", 18, equal_weight, new=True) == 4  # one of a, one of b, one of each other
