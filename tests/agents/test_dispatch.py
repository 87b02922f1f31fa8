"""Route, on the real visibility records: versions, lanes, shelves, and what is not worked at all."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.redis.client import RedisClient
from agents.dispatch import Dispatch, work_events
from domain.documents import lanes
from domain.documents.content_hash import content_hash_of
from domain.documents.lanes import EXPRESS_MAX, Lanes
from domain.documents.requests import EarlierSubmission, SubmissionRequests
from domain.documents.topics import (
    DOCUMENTS_ALIASED,
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_PROGRESSED,
    DOCUMENTS_QUEUED_BULK,
    DOCUMENTS_QUEUED_EXPRESS,
    DOCUMENTS_QUEUED_SLOW,
    DOCUMENTS_REQUESTED,
    DOCUMENTS_SUBMITTED,
    DOCUMENTS_VERSIONS,
)
from domain.documents.visibility import NO_VERSION, IndexedContent, PriorState, VersionState, Visibility, visibility_key
from domain.tasks.settings import TaskSettings
from domain.tasks.table import TaskTable
from schemas import ids
from schemas.documents import Blob, Document, DocumentSubmitted, DocumentWithdrawn, InboxRecord, Shelf, Submitted, Withdrawal
from schemas.errors import Refused
from schemas.indexes import IndexPlan
from schemas.settings import RetrievalSettings
from streams.log.outgoing import Outgoing
from tests.support.index_library import Plans
from tests.support.ports import NOW, context, header

pytestmark = pytest.mark.stack
KEY = "acme/kb/doc"
RETRIEVAL = RetrievalSettings()


def file_of(event: DocumentSubmitted, _version: int) -> str:
    return event.data.blob.path if event.data.blob else ""


@pytest.fixture
def plans() -> Plans:
    return Plans()


@pytest.fixture
def log() -> dict[int, Submitted]:
    """The log of submissions: what lies at an offset."""
    return {}


@pytest.fixture
def route(redis: RedisClient, prefix: str, plans: Plans, log: dict[int, Submitted]) -> Dispatch:
    async def read_version(_partition: int, version: int) -> Submitted | None:
        return log.get(version)

    requests = SubmissionRequests(redis, prefix, 3)
    visibility, lanes = Visibility(redis, prefix), Lanes(redis, prefix, 60, time.monotonic)
    return Dispatch(visibility, lanes, plans, RETRIEVAL, file_of, read_version, requests, versions_kept=2)


def submitted(text: str = "正文", **fields: Any) -> DocumentSubmitted:
    return DocumentSubmitted(**header("s", KEY), data=Document(knowledge_base_id="kb", document_id="doc", title="t", text=text, **fields))


def withdrawn() -> DocumentWithdrawn:
    return DocumentWithdrawn(**header("w", KEY), data=Withdrawal(knowledge_base_id="kb", document_id="doc"))


async def shown(route: Dispatch, event: DocumentSubmitted, version: int, chunks: int = 3) -> None:
    """Let it be indexed as the index agent does."""
    stored = IndexedContent(content_hash=content_hash_of(event.data, Shelf(), RETRIEVAL), chunks=chunks)
    assert await route.visibility.mark_indexed(event.subject, version, stored)


def states(outgoing: Any) -> list[str]:
    return [each.event.data.state for each in outgoing if each.topic is DOCUMENTS_PROGRESSED]


async def test_the_offset_is_the_version_and_people_go_first(route: Dispatch):
    progressed, queued = await route.step(submitted(), context(offset=41))
    assert (await route.visibility.version_states([KEY]))[KEY].latest == 41
    assert (progressed.topic, progressed.event.data.state) == (DOCUMENTS_PROGRESSED, "queued")
    assert (queued.topic, queued.event.data.version) == (DOCUMENTS_QUEUED_EXPRESS, 41)
    assert queued.event.data.task_id == progressed.event.data.task_id
    assert not queued.event.data.earlier


async def test_what_is_submitted_and_withdrawn_is_a_task(route: Dispatch, redis: RedisClient, prefix: str):
    """Once each, also when it is read again."""
    table = TaskTable(redis, prefix, TaskSettings())
    now = context().clock.now()
    said: tuple[Submitted, Submitted] = (replace(submitted(), time=now), replace(withdrawn(), time=now))
    events = [(event, context(offset=offset)) for offset, event in enumerate(said, start=41)]
    tracked = dataclasses.replace(route, tasks=table)
    await tracked.step_many(events)
    for event, at in events:
        await tracked.step(event, at)
    found = await table.list("acme", limit=10)
    assert {task.kind: (task.state, task.subject.version) for task in found.items} == {
        "vectorize_document": ("PENDING", 41),
        "update_knowledge_base": ("PENDING", 42),
    }


async def test_the_requests_behind_a_document_go_to_the_log_with_it(route: Dispatch):
    """Only of submissions with an ``Idempotency-Key``, all that are kept each time, the same again when the submission is read again."""

    def keyed(number: int) -> DocumentSubmitted:
        return replace(submitted(f"text {number}"), id=ids.derive("request", number))

    def requested(outgoing: Sequence[Outgoing]) -> list[list[int]]:
        return [[each.version for each in one.event.data.requests] for one in outgoing if one.topic is DOCUMENTS_REQUESTED]

    assert requested(await route.step(submitted("typed"), context(offset=1))) == []
    assert requested(await route.step(keyed(2), context(offset=2))) == [[2]]
    first, second = await route.step_many([(keyed(3), context(offset=3)), (keyed(4), context(offset=4))])
    assert (requested(first), requested(second)) == ([[2, 3]], [[2, 3, 4]])
    assert requested(await route.step(keyed(5), context(offset=5))) == [[3, 4, 5]]
    again = await route.step(keyed(4), context(offset=4))
    assert requested(again) == [[3, 4, 5]]
    assert len(again) == 1, "the newer version is queued: the older one is not again"
    assert again[0].event.id != second[0].event.id, "one id has one content"
    assert [each.event.id for each in await route.step(keyed(4), context(offset=4))] == [again[0].event.id]
    assert await route.requests.find(KEY, keyed(4).id) == EarlierSubmission(4, is_deleted=False)


async def test_machines_and_crowds_go_to_bulk(route: Dispatch):
    _, by_machine = await route.step(submitted(origin="inbox"), context())
    assert by_machine.topic is DOCUMENTS_QUEUED_BULK
    taken = []
    for number in range(EXPRESS_MAX + 1):
        event = replace(submitted(), subject=f"acme/kb/{number}")
        taken.append((await route.step(event, context(offset=number)))[1].topic)
    assert taken == [DOCUMENTS_QUEUED_EXPRESS] * EXPRESS_MAX + [DOCUMENTS_QUEUED_BULK]
    await route.lanes.leave("acme", "acme/kb/3", 3, "express")
    assert (await route.step(replace(submitted(), subject="acme/kb/x"), context(offset=90)))[1].topic is DOCUMENTS_QUEUED_EXPRESS


async def test_what_exceeds_the_share_of_a_tenant_goes_to_the_slow_queue(route: Dispatch, monkeypatch: pytest.MonkeyPatch):
    """Of that tenant alone, until a place is free again; and with everything while it is slowed down."""
    monkeypatch.setattr(lanes, "BULK_MAX", 3)

    async def queue_of(tenant: str, number: int) -> Any:
        event = replace(submitted(origin="inbox"), subject=f"{tenant}/kb/{number}", tenant=tenant)
        return (await route.step(event, context(offset=number)))[1]

    assert [(await queue_of("acme", number)).topic for number in range(3)] == [DOCUMENTS_QUEUED_BULK] * 3
    slow = await queue_of("acme", 3)
    assert (slow.topic, slow.event.data.lane, slow.event.data.slow) == (DOCUMENTS_QUEUED_SLOW, "bulk", True)
    assert (await queue_of("other", 4)).topic is DOCUMENTS_QUEUED_BULK
    await route.lanes.leave("acme", "acme/kb/1", 1, "bulk")
    assert (await queue_of("acme", 5)).topic is DOCUMENTS_QUEUED_BULK
    await route.lanes.slow_down("other")
    assert (await queue_of("other", 6)).topic is DOCUMENTS_QUEUED_SLOW
    assert (await route.step(replace(submitted(), subject="other/kb/7", tenant="other"), context(offset=7)))[
        1
    ].topic is DOCUMENTS_QUEUED_SLOW


async def test_a_withdrawal_hides_at_once_and_asks_for_the_removal(route: Dispatch):
    blob = Blob(path="acme/kb/1/a", bytes=3, sha256="00")
    await route.step(submitted("", blob=blob), context(offset=49))
    progressed, removal = await route.step(withdrawn(), context(offset=50))
    assert not (await route.visibility.version_states([KEY]))[KEY].is_visible(49)
    assert progressed.event.data.state == "deleted"
    assert (removal.topic, removal.event.data.version, removal.event.data.blobs) == (DOCUMENTS_EMBEDDED, 50, ("acme/kb/1/a",))
    again = await route.step(withdrawn(), context(offset=50))
    assert again[1].event == removal.event  # until somebody says that the file is gone
    await route.visibility.clear_orphaned_blobs(KEY, ("acme/kb/1/a",))
    assert (await route.step(withdrawn(), context(offset=50)))[1].event.data.blobs == ()


async def test_what_says_nothing_new_is_not_worked(route: Dispatch):
    first = submitted()
    await route.step(first, context(offset=1))
    await shown(route, first, 1)
    (progress,) = await route.step(first, context(offset=5))
    assert (progress.event.data.state, progress.event.data.chunks, progress.event.data.version) == ("unchanged", 3, 5)
    assert (await route.visibility.version_states([KEY]))[KEY].visible_version == 1
    assert progress.event.data.visible == 1  # the log keeps the last word per document: it must not forget what readers see
    assert (await route.step(submitted("别的"), context(offset=6)))[0].event.data.visible == 1
    for changed in (submitted("别的"), submitted(force=True), submitted(metadata={"a": "b"}), submitted(media_type="text/markdown")):
        assert states(await route.step(changed, context(offset=6))) == ["queued"]


async def test_unchanged_is_against_what_readers_see(route: Dispatch):
    """Neither what is only on its way nor what was deleted counts; the same content after another version is its own return."""
    first = submitted()
    await route.step(first, context(offset=1))
    assert states(await route.step(first, context(offset=2))) == ["queued"]  # not visible yet
    await shown(route, first, 2)
    await route.step(submitted("二"), context(offset=3))
    assert states(await route.step(first, context(offset=4))) == ["unchanged"]  # 3 is superseded by it
    assert await route.visibility.is_superseded(KEY, 3)
    await route.step(withdrawn(), context(offset=7))
    assert states(await route.step(first, context(offset=8))) == ["queued"]


async def test_a_repeat_after_the_version_was_indexed_does_not_call_it_unchanged(route: Dispatch):
    first = submitted()
    await route.step(first, context(offset=1))
    await shown(route, first, 1)
    assert await route.step(first, context(offset=1)) == []


async def test_every_shelf_is_filled_the_one_that_is_seen_last(route: Dispatch, plans: Plans):
    plans.known["acme", "kb"] = IndexPlan(
        tenant="acme", knowledge_base_id="kb", other=Shelf(generation=1, chunk_tokens=64), state="building", revision=1
    )
    progressed, other, active = await route.step(submitted(), context(offset=3))
    assert progressed.topic is DOCUMENTS_PROGRESSED
    assert (other.event.data.shelf.generation, other.event.data.quiet) == (1, True)
    assert (active.event.data.shelf.generation, active.event.data.quiet) == (0, False)
    assert other.topic is active.topic
    assert len({progressed.event.id, other.event.id, active.event.id}) == 3


async def test_a_replaced_file_becomes_litter_until_it_is_gone(route: Dispatch):
    for version, path in ((1, "acme/kb/1/a"), (2, "acme/kb/1/b"), (3, "acme/kb/1/c")):
        event = submitted("", blob=Blob(path=path, bytes=1, sha256=path))
        outgoing = await route.step(event, context(offset=version))
    removal = next(each for each in outgoing if each.topic is DOCUMENTS_EMBEDDED)
    assert (removal.event.data.blobs, removal.event.data.version) == (("acme/kb/1/a", "acme/kb/1/b"), NO_VERSION)
    await route.visibility.clear_orphaned_blobs(KEY, removal.event.data.blobs)
    assert not [each for each in await route.step(submitted("x"), context(offset=3)) if each.topic is DOCUMENTS_EMBEDDED]


async def test_the_files_of_replaced_versions_are_kept_and_the_log_says_which(route: Dispatch):
    """One record more where a version that readers saw is replaced, none where not; the same when it is read again; gone with the
    document.
    """

    def kept(outgoing: Sequence[Outgoing]) -> list[tuple[int, list[tuple[int, str]], int]]:
        found = [one.event.data for one in outgoing if one.topic is DOCUMENTS_VERSIONS]
        return [(each.version, [(one.version, one.filename) for one in each.kept], each.bytes) for each in found]

    def removed(outgoing: Sequence[Outgoing]) -> list[str]:
        return [path for one in outgoing if one.topic is DOCUMENTS_EMBEDDED for path in one.event.data.blobs]

    def file(version: int, **fields: Any) -> DocumentSubmitted:
        blob = Blob(path=f"acme/kb/1/{version}", bytes=version, sha256=f"{version}")
        return submitted("", blob=blob, filename=f"{version}.pdf", sealed_password="sealed" if version == 1 else "", **fields)

    first = await route.step(file(1), context(offset=1))
    assert [one.topic for one in first] == [DOCUMENTS_PROGRESSED, DOCUMENTS_QUEUED_EXPRESS]
    await shown(route, file(1), 1)
    second = await route.step(file(2), context(offset=2))
    assert kept(second) == [(2, [(1, "1.pdf")], 1)]
    assert removed(second) == []
    (record,) = [one.event.data.kept[0] for one in second if one.topic is DOCUMENTS_VERSIONS]
    assert (record.path, record.sha256, record.submitted_at, record.encrypted) == ("acme/kb/1/1", "1", NOW, True)
    assert "sealed" not in str(record)
    again = await route.step(file(2), context(offset=2))
    assert [one.event.id for one in again if one.topic is DOCUMENTS_VERSIONS] == [
        one.event.id for one in second if one.topic is DOCUMENTS_VERSIONS
    ]
    await shown(route, file(2), 2)
    same = await route.step(file(2), context(offset=3))  # the same file once more
    assert (states(same), kept(same), removed(same)) == (["unchanged"], [], [])
    third = await route.step(file(4), context(offset=4))
    assert kept(third) == [(4, [(2, "2.pdf"), (1, "1.pdf")], 3)]
    assert kept(await route.step(file(5), context(offset=5))) == []  # nobody has seen the fourth one
    await shown(route, file(5), 5)
    fourth = await route.step(file(6), context(offset=6))
    assert kept(fourth) == [(6, [(5, "5.pdf"), (2, "2.pdf")], 7)]
    assert removed(fourth) == ["acme/kb/1/4", "acme/kb/1/1"]
    await route.visibility.clear_orphaned_blobs(KEY, removed(fourth))
    for _ in range(2):
        gone = await route.step(withdrawn(), context(offset=7))
        assert kept(gone) == [(7, [], 0)]
        assert sorted(removed(gone)) == ["acme/kb/1/2", "acme/kb/1/5", "acme/kb/1/6"]
    await route.visibility.clear_orphaned_blobs(KEY, removed(gone))
    assert kept(await route.step(file(8), context(offset=8))) == []


async def test_many_at_once_are_what_they_are_one_by_one(route: Dispatch, redis: RedisClient):
    seen = submitted()
    await shown(route, replace(seen, subject="acme/kb/seen"), 0)
    events: list[Any] = [replace(submitted(str(n)), id=f"s{n}", subject=f"acme/kb/{n}") for n in range(5)]
    events += [replace(withdrawn(), subject="acme/kb/w"), replace(seen, subject="acme/kb/seen")]
    numbered = list(enumerate(events))
    for n, event in numbered:  # the first delivery of each, after which a repeat is told the same
        await route.step(event, context(offset=10 + n))
    together = await route.step_many([(event, context(offset=10 + n)) for n, event in numbered])
    alone = [await route.step(event, context(offset=10 + n)) for n, event in enumerate(events)]
    assert [list(each) for each in together] == [list(each) for each in alone]


async def test_a_submission_read_again_behind_a_newer_one_is_not_queued_again(route: Dispatch):
    """Its worker died before its place on the log was committed; meanwhile another version was queued, and then this one became visible."""
    first, second = submitted("one"), submitted("two")
    assert states(await route.step(first, context(offset=3))) == ["queued"]
    assert states(await route.step(first, context(offset=3))) == ["queued"]  # nothing newer: it may not have reached the log
    assert states(await route.step(second, context(offset=4))) == ["queued"]
    assert await route.step(first, context(offset=3)) == []
    await shown(route, first, 3)
    assert await route.step(first, context(offset=3)) == []
    assert states(await route.step(second, context(offset=4))) == ["queued"]
    await shown(route, second, 4)
    assert [await route.step(each, context(offset=at)) for at, each in ((3, first), (4, second))] == [[], []]


async def test_a_withdrawal_that_lies_twice_on_the_log_makes_two_removals(route: Dispatch):
    """A worker died before it committed and published the same event again: two offsets are two versions, and no id has two contents."""
    first = await route.step(withdrawn(), context(offset=50))
    second = await route.step(withdrawn(), context(offset=51))
    removals = [each.event for outgoing in (first, second) for each in outgoing if each.topic is DOCUMENTS_EMBEDDED]
    assert [each.data.version for each in removals] == [50, 51]
    assert len({each.id for each in removals}) == 2
    again = await route.step(withdrawn(), context(offset=51))
    assert [each.event.id for each in again if each.topic is DOCUMENTS_EMBEDDED] == [removals[1].id]


async def test_a_submission_that_lies_twice_on_the_log_is_queued_under_two_ids(route: Dispatch):
    first = await route.step(submitted(), context(offset=50))
    second = await route.step(submitted(), context(offset=51))
    queued = [each.event for outgoing in (first, second) for each in outgoing if each.topic is DOCUMENTS_QUEUED_EXPRESS]
    assert [each.data.version for each in queued] == [50, 51]
    assert len({each.id for each in queued}) == 2


async def test_a_place_in_a_lane_is_given_back_when_nothing_is_queued(route: Dispatch):
    await route.step(submitted("one"), context(offset=3))
    await route.step(submitted("two"), context(offset=4))
    await route.step(submitted("one"), context(offset=3))
    assert await lane_members(route) == {f"4/{KEY}"}


async def lane_members(route: Dispatch) -> set[str]:
    express, bulk, _ = route.lanes._keys("acme")
    return {each.decode() for key in (express, bulk) for each in await route.lanes._redis.execute_command("ZRANGE", key, 0, -1)}


async def test_a_submission_that_is_sent_on_again_is_told_apart(route: Dispatch):
    event, plan = submitted(), IndexPlan(tenant="acme", knowledge_base_id="kb", other=Shelf(generation=2))
    rounds = [
        work_events(event, 3, "bulk", plan, NOW, content_hash="", before=PriorState(VersionState()), again=again) for again in range(3)
    ]
    ids = [each.event.id for outgoing in rounds for each in outgoing]
    assert len(set(ids)) == len(ids)


async def test_a_refused_submission_says_so(route: Dispatch):
    (news,) = await route.report_failure(submitted(), Refused("document_too_large").problem(), context(offset=4))
    assert isinstance(news, Outgoing)
    assert (news.event.data.state, news.event.data.cause.title_zh) == ("failed", "文档过大")


def record(at_ms: int, partition: int = 0, offset: int = 0, key: str = "") -> InboxRecord:
    return InboxRecord(at_ms=at_ms, partition=partition, offset=offset, key_sha256=key)


def removed(of: InboxRecord) -> DocumentWithdrawn:
    return DocumentWithdrawn(**header("w", KEY), data=Withdrawal(knowledge_base_id="kb", document_id="doc", origin="inbox", record=of))


async def handled(route: Dispatch, log: dict[int, Submitted], *events: Submitted) -> list[list[Outgoing]]:
    """As the log has them, one after the other; what is put on the log of submissions again follows at its end."""
    done, waiting = [], list(events)
    while waiting:
        event, offset = waiting.pop(0), len(log)
        log[offset] = event
        done.append([*await route.step(event, context(offset=offset))])
        waiting += [each.event for each in done[-1] if isinstance(each.event, DocumentSubmitted | DocumentWithdrawn)]
    return done


async def test_a_late_older_record_does_not_bring_a_deleted_document_back(route: Dispatch, log: dict[int, Submitted]):
    """The deletion is the last word of the log again, so that compaction keeps it; the sender of the late record is told."""
    late = submitted("spät", origin="inbox", record=record(10, partition=1, offset=70))
    _, superseded, again = await handled(route, log, removed(record(20)), late)
    assert [each.topic for each in superseded] == [DOCUMENTS_SUBMITTED, DOCUMENTS_PROGRESSED]
    told = superseded[1]
    assert (told.event.data.state, told.event.data.version, told.event.data.cause.code) == ("failed", NO_VERSION, "record_superseded")
    assert told.key == f"{KEY}/refused"
    assert states(again) == ["deleted"]
    assert isinstance(log[2], DocumentWithdrawn)
    assert log[2].data.record == record(20)
    state = (await route.visibility.version_states([KEY]))[KEY]
    assert (state.visible_version, state.deleted) == (None, 2)
    (repeated, *_) = await route.step(late, context(offset=1))
    assert repeated.event == log[2]
    assert states(await route.step(submitted("neu", origin="inbox", record=record(30, partition=1)), context(offset=3))) == ["queued"]


async def test_a_late_older_record_changes_no_newer_version(route: Dispatch, log: dict[int, Submitted]):
    """Neither an older content nor an older deletion; what somebody wrote over HTTP meanwhile stays, too, and the key of the newest."""
    newest = submitted("neu", origin="inbox", record=record(20, key="k2"))
    old = submitted("alt", origin="inbox", record=record(10, partition=1, key="k1"))
    for late in (old, removed(record(10, partition=1))):
        log.clear()
        await handled(route, log, newest)
        await shown(route, newest, 0)
        (superseded, again) = await handled(route, log, late)
        alias = superseded[1]
        assert (alias.topic, alias.event.data.key_sha256) == (DOCUMENTS_ALIASED, "k2")
        assert states(again) == ["unchanged"]
        assert log[2].data == newest.data
        assert (await route.visibility.version_states([KEY]))[KEY].visible_version == 0
        await route.visibility.record_withdrawal(KEY, 90)
        await route.visibility.record_submission(KEY, 91)
        log[91] = submitted("von Hand")
        outgoing = await route.step(late, context(offset=92))
        assert [each.event.data.text for each in outgoing if each.topic is DOCUMENTS_SUBMITTED] == ["von Hand"]
        await route.visibility._redis.delete(visibility_key(route.visibility._prefix, KEY))


async def test_what_compaction_has_left_counts(route: Dispatch, log: dict[int, Submitted]):
    """Only the late record is on the log: a deletion is told again, a version that nobody has any more is replaced."""
    late = submitted("spät", origin="inbox", record=record(10, partition=1))
    await route.step(removed(record(20)), context(offset=0))
    outgoing = await route.step(late, context(offset=5))
    assert isinstance(outgoing[0].event, DocumentWithdrawn)
    assert outgoing[0].event.data.record == record(20)
    await route.step(submitted("neu", origin="inbox", record=record(30)), context(offset=6))
    assert states(await route.step(late, context(offset=7))) == ["queued"]


async def test_late_records_among_others_of_a_batch(route: Dispatch, log: dict[int, Submitted]):
    """The others are handled as ever."""
    log[0] = removed(record(20))
    await route.step(log[0], context(offset=0))
    late = submitted("spät", origin="inbox", record=record(10, partition=1))
    other = replace(submitted(), subject="acme/kb/other")
    done = await route.step_many([(late, context(offset=1)), (other, context(offset=2))])
    assert [states(one) for one in done] == [["failed"], ["queued"]]
