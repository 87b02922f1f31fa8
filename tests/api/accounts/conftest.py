from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.api_process import House, opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def replica(house: House) -> AsyncIterator[House]:
    """Another API process of the same installation."""
    async with opened(house.settings) as running:
        yield running
