"""Visibility records made again from the log."""

import pytest

from adapters.redis.client import RedisClient
from domain.documents.errors import DOCUMENT_CANCELLED
from domain.documents.requests import SubmissionRequests
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.documents.visibility import VersionState, Visibility
from domain.documents.visibility_rebuild import VisibilityRebuild
from schemas.documents import Document, DocumentProgressed, DocumentSubmitted, Progress
from schemas.errors import Refused
from schemas.indexes import IndexPlan
from schemas.settings import RetrievalSettings
from streams.log.outgoing import LogOffset
from tests.support.ports import header

pytestmark = pytest.mark.stack
KEY = "acme/kb/doc"


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
