"""An installation whose agents are played by the test."""

from collections.abc import AsyncIterator

import pytest

from domain.areas import TOPICS
from schemas.settings import Settings
from tests.support.recorded_house import House, opened_house


@pytest.fixture
async def house(settings: Settings, topics) -> AsyncIterator[House]:
    await topics(*TOPICS)
    async with opened_house(settings) as made:
        yield made
