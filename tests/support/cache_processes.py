"""A clock that is moved by hand, and caches as processes have them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from adapters.redis.client import RedisClient, connect
from schemas.settings import RedisSettings
from schemas.settings.cache import CacheSettings
from streams.cache import RedisCache
from streams.live import Live

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

    cache: RedisCache
    redis: RedisClient
    counts: list[tuple[str, str]] = field(default_factory=list)

    def counted(self, outcome: str) -> int:
        return sum(each == outcome for _, each in self.counts)


@asynccontextmanager
async def cache_processes(redis_settings: RedisSettings, clock: HandClock) -> AsyncIterator[Callable[..., Process]]:
    """``start(setting=…)`` is another process of the installation; all of them stop with the block."""
    running: list[Process] = []

    def start(**settings: object) -> Process:
        client = connect(redis_settings)
        counts: list[tuple[str, str]] = []
        cache = RedisCache(client, redis_settings.key_prefix, Live(CacheSettings(**settings)), clock, lambda *count: counts.append(count))  # type: ignore[arg-type]
        running.append(Process(cache, client, counts))
        return running[-1]

    yield start
    for each in running:
        await each.cache.stop()
        await each.redis.aclose()
