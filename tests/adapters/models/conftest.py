"""The stub provider, for the tests of this folder."""

from collections.abc import AsyncIterator

import pytest

from tests.support.running_stub import Running, run_stub


@pytest.fixture
async def stub() -> AsyncIterator[Running]:
    async with run_stub() as running:
        yield running
