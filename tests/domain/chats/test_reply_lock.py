"""Turns: one open reply per conversation, and a cancel that reaches whoever answers, late or early."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from adapters.redis.client import Client, connect
from domain.chats.reply_lock import CancelWatch, Location, Turns
from schemas.errors import Unavailable
from tests.support.own_redis import OwnRedis

pytestmark = pytest.mark.stack


@pytest.fixture
def turns(redis: Client, prefix: str) -> Turns:
    return Turns(redis, prefix)


@pytest.fixture
async def watch(redis: Client, prefix: str) -> AsyncIterator[CancelWatch]:
    watch = CancelWatch(redis, prefix)
    await watch.start()
    yield watch
    await watch.stop()


async def subscribed(redis: Client, prefix: str) -> None:
    async with asyncio.timeout(10):
        while dict(await redis.pubsub_numsub(f"{prefix}:cancels"))[f"{prefix}:cancels".encode()] == 0:
            await asyncio.sleep(0.01)


async def test_one_reply_at_a_time(turns: Turns) -> None:
    """Free is taken, taken names its holder, the same reply again is fine, and only the holder closes."""
    assert await turns.open("t", "c", "r1", 60) == "r1"
    assert await turns.open("t", "c", "r1", 60) == "r1"
    assert await turns.open("t", "c", "r2", 60) == "r1"
    assert await turns.open("other", "c", "r3", 60) == "r3"
    assert not await turns.close("t", "c", "r2")
    assert await turns.current("t", "c") == "r1"
    assert await turns.close("t", "c", "r1")
    assert await turns.current("t", "c") is None
    assert await turns.open("t", "c", "r2", 60) == "r2"


async def test_of_many_at_once_one_gets_it(turns: Turns) -> None:
    """The script decides; everybody hears the same name."""
    holders = await asyncio.gather(*(turns.open("t", "c", f"r{n}", 60) for n in range(20)))
    assert len(set(holders)) == 1


async def test_a_turn_ends_by_itself_unless_touched(turns: Turns) -> None:
    """Whoever died without closing blocks the conversation for the turn's life only."""
    await turns.open("t", "c", "r1", 0.05)
    assert await turns.touch("t", "c", "r1", 60)
    assert not await turns.touch("t", "c", "r2", 60)
    await turns.open("t", "d", "r1", 0.05)
    await asyncio.sleep(0.1)
    assert (await turns.current("t", "c"), await turns.current("t", "d")) == ("r1", None)


async def test_a_location_is_the_tenants_own(turns: Turns, redis: Client, prefix: str) -> None:
    """Another tenant asking for the same id finds nothing; poison reads as nothing."""
    where = Location("c", 3, 77, "m")
    await turns.remember("t", "r", where)
    assert await turns.locate("t", "r") == where
    assert await turns.locate("other", "r") is None
    await redis.set(f"{prefix}:location:{{t/r}}", b"{")
    assert await turns.locate("t", "r") is None


async def test_a_cancel_reaches_who_is_listening(turns: Turns, watch: CancelWatch, redis: Client, prefix: str) -> None:
    """By publication while streaming, by the flag when it came first; only this reply of this tenant."""
    await subscribed(redis, prefix)
    with watch.listening("t", "r1") as mine, watch.listening("t", "r2") as other, watch.listening("u", "r1") as foreign:
        await turns.request_cancel("t", "r1")
        await asyncio.wait_for(mine.wait(), 2)
        assert not other.is_set()
        assert not foreign.is_set()
    assert await turns.cancelled("t", "r1")
    assert not await turns.cancelled("t", "r2")
    with watch.listening("t", "r1") as again:
        await watch.look(again)
        assert again.is_set()


async def test_the_watch_survives_a_restart(own_redis: OwnRedis) -> None:
    """While Redis is away answering goes on; afterwards cancels arrive again, and what was missed is found."""
    redis = connect(own_redis.settings)
    turns, watch = Turns(redis, "p"), CancelWatch(redis, "p")
    await watch.start()
    await subscribed(redis, "p")
    await own_redis.kill()
    with watch.listening("t", "r1") as event:
        await watch.look(event)
        assert not event.is_set()
        await own_redis.start()
        await eventually_works(lambda: turns.request_cancel("t", "r1"))
        await asyncio.wait_for(event.wait(), 10)
    await subscribed(redis, "p")
    with watch.listening("t", "r2") as event:
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
