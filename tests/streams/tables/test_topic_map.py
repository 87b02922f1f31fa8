"""A topic as a map in memory, and compare-and-set on it, on a real log and a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import msgspec
import pytest

from adapters.redis.client import RedisClient
from domain.configs.topics import CONFIGS_CHANGED
from domain.read_models import ReadModels
from schemas.configs import Config, ConfigChanged
from schemas.errors import Refused, Unavailable
from schemas.settings import KafkaSettings
from streams.clock import SystemClock
from streams.log.publisher import KafkaPublisher
from streams.tables.record_writer import RecordWriter
from streams.tables.topic_map import TopicMap, TopicMapWriter

NOON = datetime(2026, 1, 1, tzinfo=UTC)


def event_of(key: str, value: int, revision: int = 1) -> ConfigChanged:
    data = Config(key=key, value=value, revision=revision, changed_at=NOON, changed_by="ada", reason="")
    return ConfigChanged(id=f"{key}{value}", source="/claw/test", subject=key, time=NOON, tenant="t", traceparent="", data=data)


def parse(record: bytes) -> int:
    return int(msgspec.json.decode(record, type=ConfigChanged).data.value)


def record_of(key: str, value: int) -> bytes:
    return msgspec.json.encode(event_of(key, value))


Map = TopicMap[int]


@pytest.fixture
async def make_map(kafka_settings: KafkaSettings) -> AsyncIterator[Callable[[], Awaitable[Map]]]:
    """Maps of the test's topic, as several processes have them."""
    maps: list[Map] = []

    async def make() -> Map:
        maps.append(TopicMap(kafka_settings, CONFIGS_CHANGED, parse))
        await maps[-1].start()
        return maps[-1]

    yield make
    for each in maps:
        await each.stop()


@pytest.fixture
async def publisher(kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]) -> AsyncIterator[KafkaPublisher]:
    await topics(CONFIGS_CHANGED)
    made = KafkaPublisher(kafka_settings, topics=(CONFIGS_CHANGED,))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def write(redis: RedisClient, prefix: str, publisher: KafkaPublisher) -> Callable[[Map], TopicMapWriter[int]]:
    """A writer of a map with room for two keys."""
    records = RecordWriter(redis, prefix, publisher, ReadModels(redis, prefix), SystemClock())
    return lambda values: TopicMapWriter(values, CONFIGS_CHANGED, records, publisher, lease="test", keys_max=2)


def test_of_one_key_the_highest_offset_stays() -> None:
    """In any order; a record that cannot be parsed changes nothing; watchers see each change under their prefix once."""
    values = TopicMap(KafkaSettings(), CONFIGS_CHANGED, parse)
    seen: list[tuple[str, int | None]] = []
    values.watch("a", lambda key, value: seen.append((key, value)))
    rows = ((5, b"a1", record_of("a1", 2)), (3, b"a1", record_of("a1", 1)), (6, b"a1", b"{garbage"), (7, b"a1", b"\xff"), (4, b"a1", None))
    for row in (*rows, (8, b"b", record_of("b", 9)), (9, b"a2", record_of("a2", 4)), (10, b"a3", None)):
        values.fold(*row)
    assert (values.get("a1"), values.get("a3"), len(values), values.change_count) == (2, None, 3, 3)
    assert (sorted(values.values()), values.find_by_prefix("a")) == ([2, 4, 9], [2, 4])
    values.fold(11, b"a1", None)
    assert (values.get("a1"), seen) == (None, [("a1", 2), ("a2", 4), ("a1", None)])


@pytest.mark.stack
async def test_changes_reach_every_map(make_map: Callable[[], Awaitable[Map]], publisher: KafkaPublisher, write) -> None:
    """The writer's own at once, the others' when they have read it; a map that starts later has it too."""
    here, there = await make_map(), await make_map()
    since = there.change_count
    assert await write(here).change("k", lambda before: (event_of("k", 1), 1)) == 1
    assert here.get("k") == 1
    assert await there.wait_change(since, 10.0) > since
    assert there.get("k") == 1
    assert (await make_map()).get("k") == 1


@pytest.mark.stack
async def test_no_change_is_lost(make_map: Callable[[], Awaitable[Map]], write) -> None:
    """Two processes count to ten together: each step gets the newest value, though neither has read it before."""
    writers = [write(await make_map()), write(await make_map())]

    def add(before: int | None) -> tuple[ConfigChanged, int]:
        after = (before or 0) + 1
        return event_of("k", after, after), after

    for _ in range(5):
        await asyncio.gather(*(writer.change("k", add) for writer in writers))
    assert await writers[0].change("k", lambda before: None) == 10


@pytest.mark.stack
async def test_a_step_may_refuse_and_a_map_is_bounded(make_map: Callable[[], Awaitable[Map]], write) -> None:
    """What the step raises is raised and nothing is written; no key is added beyond the limit, while the others still change."""
    values = await make_map()
    writer = write(values)

    def refuse(before: int | None) -> None:
        raise Refused("lost_update")

    for key in ("a", "b", "a"):
        await writer.change(key, lambda before, key=key: (event_of(key, 1 + (before or 0)), 1 + (before or 0)))
    with pytest.raises(Refused):
        await writer.change("a", refuse)
    with pytest.raises(Unavailable, match="has 2 keys"):
        await writer.change("c", lambda before: (event_of("c", 1), 1))
    assert (values.get("a"), values.get("b"), values.get("c")) == (2, 1, None)
