"""The express lane's places."""

import pytest

from adapters.redis.client import RedisClient
from domain.documents.express import EXPRESS_MAX, Express

pytestmark = pytest.mark.stack


async def test_the_express_lane_holds_each_version_once_and_only_so_many(redis: RedisClient, prefix: str) -> None:
    """A repeat is told the same, leaving twice does not hurt, a lost one is forgotten; each tenant has its own."""
    express = Express(redis, prefix)
    assert all([await express.enter("t", f"t/kb/{n}", n) for n in range(EXPRESS_MAX)])
    assert await express.enter("t", "t/kb/3", 3)
    assert not await express.enter("t", "t/kb/more", 1)
    assert await express.enter("other", "other/kb/b", 2)
    await express.leave("t", "t/kb/3", 3)
    await express.leave("t", "t/kb/3", 3)
    assert await express.enter("t", "t/kb/more", 1)
    assert not await express.enter("t", "t/kb/3", 3)
    await redis.execute_command("ZADD", f"{prefix}:express:{{t}}", 1, "4/t/kb/4")  # its hour is long over
    assert await express.enter("t", "t/kb/3", 3)
