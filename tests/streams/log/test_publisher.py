"""Publishing on the real broker: places, partitions, limits."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from adapters.kafka import connection_options
from domain.chats.topics import CHATS_ANSWERED, CHATS_ASKED
from schemas.errors import Refused, Unavailable
from schemas.events import encode
from schemas.settings import KafkaSettings
from streams.log import publisher as publisher_module
from streams.log.outgoing import Outgoing
from streams.log.publisher import KafkaPublisher
from tests.support.reply_events import extended, outgoing, whole_reply


@pytest.fixture
async def publisher(kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]) -> AsyncIterator[KafkaPublisher]:
    await topics(CHATS_ANSWERED)
    publisher = KafkaPublisher(kafka_settings, topics=[CHATS_ANSWERED])
    await publisher.start()
    yield publisher
    await publisher.stop()


async def read(kafka: KafkaSettings, topic: str, partition: int, count: int):
    consumer = AIOKafkaConsumer(**connection_options(kafka), auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition)])
        await consumer.seek_to_beginning()
        async with asyncio.timeout(5):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()


async def test_an_event_lies_on_its_topic_as_a_cloud_event(publisher: KafkaPublisher, kafka_settings: KafkaSettings):
    event = extended(str(uuid.uuid4()), 1, "你好")
    place = await publisher.publish(Outgoing(CHATS_ANSWERED, event))
    assert place.topic == kafka_settings.topic_prefix + CHATS_ANSWERED.name
    assert place.partition == publisher.partition_for(CHATS_ANSWERED, event.subject)
    (record,) = await read(kafka_settings, place.topic, place.partition, 1)
    assert record.offset == place.offset
    assert record.key == event.subject.encode()
    assert record.value == encode(event)
    assert record.headers == (("content-type", b"application/cloudevents+json; charset=UTF-8"),)


async def test_places_come_in_order_and_the_end_offset_follows(publisher: KafkaPublisher):
    events = whole_reply(str(uuid.uuid4()), [str(number) for number in range(500)])
    places = await publisher.publish_all(outgoing(events, 2))
    assert [place.offset for place in places] == list(range(len(events)))
    assert await publisher.end_offset(CHATS_ANSWERED, 2) == len(events)


async def test_an_explicit_key_decides_the_partition(publisher: KafkaPublisher):
    place = await publisher.publish(Outgoing(CHATS_ANSWERED, extended("r", 1, "x"), key="conversation"))
    assert place.partition == publisher.partition_for(CHATS_ANSWERED, "conversation")


@pytest.mark.parametrize(("key", "murmur2"), [("21", -973932308), ("foobar", -790332482), ("abc", 479470107)])
def test_keys_go_where_every_kafka_client_sends_them(key: str, murmur2: int):
    """The vectors of Kafka's own test of its murmur2."""
    assert publisher_module._partition(key.encode(), 1_000_003) == (murmur2 & 0x7FFFFFFF) % 1_000_003


async def test_raw_bytes_are_published_as_they_are(publisher: KafkaPublisher, kafka_settings: KafkaSettings):
    topic = publisher.physical_name(CHATS_ANSWERED)
    place = await publisher.publish_raw(topic, b"k", b"\xff\x00", {"cause": "ü".encode()}, partition=3)
    await publisher.publish_raw(topic, None, None, {}, partition=3)
    first, second = await read(kafka_settings, topic, 3, 2)
    assert (first.offset, first.key, first.value, first.headers) == (place.offset, b"k", b"\xff\x00", (("cause", "ü".encode()),))
    assert (second.key, second.value) == (None, b"")


async def test_a_record_over_its_topics_limit_is_refused_and_hurts_nobody(publisher: KafkaPublisher):
    with pytest.raises(Refused, match="1048576") as refusal:
        await publisher.publish(Outgoing(CHATS_ANSWERED, extended("r", 1, "x" * 1_048_576)))
    assert refusal.value.code == "document_too_large"
    assert publisher.ready
    assert (await publisher.publish(Outgoing(CHATS_ANSWERED, extended("r", 1, "x" * 1_040_000)))).offset == 0


async def test_a_record_that_only_the_broker_finds_too_large_is_refused_and_the_next_one_passes(publisher: KafkaPublisher):
    """The refused batch has used up sequence numbers: without a new producer the broker would refuse everything after it."""
    topic = publisher.physical_name(CHATS_ANSWERED)
    with pytest.raises(Refused):
        await publisher.publish_raw(topic, b"k", b"x" * 1_060_000, {})
    async with asyncio.timeout(5):
        while not publisher.ready:
            await asyncio.sleep(0.02)
    places = [await publisher.publish_raw(topic, b"k", b"small", {}) for _ in range(3)]
    assert [place.offset for place in places] == [0, 1, 2]


async def test_a_topic_or_partition_that_is_not_there_is_told_at_once(publisher: KafkaPublisher):
    async with asyncio.timeout(1):
        with pytest.raises(Unavailable):
            await publisher.publish(Outgoing(CHATS_ASKED, extended("r", 1, "x")))
        with pytest.raises(Unavailable):
            await publisher.publish(Outgoing(CHATS_ANSWERED, extended("r", 1, "x"), partition=99))
    with pytest.raises(Unavailable):
        publisher.partition_for(CHATS_ASKED, "k")
    assert publisher.ready


async def test_what_waits_is_bounded(publisher: KafkaPublisher, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(publisher_module, "RECORDS_PENDING_MAX", 5)
    places = [await publisher.enqueue(each) for each in outgoing([extended("r", seq, "x") for seq in range(5)], 0)]
    with pytest.raises(Unavailable) as refusal:
        await publisher.enqueue(Outgoing(CHATS_ANSWERED, extended("r", 9, "x")))
    assert refusal.value.code == "overloaded"
    assert [(await place).offset for place in places] == [0, 1, 2, 3, 4]
    assert publisher._pending_bytes == 0


async def test_stopping_waits_for_what_is_under_way(publisher: KafkaPublisher):
    place = await publisher.enqueue(Outgoing(CHATS_ANSWERED, extended("r", 1, "x")))
    await publisher.stop()
    assert (await place).offset == 0
    with pytest.raises(Unavailable):
        await publisher.publish(Outgoing(CHATS_ANSWERED, extended("r", 2, "x")))
