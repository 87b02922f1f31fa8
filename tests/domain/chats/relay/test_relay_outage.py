"""The log goes away and comes back: callers are told in time, streams wait, everything recovers by itself."""

import asyncio
import os
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from domain.chats.relay import HEARTBEAT, Relay
from domain.chats.topics import CHATS_ANSWERED
from ops.commands import topics as administration
from ops.stack import kafka as embedded
from ops.stack.child import ComponentProcess
from ops.stack.ports import claim
from schemas.errors import Unavailable
from schemas.settings import KafkaSettings
from streams.log.outgoing import Outgoing
from streams.log.publisher import KafkaPublisher
from tests.support.reply_events import collect, extended, names, outgoing, text_of, until_published, whole_reply

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

PIECES = [f"{number} " for number in range(12)]


class Broker:
    """A Kafka of this test's own, to be stopped and started."""

    def __init__(self, folder: Path) -> None:
        taken: set[int] = set()
        self.node = embedded.KafkaNode(folder / "kafka", folder / "kafka.log", claim("kafka", 0, taken), claim("controller", 0, taken))
        self._component = embedded.prepare(self.node, os.environ)
        self._child: ComponentProcess | None = None

    async def start(self) -> None:
        self._child = ComponentProcess(self._component)
        await self._child.wait_ready()

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop()
            self._child = None


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path / "kafka", ignore_errors=True)


@pytest.fixture
async def broker(folder: Path) -> AsyncIterator[Broker]:
    broker = Broker(folder)
    await broker.start()
    yield broker
    await broker.stop()


async def refused(publisher: KafkaPublisher, each: Outgoing) -> float:
    """Seconds until it is known that the log does not take this."""
    began = time.monotonic()
    with pytest.raises(Unavailable):
        await publisher.publish(each)
    return time.monotonic() - began


async def test_a_broker_that_stops_and_comes_back(broker: Broker):
    """One story, since a broker is expensive: an open stream, an outage, a flood of refused events, recovery, the stream's end."""
    kafka = broker.node.settings(KafkaSettings(reply_partitions=2))
    await administration.apply(kafka, [CHATS_ANSWERED])
    publisher = KafkaPublisher(kafka, topics=[CHATS_ANSWERED])
    own, other = Relay(kafka, choose=lambda _: 0), Relay(kafka, choose=lambda _: 1)
    for part in (publisher, own, other):
        await part.start()
    reply_id = str(uuid.uuid4())
    events = outgoing(whole_reply(reply_id, PIECES), 0)
    location = own.location()
    readers = [asyncio.create_task(collect(each, reply_id, location=location, heartbeats=True, heartbeat_s=0.5)) for each in (own, other)]
    await publisher.publish_all(events[:5])
    await asyncio.sleep(0.5)

    await broker.stop()
    probe = Outgoing(CHATS_ANSWERED, extended("probe", 1, "x"), partition=1)
    flood = await asyncio.gather(*(refused(publisher, probe) for _ in range(200)))
    assert max(flood) < 2.0
    assert await refused(publisher, probe) < 0.1
    assert not publisher._pending
    async with aclosing(own.stream(reply_id, location=location, heartbeat_s=0.1)) as frames:
        assert names([await anext(frames) for _ in range(3)]) == ["retrieved", "delta", "delta"]
    late = asyncio.create_task(collect(other, reply_id, location=location, heartbeat_s=0.5))
    await asyncio.sleep(2)
    assert not any(reader.done() for reader in [*readers, late])

    await broker.start()
    for event in events[5:]:
        await until_published(publisher, event)
    async with asyncio.timeout(30):
        streams = [await reader for reader in [*readers, late]]
    assert HEARTBEAT in streams[0]
    for stream in streams:
        told = [frame for frame in stream if frame is not HEARTBEAT]
        assert text_of(told) == "".join(PIECES)
        assert names(told).count("completed") == 1
        assert "snapshot" not in names(told)
        assert len({frame.id for frame in told}) == len(told)
    for part in (publisher, own, other):
        await part.stop()


async def test_starting_before_the_broker(folder: Path):
    """Nothing is fatal: the process comes up, says so, and works once the log does."""
    broker = Broker(folder)
    kafka = broker.node.settings(KafkaSettings(reply_partitions=1))
    publisher, relay = KafkaPublisher(kafka, topics=[CHATS_ANSWERED]), Relay(kafka)
    await asyncio.gather(publisher.start(), relay.start())
    assert (publisher.ready, relay.ready) == (False, False)
    with pytest.raises(Unavailable):
        relay.location()
    event = Outgoing(CHATS_ANSWERED, extended("r", 1, "x"))
    assert await refused(publisher, event) < 0.1
    await broker.start()
    try:
        async with asyncio.timeout(30):
            while not publisher.ready:  # reached while it has no topic at all: one made later is found all the same
                await asyncio.sleep(0.1)
        await administration.apply(kafka, [CHATS_ANSWERED])
        await until_published(publisher, event)
        async with asyncio.timeout(15):
            while not relay.ready:
                await asyncio.sleep(0.1)
    finally:
        await relay.stop()
        await publisher.stop()
        await broker.stop()
