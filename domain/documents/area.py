"""The area of documents."""

from domain.area import Area
from domain.config_keys import config_keys
from domain.documents.errors import ERRORS
from domain.documents.open_documents import OpenDocuments
from domain.documents.record_keys import RECORD_KEYS
from domain.documents.records import DOCUMENTS
from domain.documents.requests import SubmissionRequests
from domain.documents.sources import blob_path
from domain.documents.storage import Storage
from domain.documents.topics import (
    DOCUMENTS_ALIASED,
    DOCUMENTS_CHUNKED,
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_PROGRESSED,
    DOCUMENTS_QUEUED_BULK,
    DOCUMENTS_QUEUED_EXPRESS,
    DOCUMENTS_QUEUED_SLOW,
    DOCUMENTS_REQUESTED,
    DOCUMENTS_SUBMITTED,
    DOCUMENTS_VERSIONS,
)
from domain.documents.visibility_rebuild import VisibilityRebuild
from domain.indexes.catalogue import CollectionCatalogue
from schemas.documents import DocumentProgressed, DocumentVersionsKept
from schemas.errors import Unavailable
from schemas.settings import DocumentSettings
from streams.tables.rebuild import Events, RebuildPorts, RebuildResult, replay


async def _rebuild_documents(ports: RebuildPorts) -> RebuildResult:
    """Rebuild the states of documents, the documents in progress, and the stored bytes of tenants."""
    prefix = ports.settings.redis.key_prefix
    open_documents = OpenDocuments(ports.redis, prefix, DOCUMENTS_PROGRESSED.partitions(ports.settings.kafka))
    storage = Storage(ports.redis, prefix)

    async def fold(events: Events) -> None:
        await ports.tables.apply_many(events)
        progressed = [event for event, _ in events if isinstance(event, DocumentProgressed)]
        await open_documents.apply_many(progressed)
        await storage.apply_many(progressed)

    async def count_kept(events: Events) -> None:
        await storage.apply_kept([event for event, _ in events if isinstance(event, DocumentVersionsKept)])

    return _sum(await replay(ports.reader, DOCUMENTS_PROGRESSED, fold), await replay(ports.reader, DOCUMENTS_VERSIONS, count_kept))


async def _rebuild_visibility(ports: RebuildPorts) -> RebuildResult:
    """Rebuild the version states of documents: first from their kept versions and progress, then from their submissions and the requests
    for them.
    """
    catalogue = CollectionCatalogue(ports.settings.kafka)
    await catalogue.start()
    try:
        if not catalogue.ready:
            raise Unavailable("kafka_unavailable", f"{ports.settings.kafka.servers}: the index plans cannot be read")
        prefix, documents = ports.settings.redis.key_prefix, ports.settings.documents
        requests = SubmissionRequests(ports.redis, prefix, documents.requests_max)
        rebuild = VisibilityRebuild(ports.redis, prefix, catalogue.plan, ports.settings.retrieval, blob_path, requests)

        async def add_kept(events: Events) -> None:
            await rebuild.add_kept([event for event, _ in events])

        async def add_progress(events: Events) -> None:
            rebuild.add_progress([event for event, _ in events])

        kept = await replay(ports.reader, DOCUMENTS_VERSIONS, add_kept)
        progress = await replay(ports.reader, DOCUMENTS_PROGRESSED, add_progress)
        submissions = await replay(ports.reader, DOCUMENTS_SUBMITTED, rebuild.add_submissions)
        requested = await replay(ports.reader, DOCUMENTS_REQUESTED, rebuild.add_requests)
        await rebuild.finish()
    finally:
        await catalogue.stop()
    return _sum(kept, progress, submissions, requested)


def _sum(*parts: RebuildResult) -> RebuildResult:
    return RebuildResult(sum(part.events for part in parts), sum(part.unreadable for part in parts))


AREA = Area(
    name="documents",
    topics=(
        DOCUMENTS_SUBMITTED,
        DOCUMENTS_QUEUED_EXPRESS,
        DOCUMENTS_QUEUED_BULK,
        DOCUMENTS_QUEUED_SLOW,
        DOCUMENTS_CHUNKED,
        DOCUMENTS_EMBEDDED,
        DOCUMENTS_PROGRESSED,
        DOCUMENTS_ALIASED,
        DOCUMENTS_REQUESTED,
        DOCUMENTS_VERSIONS,
    ),
    errors=ERRORS,
    configs=config_keys(DocumentSettings, "file_bytes_max", effect="restart", public=True),
    records=(DOCUMENTS, RECORD_KEYS),
    rebuilds={"visibility": _rebuild_visibility, "documents": _rebuild_documents},
    unprojected={
        DOCUMENTS_SUBMITTED.name: "the visibility record of each document follows it: dispatch writes it, `visibility` rebuilds it",
        DOCUMENTS_REQUESTED.name: "dispatch writes it from the visibility record of each document, which `visibility` rebuilds from it",
        DOCUMENTS_VERSIONS.name: "dispatch writes it from the visibility record of each document, which `visibility` rebuilds from it",
    },
)
