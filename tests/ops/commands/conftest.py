"""An installation whose agents are played by the test."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from adapters.redis.client import connect
from domain.areas import TOPICS
from schemas.settings import Settings
from streams.log.publisher import KafkaPublisher
from tests.support.recorded_house import ALL, House


@pytest.fixture
async def house(settings: Settings, topics) -> AsyncIterator[House]:
    await topics(*ALL)
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        publisher = KafkaPublisher(settings.kafka, TOPICS)
        stack.push_async_callback(publisher.stop)
        await publisher.start()
        made = House(settings, redis, publisher)
        yield made
        await made.forget()
