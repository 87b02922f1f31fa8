"""Visibility: fields only grow, so any order and any repeat of the same news leave readers with the same sight."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.kafka import connection
from adapters.redis.client import Client
from domain.documents.express import EXPRESS_MAX, Express
from domain.documents.visibility import Built, Sight, Standing, Stored, Visibility
from domain.documents.visibility_replica import Mirror
from schemas.documents import DocumentProgressed, Progress, State
from schemas.errors import Unavailable
from schemas.events import encode
from schemas.settings import Kafka
from streams.topics import DOCUMENTS_PROGRESSED

pytestmark = pytest.mark.stack
NEWS = st.lists(st.tuples(st.sampled_from(["submitted", "withdrawn", "indexed"]), st.integers(0, 6)), max_size=10)


@pytest.fixture
def visibility(redis: Client, prefix: str) -> Visibility:
    return Visibility(redis, prefix)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(news=NEWS, data=st.data())
async def test_fields_only_grow(visibility: Visibility, news: list[tuple[str, int]], data: st.DataObject) -> None:
    """In whatever order and however often it is told: highest of each."""
    key = f"t/kb/{uuid.uuid4().hex}"
    for what, version in data.draw(st.permutations(news + news)):
        reply = await getattr(visibility, what)(key, version)
        if what == "indexed":
            standing = (await visibility.of([key]))[key]
            assert reply == standing.shows(version)
    deleted = max((v for what, v in news if what == "withdrawn"), default=-1)
    expected = Standing(
        latest=max((v for what, v in news if what != "indexed"), default=-1),
        visible=max((v for what, v in news if what == "indexed"), default=-1),
        deleted=deleted,
    )
    assert await visibility.of([key, "t/kb/none"]) == {key: expected, "t/kb/none": Standing()}
    for version in range(7):
        newer = version < expected.latest and version != expected.visible
        assert await visibility.superseded(key, version) == (newer or version <= deleted)


async def test_a_late_bulk_version_never_comes_back(visibility: Visibility) -> None:
    """Indexed after the withdrawal of a later version: not visible; a new submission is."""
    key = "t/kb/doc with spaces {and} braces"
    await visibility.submitted(key, 3)
    await visibility.withdrawn(key, 5)
    assert not await visibility.indexed(key, 3)
    assert (await visibility.of([key]))[key].shown is None
    await visibility.submitted(key, 8)
    assert await visibility.indexed(key, 8)
    assert await visibility.indexed(key, 8)  # a repeat says the same
    assert (await visibility.of([key]))[key].shown == 8


async def test_many_keys_in_few_trips(visibility: Visibility) -> None:
    """More keys than one pipeline takes."""
    keys = [f"t/kb/{n}" for n in range(1201)]
    await visibility.indexed(keys[1200], 0)
    found = await visibility.of(keys)
    assert [key for key in keys if found[key].shown is not None] == [keys[1200]]


async def test_poison_reads_as_nothing_known(visibility: Visibility, redis: Client, prefix: str) -> None:
    """A field that is no number hides the document until the next news."""
    await redis.execute_command("HSET", f"{prefix}:visibility:{{t/kb/p}}", "visible", "garbage")
    assert (await visibility.of(["t/kb/p"]))["t/kb/p"] == Standing()
    assert await visibility.indexed("t/kb/p", 2)


async def test_the_express_lane_holds_each_version_once_and_only_so_many(redis: Client, prefix: str) -> None:
    """A repeat is told the same, leaving twice does not hurt, a lost one is forgotten; each tenant has its own."""
    express = Express(redis, prefix)
    assert all([await express.enter("t", f"t/kb/{n}", n) for n in range(EXPRESS_MAX)])
    assert await express.enter("t", "t/kb/3", 3)
    assert not await express.enter("t", "t/kb/more", 1)
    assert await express.enter("other", "other/kb/b", 2)
    await express.leave("t", "t/kb/3", 3)
    await express.leave("t", "t/kb/3", 3)
    assert await express.enter("t", "t/kb/more", 1)
    assert not await express.enter("t", "t/kb/3", 3)
    await redis.execute_command("ZADD", f"{prefix}:express:{{t}}", 1, "4/t/kb/4")  # its hour is long over
    assert await express.enter("t", "t/kb/3", 3)


async def test_what_a_shelf_holds_and_what_failed_are_told_apart(visibility: Visibility) -> None:
    """Each only grows; a newer version that failed does not hide the one before; a shelf that is gone is forgotten alone."""
    key = "t/kb/doc"
    assert await visibility.built_versions([key], 1) == {key: Built()}
    await visibility.built(key, 1, 5)
    await visibility.built(key, 1, 3)
    await visibility.built(key, 2, 4)
    await visibility.built(key, 1, 9, "document_unreadable")
    await visibility.built(key, 1, 8, "document_empty")
    await visibility.stored(key, 5, ["00" * 16], generation=1)
    await visibility.stored(key, 5, ["11" * 16], generation=2)
    assert await visibility.built_versions([key], 1) == {key: Built(5, 9, "document_unreadable")}
    await visibility.pardon([key, "t/kb/none"], 1)
    assert (await visibility.built_versions([key], 1))[key] == Built(5)
    await visibility.forget([key, "t/kb/none"], 1)
    assert (await visibility.built_versions([key], 1))[key] == Built()
    assert (await visibility.built_versions([key], 2))[key] == Built(4)
    assert (await visibility.before_work(key, 1, earlier=True))[1] == frozenset()
    assert (await visibility.before_work(key, 2, earlier=True))[1] == {"11" * 16}
    await visibility.submitted(key, 9)
    assert await visibility.indexed(key, 9, Stored(generation=2))
    assert (await visibility.built_versions([key], 2))[key] == Built(9)
    await visibility.withdrawn(key, 10)
    assert (await visibility.built_versions([key], 2))[key] == Built()


def progressed(document: str, version: int, state: State) -> bytes:
    return encode(
        DocumentProgressed(
            id=str(uuid.uuid4()),
            source="/claw/test",
            subject=f"t/kb/{document}",
            time=datetime(2026, 1, 1, tzinfo=UTC),
            tenant="t",
            traceparent="",
            data=Progress(knowledge_base_id="kb", document_id=document, version=version, state=state),
        )
    )


def test_the_mirror_folds_in_any_order_and_is_bounded() -> None:
    """Only indexed and deleted change what is shown; unknown documents past the bound stay hidden."""
    mirror = Mirror(Kafka(), documents_max=2)
    for value in (
        progressed("a", 5, "deleted"),
        progressed("a", 3, "indexed"),
        progressed("a", 7, "unchanged"),
        b"{garbage",
        b"\xff",
        None,
    ):
        mirror.fold(value)
    mirror.fold(progressed("b", 0, "indexed"))
    mirror.fold(progressed("c", 1, "indexed"))
    assert len(mirror) == 2
    assert mirror._standings["t/kb/a"] == Standing(latest=7, visible=3, deleted=5)
    assert mirror._standings["t/kb/b"].shown == 0


@pytest.fixture
async def progress(kafka_settings: Kafka, topics: Callable[..., Awaitable[None]]) -> AsyncIterator[Callable[..., Any]]:
    """``await progress(document, version, state)`` puts a progress event on the real topic."""
    await topics(DOCUMENTS_PROGRESSED)
    producer = AIOKafkaProducer(**connection(kafka_settings))
    await producer.start()

    async def publish(document: str, version: int, state: State) -> None:
        name = kafka_settings.topic_prefix + DOCUMENTS_PROGRESSED.name
        await producer.send_and_wait(name, progressed(document, version, state), key=document.encode())

    yield publish
    await producer.stop()


async def eventually(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def test_sight_goes_on_without_redis(kafka_settings: Kafka, visibility: Visibility, progress: Callable[..., Any]) -> None:
    """Redis up: the record. Redis down: what the topic said, from its beginning and as it grows, counted; and back."""

    class Failing:
        down = False

        async def of(self, keys: Any) -> dict[str, Standing]:
            if self.down:
                raise Unavailable("redis_unavailable")
            return await visibility.of(keys)

    await progress("old", 1, "indexed")
    await progress("gone", 2, "indexed")
    await progress("gone", 3, "deleted")
    mirror, record, fallbacks = Mirror(kafka_settings), Failing(), []
    sight = Sight(record, mirror, lambda: fallbacks.append(1))
    record.down = True
    with pytest.raises(Unavailable):
        await sight.of(["t/kb/old"])
    await mirror.start()
    try:
        await eventually(lambda: mirror.ready)
        seen = await sight.of(["t/kb/old", "t/kb/gone", "t/kb/new"])
        assert [standing.shown for standing in seen.values()] == [1, None, None]
        assert (sight.on_mirror, len(fallbacks)) == (True, 1)
        await progress("new", 9, "indexed")
        await eventually(lambda: "t/kb/new" in mirror._standings)
        assert (await sight.of(["t/kb/new"]))["t/kb/new"].shows(9)
        record.down = False
        assert (await sight.of(["t/kb/new"]))["t/kb/new"] == Standing()
        assert not sight.on_mirror
    finally:
        await mirror.stop()


def test_the_mirror_remembers_what_the_log_forgot() -> None:
    """Compaction keeps the last news per document: a version that fails or says nothing new carries the one that readers see."""
    mirror = Mirror(Kafka())
    progress = Progress(knowledge_base_id="kb", document_id="a", version=9, state="failed", visible=5)
    event = msgspec.json.decode(progressed("a", 9, "failed"))
    mirror.fold(msgspec.json.encode(event | {"data": msgspec.to_builtins(progress)}))
    assert mirror._standings["t/kb/a"] == Standing(latest=9, visible=5, deleted=-1)
