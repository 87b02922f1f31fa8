"""A client of the session's Redis under a prefix of its own, a clock that is moved by hand, and caches as processes have them."""

import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.redis import Client, connect
from ops.stack import redis as stack
from ops.stack.child import Child
from ops.stack.ports import claim
from schemas.cache_settings import Cache as CacheSettings
from schemas.settings import Redis
from streams.cache import Cache

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class HandClock:
    passed_s: float = 0.0

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.passed_s)

    def monotonic_s(self) -> float:
        return self.passed_s


@dataclass
class Process:
    """A process with a cache: its own client, its own counts."""

    cache: Cache
    redis: Client
    counts: list[tuple[str, str]] = field(default_factory=list)

    def counted(self, outcome: str) -> int:
        return sum(each == outcome for _, each in self.counts)


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


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


class OwnRedis:
    """A Redis that may die."""

    def __init__(self, folder: Path) -> None:
        self.node = stack.RedisNode(folder / "data", folder / "redis.log", claim("redis", 0, set()))
        self.client = connect(Redis(url=self.node.url, timeout_s=0.5))
        self._child = Child(stack.prepare(self.node, os.environ))

    async def start(self) -> None:
        await self._child.ready()

    async def kill(self) -> None:
        os.kill(self._child.pid, signal.SIGKILL)
        await self.stop()

    async def stop(self) -> None:
        await self._child.stop()


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[OwnRedis]:
    own = OwnRedis(tmp_path)
    await own.start()
    yield own
    await own.stop()
    await own.client.aclose()


@pytest.fixture
async def process(redis: Client, redis_settings: Redis, clock: HandClock) -> AsyncIterator[Callable[..., Process]]:
    """``process(setting=…)`` is another process of the installation."""
    running: list[Process] = []

    def start(**settings: object) -> Process:
        client = connect(redis_settings)
        counts: list[tuple[str, str]] = []
        cache = Cache(client, redis_settings.key_prefix, CacheSettings(**settings), clock, lambda *count: counts.append(count))  # type: ignore[arg-type]
        running.append(Process(cache, client, counts))
        return running[-1]

    yield start
    for each in running:
        await each.cache.stop()
        await each.redis.aclose()
