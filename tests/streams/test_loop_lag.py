"""A loop that is blocked says so."""

import asyncio
import time

from prometheus_client import CollectorRegistry

from streams.loop_lag import LoopLag


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
