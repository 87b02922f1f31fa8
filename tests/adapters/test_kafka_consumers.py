"""Every consumer comes from one place, which makes it read committed records only and gives it the codecs of upstream producers."""

import ast
import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiokafka.codec import has_gzip, has_lz4, has_snappy, has_zstd

from adapters.kafka import TopicPartition, connection_options, make_consumer
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
