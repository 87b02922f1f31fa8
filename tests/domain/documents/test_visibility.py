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

from adapters.kafka import connection_options
from adapters.redis.client import RedisClient
from domain.documents.topics import DOCUMENTS_PROGRESSED
from domain.documents.visibility import BuildState, IndexedContent, NewVersion, VersionState, Visibility, VisibilityCheck, WithdrawnFiles
from domain.documents.visibility_replica import VisibilityReplica
from schemas.documents import DocumentProgressed, InboxRecord, Progress, State
from schemas.errors import Unavailable
from schemas.events import encode
from schemas.settings import KafkaSettings

pytestmark = pytest.mark.stack
NEWS = st.lists(st.tuples(st.sampled_from(["record_submission", "record_withdrawal", "mark_indexed"]), st.integers(0, 6)), max_size=10)


@pytest.fixture
def visibility(redis: RedisClient, prefix: str) -> Visibility:
    return Visibility(redis, prefix)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(news=NEWS, data=st.data())
async def test_fields_only_grow(visibility: Visibility, news: list[tuple[str, int]], data: st.DataObject) -> None:
    """In whatever order and however often it is told: highest of each."""
    key = f"t/kb/{uuid.uuid4().hex}"
    for what, version in data.draw(st.permutations(news + news)):
        reply = await getattr(visibility, what)(key, version)
        if what == "mark_indexed":
            standing = (await visibility.version_states([key]))[key]
            assert reply == standing.is_visible(version)
    deleted = max((v for what, v in news if what == "record_withdrawal"), default=-1)
    expected = VersionState(
        latest=max((v for what, v in news if what != "mark_indexed"), default=-1),
        visible=max((v for what, v in news if what == "mark_indexed"), default=-1),
        deleted=deleted,
    )
    assert await visibility.version_states([key, "t/kb/none"]) == {key: expected, "t/kb/none": VersionState()}
    for version in range(7):
        newer = version < expected.latest and version != expected.visible
        assert await visibility.is_superseded(key, version) == (newer or version <= deleted)


async def test_a_late_bulk_version_never_comes_back(visibility: Visibility) -> None:
    """Indexed after the withdrawal of a later version: not visible; a new submission is."""
    key = "t/kb/doc with spaces {and} braces"
    await visibility.record_submission(key, 3)
    await visibility.record_withdrawal(key, 5)
    assert not await visibility.mark_indexed(key, 3)
    assert (await visibility.version_states([key]))[key].visible_version is None
    await visibility.record_submission(key, 8)
    assert await visibility.mark_indexed(key, 8)
    assert await visibility.mark_indexed(key, 8)  # a repeat says the same
    assert (await visibility.version_states([key]))[key].visible_version == 8


RECORDS = st.builds(InboxRecord, at_ms=st.integers(0, 4), partition=st.integers(0, 1), offset=st.integers(0, 4))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=RECORDS, second=RECORDS, withdrawn=st.tuples(st.booleans(), st.booleans()))
async def test_an_older_inbox_record_changes_nothing(
    visibility: Visibility, first: InboxRecord, second: InboxRecord, withdrawn: tuple[bool, bool]
) -> None:
    """Neither a submission nor a withdrawal, against either; Redis and Python agree on which is older; a repeat is not."""
    key = f"t/kb/{uuid.uuid4().hex}"

    async def accepted(is_withdrawal: bool, version: int, record: InboxRecord) -> bool:
        if is_withdrawal:
            return await visibility.record_withdrawal(key, version, record) is not None
        return not (await visibility.record_submissions([NewVersion(key, version, f"file-{version}", record)]))[0].is_superseded

    assert await accepted(withdrawn[0], 5, first)
    assert await accepted(withdrawn[0], 5, first)
    before = (await visibility.version_states([key]))[key]
    older = second.is_older_than(first)
    assert await accepted(withdrawn[1], 6, second) == (not older)
    assert ((await visibility.version_states([key]))[key] == before) == older
    newest = (await visibility.newest_records([key, "t/kb/none"])).get(key)
    known = first if older or not second.at_ms else second
    assert newest == (known if known.at_ms else None)


async def test_the_file_of_a_superseded_version_is_removed_with_the_next_change(visibility: Visibility) -> None:
    key, early, late = "t/kb/doc", InboxRecord(at_ms=1, partition=0, offset=9), InboxRecord(at_ms=2, partition=1, offset=3)
    await visibility.record_submissions([NewVersion(key, 5, "", late)])
    for _ in range(2):
        assert (await visibility.record_submissions([NewVersion(key, 6, "late-file", early)]))[0].is_superseded
    assert await visibility.record_withdrawal(key, 7) == WithdrawnFiles(("late-file",))


async def test_many_keys_in_few_trips(visibility: Visibility) -> None:
    """More keys than one pipeline takes."""
    keys = [f"t/kb/{n}" for n in range(1201)]
    await visibility.mark_indexed(keys[1200], 0)
    found = await visibility.version_states(keys)
    assert [key for key in keys if found[key].visible_version is not None] == [keys[1200]]


async def test_poison_reads_as_nothing_known(visibility: Visibility, redis: RedisClient, prefix: str) -> None:
    """A field that is no number hides the document until the next news."""
    await redis.execute_command("HSET", f"{prefix}:visibility:{{t/kb/p}}", "visible", "garbage")
    assert (await visibility.version_states(["t/kb/p"]))["t/kb/p"] == VersionState()
    assert await visibility.mark_indexed("t/kb/p", 2)


async def test_what_a_shelf_holds_and_what_failed_are_told_apart(visibility: Visibility) -> None:
    """Each only grows; a newer version that failed does not hide the one before; a shelf that is gone is forgotten alone."""
    key = "t/kb/doc"
    assert await visibility.build_states([key], 1) == {key: BuildState()}
    await visibility.record_build(key, 1, 5)
    await visibility.record_build(key, 1, 3)
    await visibility.record_build(key, 2, 4)
    await visibility.record_build(key, 1, 9, "document_unreadable")
    await visibility.record_build(key, 1, 8, "document_empty")
    await visibility.record_chunks(key, 5, ["00" * 16], generation=1)
    await visibility.record_chunks(key, 5, ["11" * 16], generation=2)
    assert await visibility.build_states([key], 1) == {key: BuildState(5, 9, "document_unreadable")}
    await visibility.clear_failures([key, "t/kb/none"], 1)
    assert (await visibility.build_states([key], 1))[key] == BuildState(5)
    await visibility.remove_build([key, "t/kb/none"], 1)
    assert (await visibility.build_states([key], 1))[key] == BuildState()
    assert (await visibility.build_states([key], 2))[key] == BuildState(4)
    assert (await visibility.read_for_indexing(key, 1, earlier=True))[1] == frozenset()
    assert (await visibility.read_for_indexing(key, 2, earlier=True))[1] == {"11" * 16}
    await visibility.record_submission(key, 9)
    assert await visibility.mark_indexed(key, 9, IndexedContent(generation=2))
    assert (await visibility.build_states([key], 2))[key] == BuildState(9)
    await visibility.record_withdrawal(key, 10)
    assert (await visibility.build_states([key], 2))[key] == BuildState()


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
    mirror = VisibilityReplica(KafkaSettings(), documents_max=2)
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
    assert mirror._states["t/kb/a"] == VersionState(latest=7, visible=3, deleted=5)
    assert mirror._states["t/kb/b"].visible_version == 0


@pytest.fixture
async def progress(kafka_settings: KafkaSettings, topics: Callable[..., Awaitable[None]]) -> AsyncIterator[Callable[..., Any]]:
    """``await progress(document, version, state)`` puts a progress event on the real topic."""
    await topics(DOCUMENTS_PROGRESSED)
    producer = AIOKafkaProducer(**connection_options(kafka_settings))
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


async def test_sight_goes_on_without_redis(kafka_settings: KafkaSettings, visibility: Visibility, progress: Callable[..., Any]) -> None:
    """Redis up: the record. Redis down: what the topic said, from its beginning and as it grows, counted; and back."""

    class Failing:
        down = False

        async def version_states(self, keys: Any) -> dict[str, VersionState]:
            if self.down:
                raise Unavailable("redis_unavailable")
            return await visibility.version_states(keys)

    await progress("old", 1, "indexed")
    await progress("gone", 2, "indexed")
    await progress("gone", 3, "deleted")
    mirror, record, fallbacks = VisibilityReplica(kafka_settings), Failing(), []
    sight = VisibilityCheck(record, mirror, lambda: fallbacks.append(1))
    record.down = True
    with pytest.raises(Unavailable):
        await sight.version_states(["t/kb/old"])
    await mirror.start()
    try:
        await eventually(lambda: mirror.ready)
        seen = await sight.version_states(["t/kb/old", "t/kb/gone", "t/kb/new"])
        assert [standing.visible_version for standing in seen.values()] == [1, None, None]
        assert (sight.is_on_replica, len(fallbacks)) == (True, 1)
        await progress("new", 9, "indexed")
        await eventually(lambda: "t/kb/new" in mirror._states)
        assert (await sight.version_states(["t/kb/new"]))["t/kb/new"].is_visible(9)
        record.down = False
        assert (await sight.version_states(["t/kb/new"]))["t/kb/new"] == VersionState()
        assert not sight.is_on_replica
    finally:
        await mirror.stop()


def test_the_mirror_remembers_what_the_log_forgot() -> None:
    """Compaction keeps the last news per document: a version that fails or says nothing new carries the one that readers see."""
    mirror = VisibilityReplica(KafkaSettings())
    progress = Progress(knowledge_base_id="kb", document_id="a", version=9, state="failed", visible=5)
    event = msgspec.json.decode(progressed("a", 9, "failed"))
    mirror.fold(msgspec.json.encode(event | {"data": msgspec.to_builtins(progress)}))
    assert mirror._states["t/kb/a"] == VersionState(latest=9, visible=5, deleted=-1)
