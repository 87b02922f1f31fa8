"""Leases and attempts on a real Redis, and without one."""

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry

from adapters.redis.client import connect
from schemas.settings import RedisSettings
from streams.clock import SystemClock
from streams.log.outgoing import LogOffset
from streams.runtime.leases import KeyLeases
from streams.runtime.metrics import WorkerMetrics

PLACE = LogOffset("t", 0, 7)


@pytest.fixture
async def workers(redis, settings):
    """Makes the leases of any number of workers, with leases of 0.3 s."""
    made = []

    def worker(name: str, client=redis, wait_s_max: float = 60) -> KeyLeases:
        metrics = WorkerMetrics(CollectorRegistry())
        leases = KeyLeases(
            client,
            prefix=settings.redis.key_prefix,
            worker=name,
            lease_s=0.3,
            wait_s_max=wait_s_max,
            clock=SystemClock(),
            metrics=metrics,
        )
        made.append(leases)
        return leases

    yield worker
    for leases in made:
        await leases.stop()


async def test_one_holder_at_a_time_and_attempts_that_grow(workers):
    first, second, order = workers("w1"), workers("w2"), []

    async def work(leases, generation):
        async with leases.hold("a", b"k", PLACE, generation) as lease:
            order.append(("in", lease.attempt))
            await asyncio.sleep(0.05)
            order.append(("out", lease.attempt))

    await asyncio.gather(work(first, 3), work(second, 4), work(first, 3))
    ins, outs = order[::2], order[1::2]
    assert [attempt for _, attempt in ins] == [attempt for _, attempt in outs], "nobody came in before the other was out"
    attempts = [attempt for _, attempt in ins]
    assert attempts == sorted(set(attempts))
    assert attempts[0] >= 3


async def test_another_event_of_the_key_waits_but_has_attempts_of_its_own(workers):
    leases = workers("w")
    async with leases.hold("a", b"k", PLACE, 9) as lease:
        assert lease.attempt == 9
    async with leases.hold("a", b"k", LogOffset("t", 0, 8), 2) as lease:
        assert lease.attempt == 2


async def test_a_holder_that_lives_keeps_it_and_one_that_died_loses_it(workers, redis):
    first, second = workers("w1"), workers("w2")
    async with first.hold("a", b"k", PLACE, 1) as lease:
        await asyncio.sleep(0.7)
        assert await first.still_owner(lease)
        first._renewer.cancel()  # as if the process had died
        began = time.monotonic()
        async with second.hold("a", b"k", PLACE, 2) as newer:
            assert time.monotonic() - began < 2
            assert newer.attempt == 2
            assert not await first.still_owner(lease)
            assert lease.lost.is_set()


async def test_a_hanging_holder_is_superseded(workers):
    first, second = workers("w1"), workers("w2", wait_s_max=0.5)
    async with first.hold("a", b"k", PLACE, 1) as lease, second.hold("a", b"k", PLACE, 2) as newer:
        assert newer.attempt == 2
        await asyncio.wait_for(lease.lost.wait(), 1)
        assert await second.still_owner(newer)


async def test_a_lease_that_ran_out_unseen_and_that_nobody_took_is_taken_back(workers, redis, settings):
    leases = workers("w")
    async with leases.hold("a", b"k", PLACE, 1) as lease:
        await redis.delete(*lease.keys)
        assert await leases.still_owner(lease)
        assert await redis.get(lease.keys[0]) == lease.holder.encode()
    assert await redis.get(lease.keys[0]) is None


async def test_a_renewal_under_way_does_not_bring_a_released_lease_back(workers, redis):
    leases = workers("w")
    for number in range(50):
        async with leases.hold("a", b"k", LogOffset("t", 0, number), 1) as lease:
            renewals = [asyncio.ensure_future(leases._renew(lease)) for _ in range(3)]
            await asyncio.sleep(0)
        await asyncio.gather(*renewals)
        assert await redis.get(lease.keys[0]) is None
        assert not lease.lost.is_set()


async def test_without_redis_work_goes_on_with_the_generation(workers):
    nowhere = connect(RedisSettings(url="redis://127.0.0.1:1/0"))
    leases = workers("w", nowhere)
    async with leases.hold("a", b"k", PLACE, 5) as lease:
        assert lease.attempt == 5
        assert await leases.still_owner(lease)
    assert leases._metrics.fallbacks.labels("lease")._value.get() >= 2
    await nowhere.aclose()


async def test_an_event_without_a_key_waits_for_nobody(workers):
    leases = workers("w")
    async with leases.hold("a", None, LogOffset("t", 0, 1), 1), asyncio.timeout(1), leases.hold("a", None, LogOffset("t", 0, 2), 1):
        pass
