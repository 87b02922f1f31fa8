"""Bytes kept for a day: summed by the hour, never beyond a cap, and forgotten by themselves."""

import asyncio

import pytest

from adapters.redis.client import RedisClient
from domain.limits.caps import CapShortage
from domain.limits.kept_bytes import HOUR_S, KEPT_H, KeptBytes

pytestmark = pytest.mark.stack
NOW_S = 500_000 * HOUR_S


async def test_never_more_than_the_cap_and_again_after_a_day(redis: RedisClient, prefix: str) -> None:
    kept = KeptBytes(redis, prefix)

    async def add(size: int, hours: int = 0, account: str = "ann") -> CapShortage | None:
        return await kept.add("t", account, size, account_max=100, tenant_max=150, now_s=NOW_S + hours * HOUR_S)

    found = await asyncio.gather(*(add(9, hours=n % 2) for n in range(20)))
    assert found.count(None) == 11
    assert set(found) - {None} == {CapShortage("idempotency_bytes", "account", 99, 100, 9)}
    assert await add(60, account="bob") == CapShortage("idempotency_bytes", "tenant", 99, 150, 60)
    assert await kept.count("t", NOW_S) == await kept.count("t", NOW_S, "ann") == 99
    assert await add(100, hours=KEPT_H) is not None
    assert await add(100, hours=KEPT_H + 1) is None
    assert await kept.count("t", NOW_S + (KEPT_H + 1) * HOUR_S, "ann") == 100
    assert await kept.add("t", "ann", 10**9, account_max=0, tenant_max=0) is None
