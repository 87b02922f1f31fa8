"""A topic of replies, a publisher and relays on the real broker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from domain.chats.relay import Relay
from domain.chats.topics import CHATS_ANSWERED
from schemas.settings import KafkaSettings
from streams.log.publisher import KafkaPublisher


@pytest.fixture
async def publisher(kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]) -> AsyncIterator[KafkaPublisher]:
    await topics(CHATS_ANSWERED)
    publisher = KafkaPublisher(kafka_settings, topics=[CHATS_ANSWERED])
    await publisher.start()
    yield publisher
    await publisher.stop()


MakeRelay = Callable[..., Awaitable[Relay]]


@pytest.fixture
async def make_relay(kafka_settings: KafkaSettings, publisher: KafkaPublisher) -> AsyncIterator[MakeRelay]:
    """``await make_relay(partition)`` starts the relay of one more API replica, on that partition."""
    relays: list[Relay] = []

    async def make(partition: int, *, window_bytes_max: int = 1_048_576) -> Relay:
        relay = Relay(kafka_settings, choose=lambda count: partition % count, window_bytes_max=window_bytes_max)
        relays.append(relay)
        await relay.start()
        return relay

    yield make
    await asyncio.gather(*(relay.stop() for relay in relays))
