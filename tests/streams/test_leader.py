"""Rounds that one of several processes does, on a real Redis."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from adapters.redis.client import RedisClient
from schemas.errors import Unavailable
from streams.leader import LeaderLoop

pytestmark = pytest.mark.stack


def loop_of(redis: RedisClient, prefix: str, holder: str, work: Callable[[], Awaitable[float]], lease_s: float = 60.0) -> LeaderLoop:
    return LeaderLoop(redis, f"{prefix}:lease", work, name="sweep", holder=holder, lease_s=lease_s, every_s=0.02, retry_s=0.02)


async def reach(done: list[str], count: int) -> None:
    async with asyncio.timeout(10):
        while len(done) < count:
            await asyncio.sleep(0.01)


async def test_one_works_and_the_other_takes_over_when_it_stops(redis: RedisClient, prefix: str) -> None:
    done: list[str] = []

    def working(holder: str) -> Callable[[], Awaitable[float]]:
        async def work() -> float:
            done.append(holder)
            return 0.0

        return work

    first, second = (loop_of(redis, prefix, holder, working(holder)) for holder in ("first", "second"))
    await first.start()
    await reach(done, 1)
    await second.start()
    await reach(done, 20)
    assert set(done) == {"first"}
    await first.stop()
    done.clear()
    await reach(done, 3)
    assert set(done) == {"second"}
    await second.stop()


async def test_a_round_that_fails_or_lasts_too_long_is_put_off(redis: RedisClient, prefix: str) -> None:
    done: list[str] = []

    async def work() -> float:
        done.append("")
        if len(done) == 1:
            raise Unavailable("overloaded", "later")
        await asyncio.sleep(0 if len(done) > 2 else 60)
        return 0.0

    rounds = loop_of(redis, prefix, "only", work, lease_s=0.2)
    await rounds.start()
    await reach(done, 4)
    await rounds.stop()
