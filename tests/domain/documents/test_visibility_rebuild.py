"""Visibility records made again from the log."""

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from adapters.redis.client import RedisClient
from domain.documents.content_hash import content_hash_of
from domain.documents.errors import DOCUMENT_CANCELLED
from domain.documents.requests import SubmissionRequests
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.documents.versions import describe_file, describe_kept
from domain.documents.visibility import IndexedContent, NewVersion, PriorState, VersionState, Visibility, visibility_key
from domain.documents.visibility_rebuild import VisibilityRebuild
from schemas.documents import (
    Blob,
    Document,
    DocumentProgressed,
    DocumentSubmitted,
    DocumentVersionsKept,
    DocumentWithdrawn,
    KeptVersion,
    Progress,
    State,
    Withdrawal,
)
from schemas.errors import Refused
from schemas.indexes import IndexPlan
from schemas.settings import RetrievalSettings
from streams.log.outgoing import LogOffset
from tests.support.ports import header

pytestmark = pytest.mark.stack
KEY = "acme/kb/doc"


async def test_kept_files_are_neither_lost_nor_forgotten(redis: RedisClient, prefix: str) -> None:
    """After Redis lost its records: what is kept stays, although the log has all submissions still, and the next replacement goes on as
    if nothing had happened. Version 5 was found to be the same as 4.
    """

    def plan(tenant: str, knowledge_base: str) -> IndexPlan:
        return IndexPlan(tenant=tenant, knowledge_base_id=knowledge_base)

    def submission(version: int) -> DocumentSubmitted:
        blob = Blob(path=f"acme/kb/1/{version}", bytes=1, sha256="4" if version == 5 else str(version))
        document = Document(knowledge_base_id="kb", document_id="doc", title="doc", media_type="application/pdf", blob=blob)
        return DocumentSubmitted(**header("s", KEY), data=document)

    def content_hash(version: int) -> str:
        return content_hash_of(submission(version).data, plan("acme", "kb").active, RetrievalSettings())

    async def submit(visibility: Visibility, version: int) -> PriorState:
        event, path = submission(version), f"acme/kb/1/{version}"
        new = NewVersion(KEY, version, path, None, content_hash(version), describe_file(event, version, path))
        return (await visibility.record_submissions([new], versions_kept=2))[0]

    found = []
    for lost in (False, True):
        visibility, on_log = Visibility(redis, f"{prefix}:{lost}"), []
        for version in (1, 2, 3, 4, 5):
            before = await submit(visibility, version)
            await visibility.clear_orphaned_blobs(KEY, before.orphans)
            if before.is_kept_changed:
                data = describe_kept(submission(version).data, version, before.kept, "")
                on_log.append(DocumentVersionsKept(**header("v", KEY), data=data))
            if version != 5:
                await visibility.mark_indexed(KEY, version, IndexedContent(content_hash=content_hash(version), chunks=1))
        if lost:
            await redis.execute_command("UNLINK", visibility_key(f"{prefix}:{lost}", KEY))
            requests = SubmissionRequests(redis, f"{prefix}:{lost}", 10)
            rebuild = VisibilityRebuild(
                redis,
                f"{prefix}:{lost}",
                plan,
                RetrievalSettings(),
                lambda event, _: event.data.blob.path if event.data.blob else "",
                requests,
            )
            await rebuild.add_kept(on_log)
            progress = Progress(knowledge_base_id="kb", document_id="doc", version=5, state="unchanged", visible=4, chunks=1)
            rebuild.add_progress([DocumentProgressed(**header("p", KEY), data=progress)])
            places = [(submission(version), LogOffset(DOCUMENTS_SUBMITTED.name, 0, version)) for version in (1, 2, 3, 4, 5)]
            await rebuild.add_submissions(places)
            await rebuild.finish()
        after = await submit(visibility, 6)
        gone = await visibility.record_withdrawal(KEY, 7)
        assert gone is not None
        found.append(
            (after.state, [(each.version, each.path) for each in after.kept], set(gone.orphans) - {f"acme/kb/1/{n}" for n in (1, 4)})
        )
        assert (after.kept[0].version, after.kept[0].path) == (4, "acme/kb/1/5")
    assert found[0] == found[1]
    assert found[0][2] == {f"acme/kb/1/{n}" for n in (2, 3, 5, 6)}


class _History:
    """A document's life as dispatch and the log have it: every event may be read again before the next one, Redis may lose the record."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis, self._prefix, self.visibility = redis, prefix, Visibility(redis, prefix)
        self._events: list[DocumentSubmitted | DocumentWithdrawn] = []
        self._progress: list[DocumentProgressed] = []
        self._versions: list[DocumentVersionsKept] = []
        self.removed: set[str] = set()

    async def submit(self, content: int, *, versions_kept: int, times: int) -> None:
        version = len(self._events)
        blob = Blob(path=f"acme/kb/1/{version}", bytes=1, sha256=str(content))
        document = Document(knowledge_base_id="kb", document_id="doc", title="doc", media_type="application/pdf", blob=blob)
        event = DocumentSubmitted(**header("s", KEY), data=document)
        self._events.append(event)
        hashed = content_hash_of(document, _plan("acme", "kb").active, RetrievalSettings())
        for _ in range(times):  # only the last time gets as far as the log
            new = NewVersion(KEY, version, blob.path, None, hashed, describe_file(event, version, blob.path))
            (before,) = await self.visibility.record_submissions([new], versions_kept=versions_kept)
        self._publish(document, version, before.kept, blob.path, is_changed=before.is_kept_changed)
        if before.state.visible_version is not None and before.content_hash == hashed:
            self._report(version, "unchanged", before.state.visible)
        else:
            self._report(version, "queued", -1 if before.state.visible_version is None else before.state.visible)
        await self._remove(before.orphans)

    async def index(self) -> None:
        version = len(self._events) - 1
        if (
            not self._events
            or not isinstance(event := self._events[version], DocumentSubmitted)
            or self._progress[-1].data.state != "queued"
        ):
            return
        hashed = content_hash_of(event.data, _plan("acme", "kb").active, RetrievalSettings())
        await self.visibility.mark_indexed(KEY, version, IndexedContent(content_hash=hashed, chunks=1))
        self._report(version, "indexed", version)

    async def withdraw(self, *, times: int) -> None:
        version, data = len(self._events), Withdrawal(knowledge_base_id="kb", document_id="doc")
        self._events.append(DocumentWithdrawn(**header("w", KEY), data=data))
        for _ in range(times):
            gone = await self.visibility.record_withdrawal(KEY, version)
        assert gone is not None
        self._publish(data, version, (), "", is_changed=gone.is_kept_changed)
        self._report(version, "deleted", -1)
        await self._remove(gone.orphans)

    async def lose(self, *, compacted: bool) -> None:
        """Redis loses the record, and it is made again from the log; ``compacted``: with the last event of each topic."""
        await self._redis.execute_command("UNLINK", visibility_key(self._prefix, KEY))
        requests = SubmissionRequests(self._redis, self._prefix, 10)
        rebuild = VisibilityRebuild(
            self._redis,
            self._prefix,
            _plan,
            RetrievalSettings(),
            lambda event, _: event.data.blob.path if event.data.blob else "",
            requests,
        )
        first = -1 if compacted else 0
        await rebuild.add_kept(self._versions[first:])
        rebuild.add_progress(self._progress[first:])
        places = [(event, LogOffset(DOCUMENTS_SUBMITTED.name, 0, version)) for version, event in enumerate(self._events)]
        await rebuild.add_submissions(places[first:])
        await rebuild.finish()

    async def check(self) -> None:
        """Redis and the log list the same kept files, and all of them are there."""
        kept = [(each.version, each.path) for each in await self.visibility.list_kept(KEY)]
        assert kept == ([(each.version, each.path) for each in self._versions[-1].data.kept] if self._versions else [])
        assert not {path for _, path in kept} & self.removed

    def _publish(self, data: Document | Withdrawal, version: int, kept: Sequence[KeptVersion], path: str, *, is_changed: bool) -> None:
        if is_changed:
            self._versions.append(DocumentVersionsKept(**header("v", KEY), data=describe_kept(data, version, kept, path)))

    def _report(self, version: int, state: State, visible: int) -> None:
        progress = Progress(knowledge_base_id="kb", document_id="doc", version=version, state=state, visible=visible, chunks=1)
        self._progress.append(DocumentProgressed(**header("p", KEY), data=progress))

    async def _remove(self, orphans: Sequence[str]) -> None:
        self.removed.update(orphans)
        await self.visibility.clear_orphaned_blobs(KEY, orphans)


def _plan(tenant: str, knowledge_base: str) -> IndexPlan:
    return IndexPlan(tenant=tenant, knowledge_base_id=knowledge_base)


TIMES = st.integers(1, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.integers(0, 2), st.sampled_from([0, 1, 3]), TIMES),
        st.tuples(st.just("index")),
        st.tuples(st.just("withdraw"), TIMES),
        st.tuples(st.just("lose"), st.booleans()),
    ),
    min_size=3,
    max_size=16,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example([("submit", 0, 3, 1), ("index",), ("submit", 1, 3, 1), ("index",), ("submit", 2, 0, 1), ("lose", True), ("submit", 2, 0, 1)])
async def test_redis_and_the_log_list_the_same_kept_files(redis: RedisClient, prefix: str, steps: list[tuple[Any, ...]]) -> None:
    """Through repeats, losses of Redis and changes of the setting; a file that was removed is never listed again."""
    history = _History(redis, f"{prefix}:{uuid.uuid4().hex}")
    for step in steps:
        match step:
            case ("submit", content, versions_kept, times):
                await history.submit(content, versions_kept=versions_kept, times=times)
            case ("index",):
                await history.index()
            case ("withdraw", times):
                await history.withdraw(times=times)
            case ("lose", compacted):
                await history.lose(compacted=compacted)
        await history.check()


async def test_a_cancelled_version_stays_cancelled(redis: RedisClient, prefix: str) -> None:
    """Work on it that is still on the log is dropped; readers keep the version before."""

    def plan(tenant: str, knowledge_base: str) -> IndexPlan:
        return IndexPlan(tenant=tenant, knowledge_base_id=knowledge_base)

    requests = SubmissionRequests(redis, prefix, 10)
    rebuild = VisibilityRebuild(redis, prefix, plan, RetrievalSettings(), lambda _event, _version: "", requests)
    cause = Refused(DOCUMENT_CANCELLED).problem()
    progress = Progress(knowledge_base_id="kb", document_id="doc", version=7, state="failed", visible=3, cause=cause)
    rebuild.add_progress([DocumentProgressed(**header("p", KEY), data=progress)])
    document = Document(knowledge_base_id="kb", document_id="doc", title="doc", text="x")
    await rebuild.add_submissions([(DocumentSubmitted(**header("s", KEY), data=document), LogOffset(DOCUMENTS_SUBMITTED.name, 0, 7))])
    await rebuild.finish()
    visibility = Visibility(redis, prefix)
    assert (await visibility.version_states((KEY,)))[KEY] == VersionState(latest=7, visible=3, cancelled=7)
    assert await visibility.is_superseded(KEY, 7)
