"""Weighted fair queueing alone: whose turn it is, shares, bounds, and slots that are given up while they are waited for."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import fairness
from adapters.fairness import FairQueue, FairSlots, VirtualTime

TENANTS = st.sampled_from(["a", "b", "c"])


def test_one_item_of_a_tenant_waits_for_one_turn_of_another_tenants_thousands():
    queue: FairQueue[str] = FairQueue()
    for number in range(2_000):
        queue.push("heavy", f"h{number}")
    assert [queue.pop() for _ in range(3)] == ["h0", "h1", "h2"]
    queue.push("light", "l0")
    assert [queue.pop() for _ in range(3)] == ["l0", "h3", "h4"]


def test_a_tenant_gets_turns_by_its_weight():
    queue: FairQueue[str] = FairQueue(lambda tenant: 3.0 if tenant == "a" else 1.0)
    for _ in range(400):
        queue.push("a", "a")
        queue.push("b", "b")
    assert Counter(queue.pop() for _ in range(400))["a"] == pytest.approx(300, abs=2)


def test_a_tenant_whose_turns_cost_more_gets_fewer():
    queue: FairQueue[str] = FairQueue()
    for _ in range(100):
        queue.push("dear", "dear")
        queue.push("cheap", "cheap")
    taken = []
    for _ in range(55):
        taken.append(queue.pop())
        if taken[-1] == "dear":
            queue.charge("dear", 9.0)
    assert Counter(taken)["dear"] == pytest.approx(5, abs=1)


def test_who_was_away_has_saved_up_nothing():
    queue: FairQueue[str] = FairQueue()
    for _ in range(50):
        queue.push("a", "a")
    for _ in range(40):
        queue.pop()
    for _ in range(50):
        queue.push("b", "b")
    assert abs(Counter(queue.pop() for _ in range(10))["b"] - 5) <= 1


@given(st.lists(st.one_of(TENANTS, st.none()), max_size=60))
def test_each_tenants_items_keep_their_order_and_none_is_lost(actions):
    queue: FairQueue[tuple[str, int]] = FairQueue()
    pushed, popped = [], []
    for number, action in enumerate(actions):
        if action is not None:
            queue.push(action, (action, number))
            pushed.append((action, number))
        elif queue:
            first = queue.first_of(queue.next_tenant())
            popped.append(queue.pop())
            assert popped[-1] == first
        assert sum(queue.lengths.values()) == len(queue) == len(list(queue)) == len(pushed) - len(popped)
    while queue:
        popped.append(queue.pop())
    assert sorted(popped) == sorted(pushed)
    for tenant in "abc":
        assert [each for each in popped if each[0] == tenant] == [each for each in pushed if each[0] == tenant]


@given(st.lists(TENANTS, min_size=1, max_size=80))
def test_while_two_wait_their_turns_differ_by_one_at_most(waiting):
    queue: FairQueue[str] = FairQueue()
    for tenant in waiting:
        queue.push(tenant, tenant)
    taken: Counter[str] = Counter()
    while len(queue.lengths) > 1:
        both = set(queue.lengths)
        taken[queue.pop()] += 1
        counts = [taken[tenant] for tenant in both]
        assert max(counts) - min(counts) <= 1


def test_an_item_that_waits_no_more_leaves_its_tenant_out_of_the_order():
    queue: FairQueue[str] = FairQueue()
    queue.push("a", "a0")
    queue.push("b", "b0")
    queue.discard("a", "a0")
    queue.discard("a", "a0")
    assert (len(queue), queue.pop(), len(queue)) == (1, "b0", 0)
    with pytest.raises(IndexError):
        queue.pop()


def test_virtual_times_are_bounded(monkeypatch):
    monkeypatch.setattr(fairness, "KEPT_MAX", 10)
    time = VirtualTime()
    for number in range(1_000):
        time.charge(f"t{number}", 1.0)
    assert len(time._served) <= 10


async def test_a_free_slot_goes_to_the_tenant_whose_turn_it_is():
    slots, order = FairSlots(1), []

    async def work(tenant: str) -> None:
        async with slots.turn(tenant):
            order.append(tenant)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(work("heavy")) for _ in range(50)]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(work("light")))
    await asyncio.gather(*tasks)
    assert order.index("light") <= 3
    assert not slots.waiting


async def test_a_slot_that_was_given_to_one_who_was_cancelled_goes_on():
    slots = FairSlots(1)
    await slots.acquire("a")
    given = asyncio.create_task(slots.acquire("b"))
    waiting = asyncio.create_task(slots.acquire("c"))
    left = asyncio.create_task(slots.acquire("d"))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait((left,))
    assert dict(slots.waiting) == {"b": 1, "c": 1}
    slots.release()
    given.cancel()  # it has its slot, and has not woken up
    await asyncio.gather(given, return_exceptions=True)
    await asyncio.wait_for(waiting, 1)
    slots.release()
    await asyncio.wait_for(slots.acquire("e"), 1)
