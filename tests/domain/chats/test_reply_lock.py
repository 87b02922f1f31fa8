"""Turns: one open reply per conversation, and a cancel that reaches whoever answers, late or early."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from adapters.redis.client import RedisClient, connect
from domain.chats.reply_lock import CancelWatch, ReplyLocation, ReplyLocks
from schemas.errors import Unavailable
from tests.support.own_redis import OwnRedis

pytestmark = pytest.mark.stack


@pytest.fixture
def turns(redis: RedisClient, prefix: str) -> ReplyLocks:
    return ReplyLocks(redis, prefix)


@pytest.fixture
async def watch(redis: RedisClient, prefix: str) -> AsyncIterator[CancelWatch]:
    watch = CancelWatch(redis, prefix)
    await watch.start()
    yield watch
    await watch.stop()


async def subscribed(redis: RedisClient, prefix: str) -> None:
    async with asyncio.timeout(10):
        while dict(await redis.pubsub_numsub(f"{prefix}:cancels"))[f"{prefix}:cancels".encode()] == 0:
            await asyncio.sleep(0.01)


async def test_one_reply_at_a_time(turns: ReplyLocks) -> None:
    """Free is taken, taken names its holder, the same reply again is fine, and only the holder closes."""
    assert await turns.acquire("t", "c", "r1", 60) == "r1"
    assert await turns.acquire("t", "c", "r1", 60) == "r1"
    assert await turns.acquire("t", "c", "r2", 60) == "r1"
    assert await turns.acquire("other", "c", "r3", 60) == "r3"
    assert not await turns.release("t", "c", "r2")
    assert await turns.holder("t", "c") == "r1"
    assert await turns.release("t", "c", "r1")
    assert await turns.holder("t", "c") is None
    assert await turns.acquire("t", "c", "r2", 60) == "r2"


async def test_of_many_at_once_one_gets_it(turns: ReplyLocks) -> None:
    """The script decides; everybody hears the same name."""
    holders = await asyncio.gather(*(turns.acquire("t", "c", f"r{n}", 60) for n in range(20)))
    assert len(set(holders)) == 1


async def test_a_turn_ends_by_itself_unless_touched(turns: ReplyLocks) -> None:
    """Whoever died without closing blocks the conversation for the turn's life only."""
    await turns.acquire("t", "c", "r1", 0.05)
    assert await turns.renew("t", "c", "r1", 60)
    assert not await turns.renew("t", "c", "r2", 60)
    await turns.acquire("t", "d", "r1", 0.05)
    await asyncio.sleep(0.1)
    assert (await turns.holder("t", "c"), await turns.holder("t", "d")) == ("r1", None)


async def test_a_location_is_the_tenants_own(turns: ReplyLocks, redis: RedisClient, prefix: str) -> None:
    """Another tenant asking for the same id finds nothing; poison reads as nothing."""
    where = ReplyLocation("c", 3, 77, "m")
    await turns.save_location("t", "r", where)
    assert await turns.locate("t", "r") == where
    assert await turns.locate("other", "r") is None
    await redis.set(f"{prefix}:location:{{t/r}}", b"{")
    assert await turns.locate("t", "r") is None


async def test_a_cancel_reaches_who_is_listening(turns: ReplyLocks, watch: CancelWatch, redis: RedisClient, prefix: str) -> None:
    """By publication while streaming, by the flag when it came first; only this reply of this tenant."""
    await subscribed(redis, prefix)
    with watch.subscribe("t", "r1") as mine, watch.subscribe("t", "r2") as other, watch.subscribe("u", "r1") as foreign:
        await turns.request_cancel("t", "r1")
        await asyncio.wait_for(mine.wait(), 2)
        assert not other.is_set()
        assert not foreign.is_set()
    assert await turns.is_cancelled("t", "r1")
    assert not await turns.is_cancelled("t", "r2")
    with watch.subscribe("t", "r1") as again:
        await watch.check(again)
        assert again.is_set()


async def test_the_watch_survives_a_restart(own_redis: OwnRedis) -> None:
    """While Redis is away answering goes on; afterwards cancels arrive again, and what was missed is found."""
    redis = connect(own_redis.settings)
    turns, watch = ReplyLocks(redis, "p"), CancelWatch(redis, "p")
    await watch.start()
    await subscribed(redis, "p")
    await own_redis.kill()
    with watch.subscribe("t", "r1") as event:
        await watch.check(event)
        assert not event.is_set()
        await own_redis.start()
        await eventually_works(lambda: turns.request_cancel("t", "r1"))
        await asyncio.wait_for(event.wait(), 10)
    await subscribed(redis, "p")
    with watch.subscribe("t", "r2") as event:
        await turns.request_cancel("t", "r2")
        await asyncio.wait_for(event.wait(), 2)
    await watch.stop()
    await redis.aclose()


async def eventually_works(call: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await call()
            except Unavailable:
                await asyncio.sleep(0.1)
            else:
                return
