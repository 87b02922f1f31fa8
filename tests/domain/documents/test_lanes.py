"""The lanes of documents: places, repeats, and tenants that are slowed down."""

import time

import pytest

from adapters.redis.client import RedisClient
from domain.documents import lanes as module
from domain.documents.lanes import EXPRESS_MAX, LaneRequest, Lanes
from schemas.documents import DocumentQueue

pytestmark = pytest.mark.stack


@pytest.fixture
def lanes(redis: RedisClient, prefix: str) -> Lanes:
    return Lanes(redis, prefix, 60, time.monotonic)


async def enter(lanes: Lanes, tenant: str, number: int, *, awaited: bool = True) -> DocumentQueue:
    (queue,) = await lanes.enter_many([LaneRequest(tenant, f"{tenant}/kb/{number}", number, awaited)])
    return queue


async def test_a_lane_holds_each_version_once_and_only_so_many(
    lanes: Lanes, redis: RedisClient, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repeat is told the same, leaving twice does not hurt, a lost one is forgotten; each tenant has its own."""
    monkeypatch.setattr(module, "BULK_MAX", 2)
    many = [LaneRequest("t", f"t/kb/{number}", number, awaited=True) for number in range(EXPRESS_MAX + 3)]
    assert await lanes.enter_many(many) == ["express"] * EXPRESS_MAX + ["bulk", "bulk", "slow"]
    assert (await enter(lanes, "t", 3), await enter(lanes, "t", EXPRESS_MAX)) == ("express", "bulk")
    assert (await lanes.next_queue("t"), await enter(lanes, "t", 900)) == ("slow", "slow")
    assert (await lanes.next_queue("other"), await enter(lanes, "other", 2)) == ("express", "express")
    assert await enter(lanes, "other", 4, awaited=False) == "bulk"
    await lanes.leave("t", "t/kb/3", 3, "express")
    await lanes.leave("t", "t/kb/3", 3, "express")
    assert (await lanes.next_queue("t"), await enter(lanes, "t", 900)) == ("express", "express")
    assert await enter(lanes, "t", 3) == "slow"
    await redis.execute_command("ZADD", f"{prefix}:express:{{t}}", 1, "4/t/kb/4")  # its hour is long over
    assert await enter(lanes, "t", 3) == "express"
    assert await lanes.enter_many([]) == []


async def test_requests_of_several_tenants_keep_their_order(lanes: Lanes) -> None:
    mixed = [LaneRequest(tenant, f"{tenant}/kb/{n}", n, awaited=n % 2 == 0) for n, tenant in enumerate("abab")]
    assert await lanes.enter_many(mixed) == ["express", "bulk", "express", "bulk"]


async def test_a_tenant_whose_file_ended_its_parser_takes_the_slow_queue_for_a_while(lanes: Lanes, redis: RedisClient, prefix: str) -> None:
    assert await enter(lanes, "t", 1) == "express"
    assert not await lanes.is_slowed("t")
    await lanes.slow_down("t")
    assert await lanes.is_slowed("t")  # here at once, elsewhere within a second
    assert (await enter(lanes, "t", 2), await lanes.next_queue("t"), await enter(lanes, "u", 2)) == ("slow", "slow", "express")
    assert await enter(lanes, "t", 1) == "express"  # a repeat: where it is already
    left_ms = await redis.execute_command("PTTL", f"{prefix}:slowed:{{t}}")
    assert 50_000 < int(left_ms) <= 60_000


async def test_without_a_time_nobody_is_slowed_down(redis: RedisClient, prefix: str) -> None:
    lanes = Lanes(redis, prefix, 0, time.monotonic)
    await lanes.slow_down("t")
    assert not await lanes.is_slowed("t")
