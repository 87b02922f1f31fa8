"""One holder at a time has a lease, until it releases it or does not renew it."""

import asyncio

import pytest

from adapters.redis.client import RedisClient
from adapters.redis.lease import release_lease, renew_lease, take_lease

pytestmark = pytest.mark.stack


@pytest.fixture
def key(prefix: str) -> str:
    return f"{prefix}:lease"


async def test_a_lease_has_one_holder(redis: RedisClient, key: str) -> None:
    """A free lease is taken, also again by its holder; another holder learns whose it is."""
    assert await take_lease(redis, key, "a", 60) == "a"
    assert await take_lease(redis, key, "a", 60) == "a"
    assert await take_lease(redis, key, "b", 60) == "a"
    holders = await asyncio.gather(*(take_lease(redis, f"{key}/2", str(number), 60) for number in range(20)))
    assert len(set(holders)) == 1


async def test_only_the_holder_renews_and_releases(redis: RedisClient, key: str) -> None:
    """Another holder changes neither the life nor the value; a lease that is gone cannot be renewed."""
    await take_lease(redis, key, "a", 60)
    assert not await renew_lease(redis, key, "b", 3_600)
    assert not await release_lease(redis, key, "b")
    assert await redis.get(key) == b"a"
    assert 0 < await redis.pttl(key) <= 60_000
    assert await renew_lease(redis, key, "a", 3_600)
    assert await redis.pttl(key) > 60_000
    assert await release_lease(redis, key, "a")
    assert not await renew_lease(redis, key, "a", 60)
    assert not await release_lease(redis, key, "a")
    assert await take_lease(redis, key, "b", 60) == "b"


async def test_a_lease_expires(redis: RedisClient, key: str) -> None:
    """A holder that died blocks the others for the life of the lease only, and a new life counts from the moment of taking."""
    assert await take_lease(redis, key, "a", 0.05) == "a"
    async with asyncio.timeout(10):
        while await take_lease(redis, key, "b", 60) != "b":
            await asyncio.sleep(0.01)
    assert await redis.pttl(key) > 50_000
