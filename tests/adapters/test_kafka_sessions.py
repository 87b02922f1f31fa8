"""Fetch sessions: whatever is lost on the way, the broker serves exactly what the consumer wants."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, KafkaStorageError
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v4, FetchRequest_v11
from hypothesis import given
from hypothesis import strategies as st

from adapters.kafka import connection_options, make_consumer, make_producer
from adapters.kafka_sessions import EPOCH_MAX, FetchSession, Positions, SessionFetch
from domain.usage.topics import USAGE_RECORDED
from schemas.settings import KafkaSettings

PLACES = [TopicPartition(topic, partition) for topic in ("a", "b") for partition in range(3)]


@dataclass
class Answer:
    error_code: int
    session_id: int
    API_VERSION: int = 11


@dataclass
class Broker:
    """Sessions as KIP-227 has them."""

    sessions: dict[int, tuple[int, Positions]] = field(default_factory=dict)
    served: Positions = field(default_factory=dict)
    named: int = 0
    ids: int = 0
    has_room: bool = True

    def answer(self, fetch: SessionFetch) -> Answer:
        built = fetch.build(FetchRequest_v11)
        topics: Positions = {
            TopicPartition(topic, partition): (offset, bytes_max)
            for topic, partitions in built.topics
            for partition, _, offset, _, bytes_max in partitions
        }
        self.named = len(topics)
        if built.session_epoch == 0:
            self.sessions.pop(built.session_id, None)
            assert not built.forgotten_topics_data
            self.served = topics
            if not self.has_room:
                return Answer(0, 0)
            self.ids += 1
            self.sessions[self.ids] = (1, topics)
            return Answer(0, self.ids)
        if built.session_id not in self.sessions:
            return Answer(70, 0)
        epoch, positions = self.sessions[built.session_id]
        if epoch != built.session_epoch:
            return Answer(71, 0)
        gone = {TopicPartition(topic, each) for topic, partitions in built.forgotten_topics_data for each in partitions}
        self.served = {place: at for place, at in (positions | topics).items() if place not in gone}
        self.sessions[built.session_id] = (epoch + 1, self.served)
        return Answer(0, built.session_id)


def fetch_of(wanted: Positions) -> FetchRequest:
    topics: dict[str, list[tuple[int, int, int]]] = {}
    for (topic, partition), at in wanted.items():
        topics.setdefault(topic, []).append((partition, *at))
    return FetchRequest(500, 1, 100, 1, list(topics.items()))


WANTED = st.dictionaries(st.sampled_from(PLACES), st.tuples(st.integers(0, 3), st.just(10)), min_size=1)
EVENTS = st.sampled_from(["arrives", "arrives", "arrives", "request lost", "answer lost", "evicted", "restarted", "full", "room"])


@given(st.lists(st.tuples(WANTED, EVENTS), max_size=25))
def test_the_broker_serves_what_is_wanted_whatever_is_lost(steps: list[tuple[Positions, str]]) -> None:
    session, broker = FetchSession(), Broker()

    async def scenario() -> None:
        for wanted, event in steps:
            if event in ("evicted", "restarted"):
                broker.sessions.clear()
            if event == "restarted":
                broker.ids = 0
            broker.has_room = event == "room" or (broker.has_room and event != "full")

            async def send(fetch: SessionFetch, event: str = event) -> Answer:
                if event == "request lost":
                    raise KafkaError
                answer = broker.answer(fetch)
                if event == "answer lost":
                    raise asyncio.CancelledError
                return answer

            try:
                await session.send(send, fetch_of(wanted), wanted)
            except (KafkaError, asyncio.CancelledError):
                continue
            assert broker.served == wanted

    asyncio.run(scenario())


async def test_only_what_changed_is_named() -> None:
    session, broker = FetchSession(), Broker()

    async def send(fetch: SessionFetch) -> Answer:
        return broker.answer(fetch)

    wanted: Positions = dict.fromkeys(PLACES, (0, 10))
    named = []
    for changes in ({}, {}, {PLACES[2]: (5, 10)}, {PLACES[2]: (5, 10)}):
        await session.send(send, fetch_of(wanted | changes), wanted | changes)
        named.append(broker.named)
    assert named == [6, 0, 1, 0]
    assert broker.sessions.keys() == {1}, "it is one session"


async def test_a_session_goes_on_behind_its_last_epoch() -> None:
    session, epochs = FetchSession(), []
    session._id, session._epoch = 7, EPOCH_MAX

    async def send(fetch: SessionFetch) -> Answer:
        epochs.append(fetch.build(FetchRequest_v11).session_epoch)
        return Answer(0, 7)

    for _ in range(2):
        await session.send(send, fetch_of({}), {})
    assert epochs == [EPOCH_MAX, 1]


async def test_other_errors_are_the_callers() -> None:
    async def send(_fetch: SessionFetch) -> Answer:
        return Answer(KafkaStorageError.errno, 0)

    with pytest.raises(KafkaStorageError):
        await FetchSession().send(send, fetch_of({}), {})


async def test_a_broker_without_sessions_is_told_everything() -> None:
    session, told = FetchSession(), []

    async def send(fetch: SessionFetch) -> Answer:
        told.append(fetch.build(FetchRequest_v4).topics)
        return Answer(0, 0, API_VERSION=4)

    wanted: Positions = dict.fromkeys(PLACES, (0, 10))
    for _ in range(2):
        await session.send(send, fetch_of(wanted), wanted)
    assert [sum(len(partitions) for _, partitions in topics) for topics in told] == [6, 6]


@pytest.mark.stack
async def test_a_consumer_reads_every_record_and_names_what_changed(
    kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    build = SessionFetch.build

    def count_named(fetch: SessionFetch, struct: Any) -> Any:
        built = build(fetch, struct)
        sent.append(sum(len(partitions) for _, partitions in built.topics))
        return built

    monkeypatch.setattr(SessionFetch, "build", count_named)
    await topics(USAGE_RECORDED)
    name, options = kafka_settings.topic_prefix + USAGE_RECORDED.name, connection_options(kafka_settings)
    consumer, producer = make_consumer(options, group_id=None, fetch_max_wait_ms=50), make_producer(options)
    await asyncio.gather(consumer.start(), producer.start())
    try:
        count = len(await producer.partitions_for(name))
        partitions = [TopicPartition(name, number) for number in range(count)]
        consumer.assign(partitions)
        await consumer.seek_to_end()
        for number in range(6):
            if number == 5:
                consumer.seek(partitions[1], 0)  # it reads from there again
            await producer.send_and_wait(name, b"%d" % number, partition=number % count)
            read: list[bytes | None] = []
            async with asyncio.timeout(10.0):
                while b"%d" % number not in read:
                    read += [record.value for records in (await consumer.getmany(timeout_ms=100)).values() for record in records]
            assert read == ([b"1", b"5"] if number == 5 else [b"%d" % number])
    finally:
        await asyncio.gather(consumer.stop(), producer.stop())
    assert sent[0] == count
    assert max(sent[1:]) <= 2, sent
