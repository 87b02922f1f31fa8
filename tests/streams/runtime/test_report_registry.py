"""Reports of processes: the newest of each, until it is silent for too long or has ended."""

import pytest
from msgspec import Struct

from adapters.redis.client import RedisClient
from streams.runtime.report_registry import TTL_S, ReportRegistry

pytestmark = pytest.mark.stack


class Beat(Struct, frozen=True):
    count: int
    silent_s: float = 0.0


async def test_the_newest_report_of_every_process_that_has_not_ended(redis: RedisClient, prefix: str):
    registry = ReportRegistry(redis, f"{prefix}:beats", Beat)
    assert await registry.list() == []
    for name, count in (("b", 1), ("a", 2), ("b", 3)):
        await registry.save(name, Beat(count))
    first, second = await registry.list()
    assert (first.count, second.count) == (2, 3)
    assert 0 <= second.silent_s <= first.silent_s < TTL_S
    assert 0 < await redis.execute_command("TTL", f"{prefix}:beats:a") <= TTL_S
    await registry.remove("a")
    assert [beat.count for beat in await registry.list()] == [3]
    await redis.unlink(f"{prefix}:beats:b")  # as if it had expired
    assert await registry.list() == []
