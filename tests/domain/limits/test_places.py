"""Places: as many as the cap says over all replicas, and none is lost for ever."""

import asyncio
from collections import Counter

import pytest

from adapters.redis.client import RedisClient, connect
from domain.limits.caps import CapShortage
from domain.limits.places import LIFE_S, Place, Places
from schemas.settings import RedisSettings

NOW_S = 1_800_000_000


async def taken(places: Places, account: str = "ann", *, account_max: int = 0, tenant_max: int = 0, now_s: int | None = None):
    return await places.take("streams", "t", account, account_max=account_max, tenant_max=tenant_max, now_s=now_s)


@pytest.mark.stack
async def test_as_many_as_the_caps_say_over_two_replicas(redis: RedisClient, prefix: str) -> None:
    """Sixty at once of three accounts: no account has more than its cap, the tenant exactly its own, and a place is free once."""
    replicas = [Places(redis, prefix) for _ in range(2)]
    found = await asyncio.gather(*(taken(replicas[n % 2], f"a{n % 3}", account_max=8, tenant_max=20) for n in range(60)))
    held = [each for each in found if isinstance(each, Place)]
    assert len(held) == 20
    assert max(Counter(place.account_id for place in held).values()) <= 8
    refused = {each[1:] for each in found if isinstance(each, CapShortage)}
    assert refused <= {("account", 8, 8, 1), ("tenant", 20, 20, 1)}
    assert ("tenant", 20, 20, 1) in refused
    one = next(place for place in held if place in replicas[0]._held)
    replicas[0].free(one)
    replicas[0].free(one)
    await asyncio.wait(replicas[0]._frees)
    assert await replicas[1].count("streams", "t") == 19
    for replica in replicas:
        await replica.stop()
    assert await replicas[1].count("streams", "t") == await replicas[1].count("streams", "t", "a0") == 0


@pytest.mark.stack
async def test_a_process_that_dies_gives_its_places_back(redis: RedisClient, prefix: str) -> None:
    """By the age of the lease; one that lives has them back even when Redis has lost everything."""
    dead, alive = Places(redis, prefix), Places(redis, prefix)
    await taken(dead, account_max=1, now_s=NOW_S)
    assert await taken(alive, account_max=1, now_s=NOW_S + LIFE_S - 1) == CapShortage("streams", "account", 1, 1)
    assert isinstance(await taken(alive, account_max=1, now_s=NOW_S + LIFE_S), Place)
    await redis.delete(*alive._keys(next(iter(alive._held))))
    assert await alive.count("streams", "t", "ann") == 0
    await alive.renew()
    assert await alive.count("streams", "t", "ann") == await alive.count("streams", "t") == 1


async def test_without_redis_each_process_has_its_share() -> None:
    fell_back: list[int] = []
    client = connect(RedisSettings(url="redis://127.0.0.1:1", timeout_s=0.2))
    places = Places(client, "x", replicas=2, fell_back=lambda: fell_back.append(1))
    try:
        held = [await taken(places, account_max=4, tenant_max=100) for _ in range(3)]
        assert [isinstance(each, Place) for each in held] == [True, True, False]
        assert held[2] == CapShortage("streams", "account", 2, 2)
        assert isinstance(await taken(places, "bob", account_max=4), Place)
        assert isinstance(held[0], Place)
        places.free(held[0])
        assert isinstance(await taken(places, account_max=4), Place)
        assert len(fell_back) == 5
    finally:
        await places.stop()
        await client.aclose()
