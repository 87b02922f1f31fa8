"""Whoever connects before the topics are there, or while the broker knows only some of them, learns them as soon as they are."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata

from adapters.kafka import StoredRecord
from domain.chats.relay import Relay
from domain.chats.topics import CHATS_ANSWERED, CHATS_ASKED
from domain.configs.topics import CONFIGS_CHANGED
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.outgoing import Outgoing
from streams.log.partitions import fetch_partition_counts
from streams.log.publisher import KafkaPublisher
from streams.log.reader import open_log_reader
from streams.log.replica import TopicReplica
from streams.log.tail import TopicTail
from tests.support.reply_events import extended

pytestmark = pytest.mark.stack
Create = Callable[..., Awaitable[None]]


@contextlib.asynccontextmanager
async def started(publisher: KafkaPublisher) -> AsyncIterator[KafkaPublisher]:
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()


async def until(reached: Callable[[], bool], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not reached():
            await asyncio.sleep(0.02)


async def test_a_publisher_that_is_there_before_the_topics_learns_them(kafka_settings: KafkaSettings, topics: Create):
    """Nothing has to be published for it, and nothing to be restarted."""
    async with started(KafkaPublisher(kafka_settings, (CHATS_ASKED, CHATS_ANSWERED))) as publisher:
        with pytest.raises(Unavailable, match="claw topics apply"):
            publisher.partition_for(CHATS_ASKED, "k")
        await topics(CHATS_ASKED)
        await until(lambda: len(publisher.unknown_topics) == 1)
        assert 0 <= publisher.partition_for(CHATS_ASKED, "k") < kafka_settings.partitions
        with pytest.raises(Unavailable):
            publisher.partition_for(CHATS_ANSWERED, "k")
        await topics(CHATS_ANSWERED)
        await until(lambda: not publisher.unknown_topics)
        assert (await publisher.publish(Outgoing(CHATS_ANSWERED, extended("r", 1, "x")))).offset == 0


async def test_many_senders_of_unknown_topics_do_not_keep_each_other_from_learning(kafka_settings: KafkaSettings, topics: Create):
    await topics(CHATS_ASKED, CHATS_ANSWERED, CONFIGS_CHANGED)
    async with started(KafkaPublisher(kafka_settings, ())) as publisher:
        names = [publisher.physical_name(topic) for topic in (CHATS_ASKED, CHATS_ANSWERED, CONFIGS_CHANGED)]
        places = await asyncio.gather(*(publisher.publish_raw(name, b"k", b"v", {}) for name in names * 5))
        assert {place.topic for place in places} == set(names)


@pytest.fixture
def answers_without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """The next answers of the broker to any client lack this topic, as those of a broker that has just started may."""
    left: dict[str, int] = {}
    update = ClusterMetadata.update_metadata

    def receive(self, metadata):
        named = [topic[1] for topic in metadata.topics]
        lacking = {name for name, times in left.items() if times and name in named}
        left.update({name: left[name] - 1 for name in lacking})
        metadata.topics = [topic for topic in metadata.topics if topic[1] not in lacking]
        return update(self, metadata)

    monkeypatch.setattr(ClusterMetadata, "update_metadata", receive)
    return lambda name, times: left.update({name: times})


async def test_an_answer_without_a_topic_is_asked_again(kafka_settings: KafkaSettings, topics: Create, answers_without):
    await topics(CHATS_ASKED)
    answers_without(kafka_settings.topic_prefix + CHATS_ASKED.name, 4)
    async with started(KafkaPublisher(kafka_settings, (CHATS_ASKED,))) as publisher:
        await until(lambda: not publisher.unknown_topics)
        assert await publisher.end_offset(CHATS_ASKED, 0) == 0


async def test_followers_learn_of_topics_that_come_later(kafka_settings: KafkaSettings, topics: Create):
    """Not one of them is ready before: an empty topic and none are two things."""
    folded: list[StoredRecord] = []
    taken: list[bytes | None] = []
    replica = TopicReplica(kafka_settings, CONFIGS_CHANGED, folded.append, fetch_bytes_min=1, wait_ms=100)
    tail = TopicTail(kafka_settings, CHATS_ASKED, lambda _p, _o, _k, value: taken.append(value), choose=range)
    relay = Relay(kafka_settings)
    await replica.start()
    tail.start()
    starting = asyncio.create_task(relay.start())
    try:
        await asyncio.sleep(0.5)
        assert [replica.ready, tail.reached.is_set(), relay.ready] == [False] * 3
        await topics(CONFIGS_CHANGED, CHATS_ASKED, CHATS_ANSWERED)
        await until(lambda: replica.ready and tail.reached.is_set() and relay.ready)
        async with started(KafkaPublisher(kafka_settings, (CONFIGS_CHANGED, CHATS_ASKED))) as publisher:
            for topic in (CONFIGS_CHANGED, CHATS_ASKED):
                await publisher.publish_raw(publisher.physical_name(topic), b"k", b"v", {})
            await until(lambda: bool(folded and taken))
    finally:
        await starting
        for each in (replica, tail, relay):
            await each.stop()


async def test_a_replica_keeps_its_partitions_when_the_broker_once_answers_without_the_topic(
    kafka_settings: KafkaSettings, topics: Create, answers_without
):
    folded: list[int] = []
    await topics(CONFIGS_CHANGED)
    name = kafka_settings.topic_prefix + CONFIGS_CHANGED.name
    replica = TopicReplica(kafka_settings, CONFIGS_CHANGED, lambda record: folded.append(record.offset), fetch_bytes_min=1, wait_ms=100)
    await replica.start()
    async with started(KafkaPublisher(kafka_settings, (CONFIGS_CHANGED,))) as publisher:
        try:
            assert await replica.wait_ready(10.0)
            await publisher.publish_raw(name, b"k", b"1", {}, partition=0)
            await until(lambda: folded == [0])
            answers_without(name, 3)
            consumer: Any = replica._connection.consumer
            await consumer._client.force_metadata_update()
            await publisher.publish_raw(name, b"k", b"2", {}, partition=0)
            await until(lambda: len(folded) > 1, timeout_s=5.0)
            assert folded == [0, 1], "nothing twice"
        finally:
            await replica.stop()


async def test_a_reader_does_not_take_a_missing_topic_for_an_empty_one(kafka_settings: KafkaSettings):
    """A table that is rebuilt from it would be emptied."""
    assert await fetch_partition_counts(kafka_settings, {kafka_settings.topic_prefix + CHATS_ASKED.name}) == {}
    with pytest.raises(Unavailable, match="claw topics apply"):
        async with open_log_reader(kafka_settings) as reader:
            await reader.partitions(CHATS_ASKED)
