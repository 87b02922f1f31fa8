"""Every consumer comes from one place, which makes it read committed records only and gives it the codecs of upstream producers."""

import ast
import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.codec import has_gzip, has_lz4, has_snappy, has_zstd

from adapters.kafka import TopicPartition, connection_options, make_consumer, make_producer, start_client
from domain.configs.topics import CONFIGS_CHANGED
from schemas.settings import KafkaSettings
from streams.runtime.loop_consumer import LoopConsumer

ROOT = Path(__file__).parents[2]
CODE = ("schemas", "adapters", "streams", "domain", "agents", "api", "ops", "benchmarks")
ONE_PLACE = "adapters/kafka.py"


def constructions(source: str) -> Iterator[int]:
    """The lines that use the class of a consumer for anything but a type or an import."""
    tree = ast.parse(source)
    types = {
        id(inner)
        for node in ast.walk(tree)
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None), getattr(node, "slice", None))
        if part is not None
        for inner in ast.walk(part)
    }
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if isinstance(node, ast.expr) and name == "AIOKafkaConsumer" and id(node) not in types:
            yield node.lineno


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("c = AIOKafkaConsumer('t')", True),
        ("c = aiokafka.AIOKafkaConsumer('t')", True),
        ("make = functools.partial(aiokafka.AIOKafkaConsumer, 't')", True),
        ("def f(c: AIOKafkaConsumer) -> aiokafka.AIOKafkaConsumer: ...", False),
        ("from aiokafka import AIOKafkaConsumer\nc: AIOKafkaConsumer | None = None", False),
        ("Connect = Callable[[], AIOKafkaConsumer]", False),
    ],
)
def test_a_construction_is_recognised(source: str, found: bool):
    assert bool(list(constructions(source))) == found


def test_no_consumer_is_made_elsewhere():
    """Whatever it reads, it would read aborted records as well."""
    files = {
        str(path.relative_to(ROOT))
        for package in CODE
        for path in (ROOT / package).rglob("*.py")
        if any(constructions(path.read_text(encoding="utf-8")))
    }
    assert files == {ONE_PLACE}


async def test_what_is_made_reads_committed_records_only():
    consumer = make_consumer({"bootstrap_servers": "127.0.0.1:1"}, "t", group_id=None)
    assert vars(consumer)["_isolation_level"] == "read_committed"
    with pytest.raises(TypeError, match="isolation_level"):
        make_consumer({"bootstrap_servers": "127.0.0.1:1"}, isolation_level="read_uncommitted")
    await consumer.stop()


def test_faust_has_no_other_way_to_a_consumer():
    """Stock Faust chooses between two constructors here, and both read uncommitted records."""
    assert "_create_consumer" in vars(LoopConsumer)


def test_every_codec_that_a_producer_may_choose_is_there():
    assert all(has() for has in (has_gzip, has_snappy, has_lz4, has_zstd))


@pytest.mark.stack
async def test_a_consumer_stops_while_its_assignment_changes(kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]) -> None:
    """aiokafka's own ``stop`` never ends when its task begins in the turn of the event loop after the change."""
    await topics(CONFIGS_CHANGED)
    name = kafka_settings.topic_prefix + CONFIGS_CHANGED.name
    consumer = make_consumer(connection_options(kafka_settings), group_id=None)
    await consumer.start()
    consumer.assign([TopicPartition(name, 0)])
    await consumer.seek_to_end()
    await consumer.getmany(timeout_ms=300)  # a fetch is under way
    consumer.assign([TopicPartition(name, 1)])
    stopping = asyncio.ensure_future(consumer.stop())
    ended, _ = await asyncio.wait([stopping], timeout=10.0)  # aiokafka's own would swallow the cancellation of a timeout, too
    assert ended


@pytest.mark.stack
@pytest.mark.parametrize("make", [lambda options: make_consumer(options, group_id=None), make_producer], ids=["consumer", "producer"])
async def test_a_client_stops_when_its_metadata_task_loses_a_cancellation(
    kafka_settings: KafkaSettings, make: Callable[[Any], Any]
) -> None:
    """aiokafka's own ``close`` waits for that task for ever."""
    client = make(connection_options(kafka_settings))
    await client.start()
    connections = vars(client).get("_client") or client.client
    connections._sync_task.cancel()
    connections._sync_task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    stopping = asyncio.ensure_future(client.stop())
    ended, _ = await asyncio.wait([stopping], timeout=10.0)
    assert ended
    assert not any(each.connected() for each in connections._conns.values())


@pytest.mark.stack
async def test_a_fetch_that_had_not_begun_cancels_nobody(kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]) -> None:
    """aiokafka's own ``stop`` raises its cancellation: whoever follows a topic would end, and leave the consumer connected."""
    await topics(CONFIGS_CHANGED)
    consumer = make_consumer(connection_options(kafka_settings), group_id=None)
    await consumer.start()
    consumer.assign([TopicPartition(kafka_settings.topic_prefix + CONFIGS_CHANGED.name, 0)])
    await consumer.seek_to_end()
    connections = list(vars(consumer)["_client"]._conns.values())
    assert any(each.connected() for each in connections)
    vars(consumer)["_fetcher"]._pending_tasks.add(asyncio.ensure_future(asyncio.sleep(60)))
    await consumer.stop()
    assert not any(each.connected() for each in connections)


@pytest.mark.stack
async def test_who_is_cancelled_while_a_client_stops_leaves_no_connection_open(kafka_settings: KafkaSettings) -> None:
    producer = make_producer(connection_options(kafka_settings))
    await producer.start()
    assert await producer.client.ready(next(iter(producer.client.cluster.brokers())).nodeId)
    connections = list(producer.client._conns.values())
    assert any(each.connected() for each in connections)
    closing = asyncio.ensure_future(producer.client.close())
    await asyncio.sleep(0)  # it waits for the metadata task
    closing.cancel()
    await asyncio.wait([closing])
    assert not any(each.connected() for each in connections)
    await producer.stop()


async def deaf_once() -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(60)
    await asyncio.sleep(60)


class SlowClient:
    """Its start goes on after the first cancellation, and connects."""

    def __init__(self) -> None:
        self.ended = False

    async def start(self) -> None:
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            await asyncio.sleep(0.01)
        finally:
            self.ended = True


async def test_what_starts_too_late_has_ended_before_it_is_stopped() -> None:
    client = SlowClient()
    with pytest.raises(TimeoutError):
        await start_client(client, 0.01)
    assert client.ended
