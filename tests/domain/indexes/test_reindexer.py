"""Rebuilds of an index against a real log and real tables; the lanes that parse and index are played by the test."""

import asyncio
import contextlib
import secrets
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from adapters.kafka import connection_options, make_consumer
from adapters.redis.client import RedisClient, connect
from domain.documents.topics import DOCUMENTS_QUEUED_BULK, DOCUMENTS_SUBMITTED
from domain.documents.visibility import IndexedContent, Visibility
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.plans import PlanWriter, begin_build, discard_other, locate, roll_back
from domain.indexes.reindex import ReindexPorts
from domain.indexes.reindex_reports import MissingDocument, ReindexReport, ReindexReports
from domain.indexes.reindexer import Reindexer
from domain.indexes.topics import INDEXES_CHANGED
from domain.indexes.verification import DocumentRecords
from domain.read_models import ReadModels
from schemas import ids
from schemas.documents import Document, DocumentQueued, DocumentSubmitted, DocumentWithdrawn, Progress, Shelf, State, Withdrawal, Work
from schemas.errors import Refused
from schemas.indexes import IndexPlan, plan_key
from schemas.requests import Ask, ClearShelf, CountShelves, ShelfCounts
from schemas.settings import RetrievalSettings, Settings
from streams.clock import SystemClock
from streams.log.outgoing import Outgoing
from streams.log.publisher import KafkaPublisher
from streams.log.range_reader import RangeReader
from streams.tables.record_table import order_of
from streams.tables.record_writer import RecordWriter

pytestmark = pytest.mark.stack
T, KB = "t", "kb"
PUBLISHED = (DOCUMENTS_SUBMITTED, DOCUMENTS_QUEUED_BULK, INDEXES_CHANGED)
SMALL = Shelf(chunk_tokens=64, chunk_tokens_max=96)


@dataclass
class Points:
    """Plays the index: documents by shelf."""

    held: dict[int, set[str]] = field(default_factory=dict)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def ask(self, ask: Ask, **_: Any) -> ShelfCounts:
        if isinstance(ask, ClearShelf):
            gone = self.held.pop(ask.shelf.generation, set())
            return ShelfCounts(points=(0,), removed=len(gone))
        assert isinstance(ask, CountShelves)
        return ShelfCounts(points=tuple(len(self.held.get(shelf.generation, ())) for shelf in ask.shelves))


@dataclass
class House:
    """Everything a rebuild needs, and the lanes around it. ``broken`` documents fail, ``lost`` ones are forgotten by their queue once."""

    settings: Settings
    publisher: KafkaPublisher
    visibility: Visibility
    views: ReadModels
    shelves: CollectionCatalogue
    plans: PlanWriter
    rebuilds: ReindexReports
    points: Points
    queued: list[Work] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)

    @property
    def plan(self) -> IndexPlan:
        return self.shelves.plan(T, KB)

    def rebuilder(self, *, automatic: bool = True) -> Reindexer:
        parts = ReindexPorts(
            kafka=self.settings.kafka,
            retrieval=RetrievalSettings(rebuild_automatically=automatic),
            catalogue=self.shelves,
            plans=self.plans,
            reports=self.rebuilds,
            documents=DocumentRecords(self.visibility, self.views, RangeReader(self.settings.kafka, DOCUMENTS_SUBMITTED)),
            publisher=self.publisher,
            index=self.points,  # type: ignore[arg-type]
            clock=SystemClock(),
            random_bytes=secrets.token_bytes,
            settle_s=0.1,
            stalled_s=0.8,
        )
        return Reindexer(parts, uuid.uuid4().hex)

    async def submit(self, name: str, *, arrives: bool = True) -> int:
        """A version on the log, known to ``route``; when it arrives it is in every shelf, the active one last."""
        key = ids.document_key(T, KB, name)
        data = Document(knowledge_base_id=KB, document_id=name, title=name, text=f"about {name}")
        place = await self.publisher.publish(Outgoing(DOCUMENTS_SUBMITTED, event(DocumentSubmitted, key, data)))
        await self.visibility.record_submission(key, place.offset)
        if arrives:
            for shelf in self.plan.collections[:-1]:
                await self.visibility.record_build(key, shelf.generation, place.offset)
                self.points.held.setdefault(shelf.generation, set()).add(key)
            await self.arrive(name, place.offset)
        return place.offset

    async def arrive(self, name: str, version: int) -> None:
        """Readers see it: it is in the active shelf."""
        key = ids.document_key(T, KB, name)
        await self.visibility.mark_indexed(key, version, IndexedContent(generation=self.plan.active.generation))
        self.points.held.setdefault(self.plan.active.generation, set()).add(key)

    async def withdraw(self, name: str) -> None:
        key = ids.document_key(T, KB, name)
        data = Withdrawal(knowledge_base_id=KB, document_id=name)
        place = await self.publisher.publish(Outgoing(DOCUMENTS_SUBMITTED, event(DocumentWithdrawn, key, data)))
        await self.visibility.record_withdrawal(key, place.offset)

    async def say(self, name: str, version: int, state: State) -> None:
        """What the projection of its progress says."""
        progress = Progress(knowledge_base_id=KB, document_id=name, version=version, state=state)
        await self.views.documents.put(f"{T}/{KB}", name, progress, order=order_of(version, 9), rank=version)

    async def begin(self, wanted: Shelf = SMALL, *, keep: bool = False, force: bool = False) -> IndexPlan:
        return await self.plans.change(T, KB, begin_build(wanted, RetrievalSettings(), keep=keep, force=force), by="test")

    async def until(self, condition: Callable[[IndexPlan], bool]) -> IndexPlan:
        async with asyncio.timeout(30):
            while not condition(self.plan):
                await self.shelves.wait_change(self.shelves.change_count, 0.2)
        return self.plan

    async def reported(self, condition: Callable[[ReindexReport], bool]) -> ReindexReport:
        async with asyncio.timeout(30):
            while (report := await self.rebuilds.get(T, KB)) is None or not condition(report):
                await asyncio.sleep(0.05)
        return report

    async def work(self) -> None:
        """The lanes: what is queued is held by its shelf a moment later."""
        topic = self.settings.kafka.topic_prefix + DOCUMENTS_QUEUED_BULK.name
        connection = connection_options(self.settings.kafka)
        consumer = make_consumer(connection, topic, auto_offset_reset="earliest", enable_auto_commit=False)
        try:
            await consumer.start()  # a short test ends before it has
            async for record in consumer:  # type: ignore[attr-defined]
                queued = msgspec.json.decode(record.value, type=DocumentQueued)
                work, name = queued.data, queued.data.document.document_id
                self.queued.append(work)
                standing = (await self.visibility.version_states([queued.subject]))[queued.subject]
                if name in self.lost:
                    self.lost.discard(name)
                elif name in self.broken:
                    await self.visibility.record_build(queued.subject, work.shelf.generation, work.version, "document_unreadable")
                elif not standing.supersedes(work.version):
                    await self.visibility.record_build(queued.subject, work.shelf.generation, work.version)
                    self.points.held.setdefault(work.shelf.generation, set()).add(queued.subject)
        finally:
            await consumer.stop()


def event(kind: Any, key: str, data: Any) -> Any:
    return kind(
        id=ids.derive("test", uuid.uuid4().hex),
        source="/claw/test",
        subject=key,
        time=datetime(2026, 1, 1, tzinfo=UTC),
        tenant=T,
        traceparent="",
        data=data,
    )


@pytest.fixture
async def house(settings: Settings, topics: Callable[..., Awaitable[None]]) -> AsyncIterator[House]:
    await topics(*PUBLISHED)
    redis: RedisClient = connect(settings.redis)
    publisher = KafkaPublisher(settings.kafka, PUBLISHED)
    await publisher.start()
    shelves, clock, prefix = CollectionCatalogue(settings.kafka), SystemClock(), settings.redis.key_prefix
    await shelves.start()
    views = ReadModels(redis, prefix)
    records = RecordWriter(redis, prefix, publisher, views, clock)
    plans = PlanWriter(shelves, records, publisher, clock, secrets.token_bytes, "test")
    made = House(settings, publisher, Visibility(redis, prefix), views, shelves, plans, ReindexReports(redis, prefix), Points())
    lanes = asyncio.create_task(made.work())
    yield made
    lanes.cancel()
    await asyncio.wait((lanes,))
    await shelves.stop()
    await publisher.stop()
    await redis.aclose()


@contextlib.asynccontextmanager
async def running(rebuilder: Reindexer) -> AsyncIterator[None]:
    await rebuilder.start()
    try:
        yield
    finally:
        await rebuilder.stop()


async def test_a_rebuild_queues_what_readers_see_switches_and_clears_the_old_one(house: House) -> None:
    """The version that is seen, once each; nothing withdrawn; what said nothing new is built from what it said last."""
    seen = {f"doc{n}": await house.submit(f"doc{n}") for n in range(30)}
    for n in range(10):
        seen[f"doc{n}"] = await house.submit(f"doc{n}")
    await house.submit("gone")
    await house.withdraw("gone")
    await house.say("doc20", await house.submit("doc20", arrives=False), "unchanged")
    failed = await house.submit("doc21", arrives=False)
    await house.say("doc21", failed, "failed")
    never = await house.submit("never", arrives=False)
    await house.say("never", never, "failed")
    async with running(house.rebuilder()):
        began = await house.begin()
        assert began.other == replace(SMALL, generation=1)
        plan = await house.until(lambda plan: plan.state == "steady" and plan.revision > 1)
    assert (plan.active, plan.other, plan.newest) == (replace(SMALL, generation=1), None, 1)
    assert {work.document.document_id: work.version for work in house.queued} == seen
    assert len(house.queued) == 30
    assert all(work.quiet and work.lane == "bulk" and work.shelf == plan.active for work in house.queued)
    assert house.points.held.keys() == {1}
    keys = [ids.document_key(T, KB, name) for name in seen]
    assert {each.version for each in (await house.visibility.build_states(keys, 0)).values()} == {-1}
    report = await house.rebuilds.get(T, KB)
    assert report is not None
    assert (report.phase, report.missing) == ("done", ())


async def test_what_the_new_one_cannot_hold_stops_the_switch_until_it_can_or_is_forced(house: House) -> None:
    """Named with its cause; asking again tries again; a document that is taken back is no obstacle."""
    versions = {name: await house.submit(name) for name in ("good", "bad", "worse", "worst")}
    house.broken = {"bad", "worse", "worst"}
    async with running(house.rebuilder()):
        await house.begin(keep=True)
        report = await house.reported(lambda report: report.phase == "incomplete")
        assert set(report.missing) == {MissingDocument(name, versions[name], "document_unreadable") for name in house.broken}
        assert house.plan.state == "building"
        house.broken = {"worse", "worst"}
        asked = await house.begin(keep=True)
        report = await house.reported(lambda report: report.phase == "incomplete" and report.revision == asked.revision)
        assert {each.document_id for each in report.missing} == {"worse", "worst"}
        await house.withdraw("worse")
        await house.reported(lambda report: report.phase == "incomplete" and report.missing_total == 1)
        await house.begin(keep=True, force=True)
        plan = await house.until(lambda plan: plan.state == "kept")
    assert (plan.active.generation, plan.other) == (1, Shelf())


async def test_what_its_queue_lost_is_queued_again(house: House) -> None:
    await house.submit("kept")
    await house.submit("lost")
    house.lost = {"lost"}
    async with running(house.rebuilder()):
        await house.begin(keep=True)
        await house.until(lambda plan: plan.state == "kept")
    assert sorted(work.document.document_id for work in house.queued) == ["kept", "lost", "lost"]


async def test_what_was_on_its_way_before_the_plan_is_waited_for(house: House) -> None:
    """Else readers would lose the version they see: the new shelf has only the one that nobody sees yet."""
    await house.submit("doc")
    waiting = await house.submit("doc", arrives=False)
    house.lost = {"doc"}  # the version that is seen, queued first, never gets there
    key = ids.document_key(T, KB, "doc")
    async with running(house.rebuilder()):
        await house.begin(keep=True)
        await house.reported(lambda report: report.pending > 0)
        async with asyncio.timeout(10):
            while (await house.visibility.build_states([key], 1))[key].version < waiting:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.6)
        assert house.plan.state == "building"
        await house.arrive("doc", waiting)
        await house.until(lambda plan: plan.state == "kept")


async def test_the_old_one_goes_only_when_what_it_was_routed_has_arrived(house: House) -> None:
    """Work of the plan before makes a version visible when the old shelf has it: that shelf must still be there."""
    await house.submit("doc")
    async with running(house.rebuilder()):
        await house.begin(keep=True)
        await house.until(lambda plan: plan.state == "kept")
        late = await house.submit("doc", arrives=False)
        await house.visibility.record_build(ids.document_key(T, KB, "doc"), 1, late)
        await house.plans.change(T, KB, discard_other, by="test")
        await house.reported(lambda report: report.phase == "draining" and report.pending == 1)
        await asyncio.sleep(0.5)
        assert house.plan.state == "kept"
        await house.arrive("doc", late)
        await house.until(lambda plan: plan.state == "steady")
    assert house.points.held.keys() == {1}


async def test_another_worker_goes_on_where_one_was_stopped(house: House) -> None:
    """And two at once do it once."""
    for n in range(5):
        await house.submit(f"doc{n}")
    house.broken = {"doc0"}
    async with running(house.rebuilder()):
        await house.begin()
        await house.reported(lambda report: report.phase == "incomplete")
    house.broken = set()
    async with running(house.rebuilder()), running(house.rebuilder()):
        await house.until(lambda plan: plan.state == "steady")
    assert sorted(work.document.document_id for work in house.queued) == sorted([*(f"doc{n}" for n in range(5)), "doc0"])


async def test_back_and_forth_while_kept_then_dropped(house: House) -> None:
    """Both hold what came since; the generation that was given up never comes again."""
    await house.submit("doc")
    async with running(house.rebuilder()):
        await house.begin(keep=True)
        await house.until(lambda plan: plan.state == "kept")
        await house.submit("new")
        plan = await house.plans.change(T, KB, roll_back, by="test")
        assert (plan.active.generation, plan.other and plan.other.generation) == (0, 1)
        await house.submit("doc")
        with pytest.raises(Refused, match="still kept"):
            await house.begin(Shelf(chunk_tokens=40))
        await house.plans.change(T, KB, discard_other, by="test")
        await house.until(lambda plan: plan.state == "steady")
        assert house.points.held == {0: {f"{plan_key(T, KB)}/doc", f"{plan_key(T, KB)}/new"}}
        assert (await house.begin()).other == replace(SMALL, generation=2)
        await house.plans.change(T, KB, discard_other, by="test")
        plan = await house.until(lambda plan: plan.state == "steady")
        assert (plan.active.generation, plan.newest) == (0, 2)


async def test_an_outdated_collection_is_replaced_without_a_command(house: House):
    """The same collection is built where the settings lead to, and takes its place. Unless a setting forbids."""
    for name in ("a", "b"):
        await house.submit(name)
    await house.plans.change(T, KB, locate(0, "bm25.2-old-8"), by="test")
    assert house.plan.active == Shelf(index="bm25.2-old-8")
    waiting = house.rebuilder(automatic=False)
    await waiting.start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(2.5):  # longer than a check
            await house.until(lambda plan: plan.state != "steady")
    await waiting.stop()
    assert house.plan.active == Shelf(index="bm25.2-old-8")
    working = house.rebuilder()
    await working.start()
    try:
        await house.until(lambda plan: plan.state == "steady" and plan.active.generation == 1)
    finally:
        await working.stop()
    assert house.plan.active == Shelf(generation=1)
    assert house.points.held == {1: {ids.document_key(T, KB, name) for name in ("a", "b")}}


async def test_a_plan_names_an_index_once(house: House):
    """The one that was found first is where readers search; another collection of the base is left as it is."""
    await house.begin(keep=True)
    await house.plans.change(T, KB, locate(0, "bm25.2-old-8"), by="test")
    before = house.plan
    assert (before.active.index, before.other) == ("bm25.2-old-8", replace(SMALL, generation=1))
    assert await house.plans.change(T, KB, locate(0, "bm25.1-older-8"), by="test") == before
