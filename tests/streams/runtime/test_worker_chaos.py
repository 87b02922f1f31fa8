"""The promise itself: workers are killed, stopped and added while 5,000 events over 300 keys go through one lane."""

import asyncio
import itertools
import random
import time

import pytest

from tests.streams.conftest import poke

EVENTS, KEYS = 5_000, 300
SECONDS = 16  # over which they are published, so that every accident meets work in flight


@pytest.mark.timeout(180)
async def test_nothing_is_lost_reordered_or_done_twice(fleet, publisher, effects, dead_letters, capsys):
    """Two agents read the same topic, one under leases; each event has one effect in each, in the order of its key."""
    lot = random.Random(7)
    numbers = dict.fromkeys((f"key-{n}" for n in range(KEYS)), 0)
    began = time.monotonic()

    async def publish() -> None:
        for n in range(EVENTS):
            key = "key-0" if n % 50 == 0 else f"key-{lot.randrange(KEYS)}"  # one key is hot
            await publisher.enqueue(poke(key, numbers[key], sleep_ms=lot.choice((0, 1, 5, 60))))
            numbers[key] += 1
            if n % 50 == 49:
                await asyncio.sleep(max(0, began + SECONDS * n / EVENTS - time.monotonic()))

    first, second = await fleet.start("chaos"), await fleet.start("chaos")
    publishing = asyncio.create_task(publish())
    await asyncio.gather(*(fleet.logged(worker, "partitions_assigned", timeout_s=60) for worker in (first, second)))
    await effects.reach("leased", 200)
    await fleet.kill(first)
    third = await fleet.start("chaos")
    await fleet.logged(third, "partitions_assigned", timeout_s=60)
    assert await fleet.stop(second) == 0
    fourth = await fleet.start("chaos")
    await fleet.logged(fourth, "partitions_assigned", timeout_s=60)
    await fleet.kill(third)
    await fleet.start("chaos")
    await publishing
    for agent in ("plain", "leased"):
        await effects.reach(agent, EVENTS, timeout_s=60)
    took_s = time.monotonic() - began
    lost = reordered = twice = runs = 0
    for agent in ("plain", "leased"):
        counts = await effects.counts(agent)
        runs += counts["runs"]
        for key, count in numbers.items():
            done = await effects.of(agent, key)
            lost += count - len(set(done))
            twice += len(done) - len(set(done))
            reordered += sum(later < earlier for earlier, later in itertools.pairwise(done))
    with capsys.disabled():
        print(  # noqa: T201 - the counts are the point
            f"\nchaos: {EVENTS} events, {KEYS} keys, 2 agents, 5 workers, 2 kills -9, 1 stop, {took_s:.0f} s: "
            f"{lost} lost, {reordered} out of order, {twice} effects twice; {runs - 2 * EVENTS} runs repeated without effect"
        )
    assert (lost, reordered, twice) == (0, 0, 0)
    assert await dead_letters() == []
