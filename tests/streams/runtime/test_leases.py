"""Leases and attempts on a real Redis, and without one."""

import asyncio
import time

import pytest
from prometheus_client import CollectorRegistry

from adapters.redis.client import connect
from schemas.errors import Superseded
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

    def worker(name: str, client=redis, wait_s_max: float = 60, lease_s: float = 0.3, instance: str = "") -> KeyLeases:
        metrics = WorkerMetrics(CollectorRegistry())
        leases = KeyLeases(
            client,
            prefix=settings.redis.key_prefix,
            worker=name,
            lease_s=lease_s,
            wait_s_max=wait_s_max,
            instance=instance,
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

    async def work(leases):
        async with leases.hold("a", b"k", PLACE) as lease:
            order.append(("in", lease.attempt))
            await asyncio.sleep(0.05)
            order.append(("out", lease.attempt))

    await asyncio.gather(work(first), work(second), work(first))
    ins, outs = order[::2], order[1::2]
    assert [attempt for _, attempt in ins] == [attempt for _, attempt in outs], "nobody came in before the other was out"
    attempts = [attempt for _, attempt in ins]
    assert attempts == sorted(set(attempts))


async def test_what_a_dead_predecessor_held_is_free_at_once(workers):
    """For whoever has its name. One worker's own leases, and those of others, are waited for as ever."""
    dead, heir = workers("w1", lease_s=60, instance="chat-1"), workers("w2", lease_s=60, instance="chat-1")
    other, entered = workers("w3", lease_s=60, instance="chat-10"), asyncio.Event()

    async def hang(leases: KeyLeases, key: bytes) -> None:
        async with leases.hold("a", key, PLACE):
            entered.set()
            await asyncio.Event().wait()

    async def waits(leases: KeyLeases, key: bytes) -> bool:
        try:
            async with asyncio.timeout(0.5), leases.hold("a", key, PLACE):
                return False
        except TimeoutError:
            return True

    hanging = asyncio.ensure_future(hang(dead, b"k"))
    await entered.wait()
    assert await waits(other, b"k")
    began = time.monotonic()
    async with heir.hold("a", b"k", PLACE):
        assert time.monotonic() - began < 0.4
        assert await waits(heir, b"k")
    hanging.cancel()
    await asyncio.wait([hanging])


async def test_attempts_grow_from_event_to_event_whatever_redis_forgets(workers, redis):
    """A reply may take several events: the next one must not begin below what was said, nor may one after a loss of Redis."""
    attempts = []
    for worker, place in (("w1", PLACE), ("w2", LogOffset("t", 0, 8)), ("w1", PLACE), ("w1", LogOffset("t", 1, 3))):
        async with workers(worker).hold("a", b"k", place) as lease:
            attempts.append(lease.attempt)
        await asyncio.sleep(0.002)
        await redis.delete(*lease.keys)
    assert attempts == sorted(set(attempts))


async def test_a_lease_that_redis_could_not_take_back_does_not_stop_its_own_worker(workers, redis, monkeypatch):
    """It would wait for itself until the lease runs out; another worker has to."""
    leases, other = workers("w1"), workers("w2")
    async with leases.hold("a", b"k", PLACE) as lease:
        monkeypatch.setattr(leases, "_redis", nowhere := connect(RedisSettings(url="redis://127.0.0.1:1/0")))
    assert await redis.get(lease.keys[0]) is not None
    await redis.pexpire(lease.keys[0], 60_000)
    monkeypatch.setattr(leases, "_redis", redis)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5), other.hold("a", b"k", PLACE):
            pass
    async with asyncio.timeout(0.5), leases.hold("a", b"k", PLACE) as again:
        assert again.attempt > lease.attempt
    await nowhere.aclose()


async def test_a_holder_that_lives_keeps_it_and_one_that_died_loses_it(workers, redis):
    first, second = workers("w1"), workers("w2")
    async with first.hold("a", b"k", PLACE) as lease:
        await asyncio.sleep(0.7)
        assert await first.still_owner(lease)
        first._renewer.cancel()  # as if the process had died
        began = time.monotonic()
        async with second.hold("a", b"k", PLACE) as newer:
            assert time.monotonic() - began < 2
            assert newer.attempt > lease.attempt
            assert not await first.still_owner(lease)
            assert lease.lost.is_set()


async def test_a_hanging_holder_is_superseded(workers):
    first, second = workers("w1"), workers("w2", wait_s_max=0.5)
    async with first.hold("a", b"k", PLACE) as lease, second.hold("a", b"k", PLACE) as newer:
        assert newer.attempt > lease.attempt
        await asyncio.wait_for(lease.lost.wait(), 1)
        assert await second.still_owner(newer)


async def test_a_lease_that_ran_out_unseen_and_that_nobody_took_is_taken_back(workers, redis, settings):
    leases = workers("w")
    async with leases.hold("a", b"k", PLACE) as lease:
        await redis.delete(*lease.keys)
        assert await leases.still_owner(lease)
        assert await redis.get(lease.keys[0]) == lease.holder.encode()
    assert await redis.get(lease.keys[0]) is None


async def test_a_renewal_under_way_does_not_bring_a_released_lease_back(workers, redis):
    leases = workers("w")
    for number in range(50):
        async with leases.hold("a", b"k", LogOffset("t", 0, number)) as lease:
            renewals = [asyncio.ensure_future(leases._renew(lease)) for _ in range(3)]
            await asyncio.sleep(0)
        await asyncio.gather(*renewals)
        assert await redis.get(lease.keys[0]) is None
        assert not lease.lost.is_set()


async def test_without_redis_work_goes_on_under_a_newer_attempt(workers):
    nowhere = connect(RedisSettings(url="redis://127.0.0.1:1/0"))
    leases = workers("w", nowhere)
    async with workers("w0").hold("a", b"k", PLACE) as earlier:
        pass
    await asyncio.sleep(0.002)
    async with leases.hold("a", b"k", PLACE) as lease:
        assert lease.attempt > earlier.attempt
        assert await leases.still_owner(lease)
    assert leases._metrics.fallbacks.labels("lease")._value.get() >= 2
    await nowhere.aclose()


async def test_an_event_without_a_key_waits_for_nobody(workers):
    leases = workers("w")
    async with leases.hold("a", None, LogOffset("t", 0, 1)), asyncio.timeout(1), leases.hold("a", None, LogOffset("t", 0, 2)):
        pass


async def test_what_a_holder_does_again_has_a_higher_attempt(workers, redis, monkeypatch):
    leases, nowhere = workers("w"), connect(RedisSettings(url="redis://127.0.0.1:1/0"))
    async with leases.hold("a", b"k", PLACE) as lease:
        attempts = [lease.attempt]
        for client in (redis, redis, nowhere, nowhere, redis):
            monkeypatch.setattr(leases, "_redis", client)
            await leases.advance(lease)
            attempts.append(lease.attempt)
        assert attempts == sorted(set(attempts))
        assert await leases.still_owner(lease)
    async with workers("w2").hold("a", b"k", PLACE) as newer:
        assert newer.attempt > attempts[-1]
    await nowhere.aclose()


async def test_a_holder_whose_lease_ran_out_and_was_another_workers_does_nothing_again(workers, redis):
    """It stood still; meanwhile another worker took the key, did the work and gave the lease back."""
    first, second = workers("w1"), workers("w2")
    async with first.hold("a", b"k", PLACE) as lease:
        await redis.unlink(lease.keys[0])  # as if it had run out
        async with second.hold("a", b"k", PLACE):
            pass
        with pytest.raises(Superseded):
            await first.advance(lease)
        assert lease.lost.is_set()


async def test_a_holder_learns_whether_the_lease_was_its_own_throughout(workers, redis, monkeypatch):
    leases, nowhere = workers("w"), connect(RedisSettings(url="redis://127.0.0.1:1/0"))
    async with leases.hold("a", b"k", PLACE) as lease:
        assert await leases.advance(lease)
        await redis.unlink(lease.keys[0])
        assert not await leases.advance(lease), "it ran out, and nobody is known to have had it"
        await redis.unlink(*lease.keys)
        assert not await leases.advance(lease), "Redis lost all it knew"
        assert await leases.advance(lease)
        monkeypatch.setattr(leases, "_redis", nowhere)
        assert not await leases.advance(lease), "nobody can tell"
    await nowhere.aclose()


async def test_a_holder_whose_lease_was_taken_does_nothing_again(workers):
    first, second = workers("w1"), workers("w2", wait_s_max=0.1)
    async with first.hold("a", b"k", PLACE) as lease, second.hold("a", b"k", PLACE) as newer:
        with pytest.raises(Superseded):
            await first.advance(lease)
        assert lease.lost.is_set()
        assert await second.still_owner(newer)
