"""Index plans, followed: the newest of each knowledge base, known soon after it is on the log."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer

from adapters.kafka import connection_options
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.topics import INDEXES_CHANGED
from schemas.documents import Shelf
from schemas.errors import Unavailable
from schemas.events import encode
from schemas.indexes import IndexPlan, IndexPlanChanged, plan_key
from schemas.settings import KafkaSettings

pytestmark = pytest.mark.stack


def changed(plan: IndexPlan) -> bytes:
    return encode(
        IndexPlanChanged(
            id=str(uuid.uuid4()),
            source="/claw/test",
            subject=plan_key(plan.tenant, plan.knowledge_base_id),
            time=datetime(2026, 1, 1, tzinfo=UTC),
            tenant=plan.tenant,
            traceparent="",
            data=plan,
        )
    )


def building(knowledge_base: str, generation: int) -> IndexPlan:
    return IndexPlan(tenant="t", knowledge_base_id=knowledge_base, other=Shelf(generation=generation), state="building")


Publish = Callable[[IndexPlan | None, str], Awaitable[tuple[int, int]]]


@pytest.fixture
async def publish(kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]) -> AsyncIterator[Publish]:
    """``await publish(plan, key)`` puts a plan, or a tombstone, on the real topic; gives its partition and the offset behind it."""
    await topics(INDEXES_CHANGED)
    producer = AIOKafkaProducer(**connection_options(kafka_settings))
    await producer.start()

    async def put(plan: IndexPlan | None, key: str) -> tuple[int, int]:
        value = None if plan is None else changed(plan)
        place = await producer.send_and_wait(kafka_settings.topic_prefix + INDEXES_CHANGED.name, value, key=key.encode())
        return place.partition, place.offset + 1

    yield put
    await producer.stop()


@pytest.fixture
async def shelves(kafka_settings: KafkaSettings) -> AsyncIterator[CollectionCatalogue]:
    made = CollectionCatalogue(kafka_settings)
    yield made
    await made.stop()


async def test_a_start_returns_with_what_is_there_and_news_comes_at_once(publish: Publish, shelves: CollectionCatalogue) -> None:
    """The newest of a key; the default plan where nobody changed one; a tombstone is the default again."""
    for n in (1, 2, 3):
        await publish(building("kb", n), "t/kb")
    await publish(building("other", 7), "t/other")
    with pytest.raises(Unavailable):
        shelves.plan("t", "kb")
    await shelves.start()
    assert shelves.plan("t", "kb") == building("kb", 3)
    assert shelves.plan("t", "none") == IndexPlan(tenant="t", knowledge_base_id="none")
    assert shelves.plan("u", "kb").other is None
    since = shelves.change_count
    await publish(building("kb", 4), "t/kb")
    assert await shelves.wait_change(since, 5.0) > since
    assert shelves.plan("t", "kb") == building("kb", 4)
    await shelves.catch_up(*await publish(None, "t/other"))
    assert shelves.plan("t", "other") == IndexPlan(tenant="t", knowledge_base_id="other")
    assert list(shelves.plans()) == [building("kb", 4)]


async def test_catching_up_knows_what_was_written_before(publish: Publish, shelves: CollectionCatalogue) -> None:
    """Whoever holds the lease on a plan and has caught up knows its newest state."""
    await shelves.start()
    for n in range(1, 6):
        await shelves.catch_up(*await publish(building("kb", n), "t/kb"))
        assert shelves.plan("t", "kb").other == Shelf(generation=n)


async def test_whoever_starts_again_goes_on_where_it_was(publish: Publish, shelves: CollectionCatalogue) -> None:
    """Nothing is read twice and nothing is left out."""
    await publish(building("kb", 1), "t/kb")
    await shelves.start()
    await shelves.stop()
    place = await publish(building("kb", 2), "t/kb")
    await shelves.start()
    await shelves.catch_up(*place)
    assert shelves.plan("t", "kb") == building("kb", 2)
    assert shelves.change_count == 2


async def test_without_the_topic_a_start_ends_and_no_plan_is_guessed(
    kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]
) -> None:
    """It goes on trying: as soon as the topic is there, plans are known."""
    shelves = CollectionCatalogue(kafka_settings, read_s_max=0.5)
    try:
        await shelves.start()
        with pytest.raises(Unavailable):
            shelves.plan("t", "kb")
        await topics(INDEXES_CHANGED)
        async with asyncio.timeout(20):
            while not shelves.ready:
                await asyncio.sleep(0.05)
        assert shelves.plan("t", "kb") == IndexPlan(tenant="t", knowledge_base_id="kb")
    finally:
        await shelves.stop()


def test_of_one_key_the_highest_offset_stays() -> None:
    """In any order; what cannot be read changes nothing."""
    shelves = CollectionCatalogue(KafkaSettings())
    for offset, value in ((5, changed(building("kb", 2))), (3, changed(building("kb", 1))), (6, b"{garbage"), (7, b"\xff"), (4, None)):
        shelves.fold(offset, b"t/kb", value)
    assert shelves.plan("t", "kb") == building("kb", 2)
    assert (len(shelves), shelves.change_count) == (1, 1)


def test_shelves_are_filled_before_the_active_one_and_not_while_they_are_dropped() -> None:
    """What agents derive from a plan."""
    plan = building("kb", 1)
    assert plan.collections == (Shelf(generation=1), Shelf())
    dropping = IndexPlan(tenant="t", knowledge_base_id="kb", other=Shelf(generation=1), state="dropping")
    assert dropping.collections == (Shelf(),)
