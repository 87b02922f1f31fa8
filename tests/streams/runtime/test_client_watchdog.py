"""A process whose Kafka clients stand still although the broker answers ends; one that only misses the broker waits."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import msgspec
import pytest

from adapters.kafka import TopicPartition
from domain.documents.topics import DOCUMENTS_SUBMITTED
from schemas.settings import KafkaSettings
from streams.log.followers import Followers
from streams.log.publisher import KafkaPublisher
from streams.log.replica import TopicReplica
from streams.runtime import client_watchdog
from streams.runtime.client_watchdog import ClientWatchdog

pytestmark = pytest.mark.stack


@dataclass
class Standing:
    """A follower that stands wherever it is put."""

    topic: str
    is_connected: bool = True
    positions: Mapping[TopicPartition, int] = field(default_factory=dict)


@dataclass
class Bench:
    kafka: KafkaSettings
    publisher: KafkaPublisher
    followers: Followers = field(default_factory=Followers)
    ended: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.publisher.physical_name(DOCUMENTS_SUBMITTED)

    async def watch(self, until: Callable[[ClientWatchdog], bool], timeout_s: float = 15.0) -> str:
        watchdog = ClientWatchdog(self.kafka, self.publisher, self.followers, self.ended.append)
        await watchdog.start()
        try:
            async with asyncio.timeout(timeout_s):
                while not until(watchdog):
                    await asyncio.sleep(0.02)
            return watchdog.problem
        finally:
            await watchdog.stop()


@pytest.fixture
async def bench(kafka_settings: KafkaSettings, topics, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    for name, value in (("OBSERVE_S", 0.05), ("PROGRESS_S", 0.2), ("PROBE_S", 0.1), ("GRACE_S", 0.1), ("PROBE_S_MAX", 5.0)):
        monkeypatch.setattr(client_watchdog, name, value)
    await topics(DOCUMENTS_SUBMITTED)
    kafka = msgspec.structs.replace(kafka_settings, stuck_s=0.5)
    publisher = KafkaPublisher(kafka, (DOCUMENTS_SUBMITTED,))
    await publisher.start()
    yield Bench(kafka, publisher)
    await publisher.stop()


async def test_clients_that_work_are_left_alone(bench: Bench, kafka_settings: KafkaSettings):
    """Also one that has read everything, and stands because nothing comes."""
    bench.followers.install()
    replica = TopicReplica(kafka_settings, DOCUMENTS_SUBMITTED, lambda _: None, fetch_bytes_min=1, wait_ms=100)
    await replica.start()
    try:
        assert [each.topic for each in bench.followers] == [bench.name]
        await bench.publisher.publish_raw(bench.name, b"k", b"v", {}, partition=1)
        assert await replica.wait_ready(10.0)
        passed = asyncio.get_running_loop().time() + 2.0
        assert await bench.watch(lambda _: asyncio.get_running_loop().time() > passed) == ""
        assert bench.ended == []
    finally:
        await replica.stop()
    assert not list(bench.followers)


async def test_a_publisher_that_never_learns_the_partitions_ends_the_process(bench: Bench):
    bench.publisher._link.stop_connecting()
    bench.publisher._link._counts.clear()
    problem = await bench.watch(lambda _: bool(bench.ended))
    assert bench.ended == [problem]
    assert bench.name in problem


async def test_a_follower_that_lost_its_consumer_ends_the_process(bench: Bench):
    bench.followers.add(Standing(bench.name, is_connected=False))
    assert await bench.watch(lambda _: bool(bench.ended)) == f"{bench.name} is not followed"


async def test_a_follower_that_reads_nothing_more_ends_the_process(bench: Bench):
    place = await bench.publisher.publish_raw(bench.name, b"k", b"v", {}, partition=1)
    stands = {TopicPartition(bench.name, 1): place.offset, TopicPartition(bench.name, 0): 0}
    bench.followers.add(Standing(bench.name, positions=stands))
    problem = await bench.watch(lambda _: bool(bench.ended))
    assert problem == f"{bench.name} is not read on from offset {place.offset} of partition 1"


async def test_without_the_broker_or_its_topics_nothing_is_gained_by_a_restart(bench: Bench):
    """It is a problem that readiness names, and no more."""
    bench.followers.add(Standing("t.missing.v1", is_connected=False))
    passed = asyncio.get_running_loop().time() + 2.0
    problem = await bench.watch(lambda _: asyncio.get_running_loop().time() > passed)
    assert (problem, bench.ended) == ("t.missing.v1 is not followed", [])
    bench.kafka = msgspec.structs.replace(bench.kafka, bootstrap="127.0.0.1:1")
    bench.followers.add(Standing(bench.name, is_connected=False))
    passed = asyncio.get_running_loop().time() + 1.5
    await bench.watch(lambda _: asyncio.get_running_loop().time() > passed)
    assert bench.ended == []
