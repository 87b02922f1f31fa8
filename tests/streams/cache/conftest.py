"""A clock that is moved by hand, and caches as processes have them."""

from collections.abc import AsyncIterator, Callable

import pytest

from adapters.redis.client import RedisClient
from schemas.settings import RedisSettings
from tests.support.cache_processes import HandClock, Process, cache_processes


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def process(redis: RedisClient, redis_settings: RedisSettings, clock: HandClock) -> AsyncIterator[Callable[..., Process]]:
    """``process(setting=…)`` is another process of the installation."""
    async with cache_processes(redis_settings, clock) as start:
        yield start
