"""A client of the session's Redis under a prefix of its own, and a Redis of the test's own that may be stopped, killed and restarted."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.redis import Client, connect
from ops.stack import redis as stack
from ops.stack.child import Child
from ops.stack.ports import claim
from schemas.settings import Redis


@pytest.fixture
async def redis(redis_settings: Redis) -> AsyncIterator[Client]:
    client = connect(redis_settings)
    yield client
    keys = [key async for key in client.scan_iter(match=f"{redis_settings.key_prefix}:*", count=1000)]
    if keys:
        await client.execute_command("UNLINK", *keys)
    await client.aclose()


@pytest.fixture
def prefix(redis_settings: Redis) -> str:
    return redis_settings.key_prefix


class OwnRedis:
    def __init__(self, folder: Path) -> None:
        self.node = stack.RedisNode(folder / "data", folder / "redis.log", claim("redis", 0, set()))
        self.settings = Redis(url=self.node.url, timeout_s=0.5)
        self._child: Child | None = None

    async def start(self) -> None:
        self._child = Child(stack.prepare(self.node, os.environ))
        await self._child.ready()

    def signal(self, number: signal.Signals) -> None:
        assert self._child is not None
        os.kill(self._child.pid, number)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self._child is not None
        await self._child.stop()


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[OwnRedis]:
    own = OwnRedis(tmp_path)
    await own.start()
    yield own
    own.signal(signal.SIGCONT)
    await own.kill()
