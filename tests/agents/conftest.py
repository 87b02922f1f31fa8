"""A client of the session's Redis under a prefix of its own."""

from collections.abc import AsyncIterator

import pytest

from adapters.redis import Client, connect
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
