"""The end of a topic, followed: from a little before it, over lost places, without repeats."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import TopicPartition

from domain.documents.topics import DOCUMENTS_PROGRESSED
from schemas.settings import KafkaSettings
from streams.log.publisher import KafkaPublisher
from streams.log.tail import TopicTail

pytestmark = pytest.mark.stack
TOPIC = DOCUMENTS_PROGRESSED


@pytest.fixture
async def publisher(kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]) -> AsyncIterator[KafkaPublisher]:
    await topics(TOPIC)
    started = KafkaPublisher(kafka_settings, topics=(TOPIC,))
    await started.start()
    yield started
    await started.stop()


async def put(publisher: KafkaPublisher, *values: bytes) -> None:
    for value in values:
        await publisher.publish_raw(publisher.physical_name(TOPIC), b"key", value, {}, partition=1)


async def until(seen: list[bytes], count: int) -> None:
    async with asyncio.timeout(10):
        while len(seen) < count:
            await asyncio.sleep(0.02)


async def test_from_a_little_before_the_end_on(kafka_settings: KafkaSettings, publisher: KafkaPublisher):
    """``reached`` says that what was there before has been read."""
    await put(publisher, b"old", b"1", b"2")
    seen: list[bytes] = []
    jumps: list[int] = []
    tail = TopicTail(
        kafka_settings,
        TOPIC,
        lambda partition, offset, key, value: seen.append(value or b""),
        choose=lambda count: (1, count - 1),
        jumped=lambda: jumps.append(len(seen)),
        rewind=2,
    )
    tail.start()
    try:
        async with asyncio.timeout(10):
            await tail.reached.wait()
        assert (seen, jumps, sorted(tail.partitions)) == ([b"1", b"2"], [0], [1, 3])
        await put(publisher, b"3")
        await until(seen, 3)
        assert seen == [b"1", b"2", b"3"]
    finally:
        await tail.stop()


async def test_a_lost_place_is_told(kafka_settings: KafkaSettings, publisher: KafkaPublisher):
    """A topic that was made anew has nothing at the old place: reading begins at its end."""
    await put(publisher, b"1", b"2")
    seen: list[bytes] = []
    jumped = asyncio.Event()
    tail = TopicTail(
        kafka_settings, TOPIC, lambda partition, offset, key, value: seen.append(value or b""), choose=range, jumped=jumped.set
    )
    tail._positions[TopicPartition(publisher.physical_name(TOPIC), 1)] = 1_000_000
    tail.start()
    try:
        async with asyncio.timeout(10):
            await jumped.wait()
        await put(publisher, b"3")
        await until(seen, 1)
        assert seen == [b"3"]
    finally:
        await tail.stop()
