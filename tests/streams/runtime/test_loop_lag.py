"""A loop that is blocked says so."""

import asyncio
import time

from prometheus_client import CollectorRegistry

from streams.runtime.loop_lag import LoopLag


async def test_a_blocked_loop_is_seen():
    """A free loop is on time, a blocked one late by as long as it was blocked."""
    registry = CollectorRegistry()
    lag = LoopLag(registry, sample_s=0.01)
    await lag.start()
    await asyncio.sleep(0.05)
    free = registry.get_sample_value("claw_loop_lag_seconds_count")
    assert free is not None
    assert free > 0
    time.sleep(0.6)  # noqa: ASYNC251 - that is what must show
    await asyncio.sleep(0.05)
    await lag.stop()
    total = registry.get_sample_value("claw_loop_lag_seconds_sum")
    assert total is not None
    assert total >= 0.55
    counted = registry.get_sample_value("claw_loop_lag_seconds_count")
    await asyncio.sleep(0.05)
    assert registry.get_sample_value("claw_loop_lag_seconds_count") == counted


async def test_whoever_is_told_can_tell_its_own_work_from_that_of_others():
    """Held up for as long both times: once by waiting for somebody else, once by computing."""
    told: list[tuple[float, float]] = []
    lag = LoopLag(CollectorRegistry(), sample_s=0.01, listeners=[lambda late_s, busy: told.append((late_s, busy))])
    await lag.start()
    await asyncio.sleep(0.03)
    time.sleep(0.3)  # noqa: ASYNC251 - that is what must show
    await asyncio.sleep(0.05)
    held_up = max(told)
    told.clear()
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    await asyncio.sleep(0.05)
    computed = max(told)
    await lag.stop()
    assert held_up[0] > 0.25
    assert computed[0] > 0.25
    assert computed[1] > held_up[1]
