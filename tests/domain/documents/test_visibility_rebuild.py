"""Visibility records made again from the log."""

import pytest

from adapters.redis.client import RedisClient
from domain.documents.content_hash import content_hash_of
from domain.documents.errors import DOCUMENT_CANCELLED
from domain.documents.requests import SubmissionRequests
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.documents.versions import describe_file, kept_versions
from domain.documents.visibility import IndexedContent, NewVersion, PriorState, VersionState, Visibility, visibility_key
from domain.documents.visibility_rebuild import VisibilityRebuild
from schemas.documents import Blob, Document, DocumentProgressed, DocumentSubmitted, DocumentVersionsKept, Progress
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
                data = kept_versions(submission(version).data, version, before.kept, "")
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
                2,
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


async def test_a_cancelled_version_stays_cancelled(redis: RedisClient, prefix: str) -> None:
    """Work on it that is still on the log is dropped; readers keep the version before."""

    def plan(tenant: str, knowledge_base: str) -> IndexPlan:
        return IndexPlan(tenant=tenant, knowledge_base_id=knowledge_base)

    requests = SubmissionRequests(redis, prefix, 10)
    rebuild = VisibilityRebuild(redis, prefix, plan, RetrievalSettings(), lambda _event, _version: "", requests, 2)
    cause = Refused(DOCUMENT_CANCELLED).problem()
    progress = Progress(knowledge_base_id="kb", document_id="doc", version=7, state="failed", visible=3, cause=cause)
    rebuild.add_progress([DocumentProgressed(**header("p", KEY), data=progress)])
    document = Document(knowledge_base_id="kb", document_id="doc", title="doc", text="x")
    await rebuild.add_submissions([(DocumentSubmitted(**header("s", KEY), data=document), LogOffset(DOCUMENTS_SUBMITTED.name, 0, 7))])
    await rebuild.finish()
    visibility = Visibility(redis, prefix)
    assert (await visibility.version_states((KEY,)))[KEY] == VersionState(latest=7, visible=3, cancelled=7)
    assert await visibility.is_superseded(KEY, 7)
