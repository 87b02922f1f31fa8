"""documents.embedded -> index -> the index, the visibility record, documents.progressed

Upserts the points of a version that is not visible yet; when the index has all of them, the visibility record is raised and older points
are removed. A superseded or withdrawn version leaves no points behind. A chunk without vectors reuses those of an earlier version's point
with the same text.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from msgspec.structs import replace

from adapters.index.port import Point, StoredVectors, VectorIndex
from adapters.text.sparse import unpack
from adapters.web.fetch import Fetcher
from domain import composition
from domain.documents.lanes import Lanes
from domain.documents.progress import batch_progress, points_removal, progress_event
from domain.documents.records import show_progress
from domain.documents.sources import DocumentLoader
from domain.documents.topics import DOCUMENTS_CHUNKED, DOCUMENTS_EMBEDDED
from domain.documents.visibility import IndexedContent, Visibility
from domain.indexes.catalogue import IndexPlans
from domain.indexes.engines import Engines
from domain.retrieval.search import Engine
from schemas import ids
from schemas.documents import (
    ChunkBatch,
    DocumentChunked,
    DocumentEmbedded,
    DocumentRemovalRequested,
    Embedded,
    EmbeddedBatch,
    Progress,
    Shelf,
    State,
)
from schemas.errors import Problem, Refused
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.tables.record_table import RecordTable

NAME, WORKER_GROUP = "index", "knowledge"
UPSERTS_IN_FLIGHT_MAX = 128  # per partition: what the index gathers into its batches
TOGETHER_MAX = 8  # documents: 2 ms of a process that also answers questions


class DocumentFiles(Protocol):
    """Where files of documents lie."""

    async def delete(self, path: str) -> None: ...


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent; it deletes files of documents and reads none."""
    files = DocumentLoader(ports.get(composition.blob_store), Fetcher(ports.settings.documents), ports.settings.encryption_secret)
    engines, catalogue = ports.get(composition.engines), ports.get(composition.collection_catalogue)
    visibility, lanes = ports.get(composition.visibility), ports.get(composition.lanes)
    documents = ports.get(composition.read_models).documents
    return (IndexChunks(engines, catalogue, visibility, lanes, documents, files, UPSERTS_IN_FLIGHT_MAX).agent(),)


@dataclass(frozen=True, slots=True)
class IndexChunks:
    """The agent's ports."""

    engines: Engines
    plans: IndexPlans
    visibility: Visibility
    lanes: Lanes
    documents: RecordTable[Progress]
    files: DocumentFiles
    in_flight_max: int

    def agent(self) -> Agent:
        """Many at once: the index gathers their upserts into few calls."""
        return Agent(
            name=NAME,
            reads=(DOCUMENTS_EMBEDDED,),
            step=self.step,
            failed=self.report_failure,
            in_flight_max=self.in_flight_max,
            step_many=self.step_many,
            together_max=TOGETHER_MAX,
        )

    async def step(self, event: Embedded, context: Context) -> Sequence[Outgoing]:
        """Store, verify, make visible, clean up."""
        if isinstance(event, DocumentRemovalRequested):
            return await self.remove(event, context)
        batch = event.data.batch
        collection = self.collection_of(event)
        engine = await self.engines.get((collection or batch.shelf).engine)
        index = engine.index
        whole = batch.total == len(batch.chunks)
        # for a document in one batch it is checked when it is marked as indexed
        if collection is None or (not whole and await self.visibility.is_superseded(event.subject, batch.version)):
            return await self.discard(event, index)
        if event.data.model != engine.encoder.embedding_name:
            return self.embed_again(event, collection, engine.encoder.embedding_name, context)
        missing = missing_vectors(event.data)
        reused = await index.vectors_of(event.tenant, _collection_name(batch), batch.document_id, missing) if missing else {}
        if not missing <= reused.keys():
            again = replace(batch, shelf=collection, again=True)
            return [Outgoing(DOCUMENTS_CHUNKED, DocumentChunked.from_cause(event, NAME, data=again, now=context.clock.now()))]
        await index.upsert(points(event.tenant, event.subject, event.data, reused, engine.encoder.dimensions))
        if not whole and not await self.all_stored(event, index):
            await self.visibility.record_chunks(event.subject, batch.version, _hashes(batch), generation=batch.shelf.generation)
            return self.progress_events(event, "embedding", context, done=batch.first + len(batch.chunks))
        if batch.quiet:
            is_visible = not await self.visibility.is_superseded(event.subject, batch.version)
            if is_visible:
                await self.visibility.record_chunks(event.subject, batch.version, _hashes(batch), generation=batch.shelf.generation)
                await self.visibility.record_build(event.subject, batch.shelf.generation, batch.version)
        else:
            is_visible = await self.visibility.mark_indexed(event.subject, batch.version, version_record(batch))
        return await self.finish(event, index, context, is_visible=is_visible)

    async def step_many(self, events: Sequence[tuple[Embedded, Context]]) -> Sequence[Sequence[Outgoing]]:
        """Documents in one batch with all their vectors share one upsert and one round trip to the visibility records."""
        plain: dict[int, DocumentEmbedded] = {}
        engines: dict[int, Engine] = {}
        outgoing: dict[int, Sequence[Outgoing]] = {}
        for number, (event, context) in enumerate(events):
            engine = await self.plain_engine(event) if isinstance(event, DocumentEmbedded) else None
            if isinstance(event, DocumentEmbedded) and engine is not None:
                plain[number], engines[number] = event, engine
            else:
                outgoing[number] = await self.step(event, context)
        for engine in {id(engine): engine for engine in engines.values()}.values():
            of_engine = [event for number, event in plain.items() if engines[number] is engine]
            size = engine.encoder.dimensions
            await engine.index.upsert([point for event in of_engine for point in points(event.tenant, event.subject, event.data, {}, size)])
        versions = [(event.subject, event.data.batch.version, version_record(event.data.batch)) for event in plain.values()]
        for (number, event), is_visible in zip(plain.items(), await self.visibility.mark_indexed_many(versions), strict=True):
            outgoing[number] = await self.finish(event, engines[number].index, events[number][1], is_visible=is_visible)
        return [outgoing[number] for number in range(len(events))]

    async def plain_engine(self, event: DocumentEmbedded) -> Engine | None:
        """The engine of a document that is one batch with all its vectors, for the visible collection; None for any other."""
        batch, collection = event.data.batch, self.collection_of(event)
        if collection is None or batch.total != len(batch.chunks) or batch.quiet or missing_vectors(event.data):
            return None
        engine = await self.engines.get(collection.engine)
        return engine if event.data.model == engine.encoder.embedding_name else None

    def collection_of(self, event: DocumentEmbedded) -> Shelf | None:
        """The collection as the plan has it now, which may name an index since the event; None when it is no longer in the plan."""
        batch = event.data.batch
        collections = self.plans.plan(event.tenant, batch.knowledge_base_id).collections
        return next((each for each in collections if each.generation == batch.shelf.generation), None)

    def embed_again(self, event: DocumentEmbedded, collection: Shelf, model: str, context: Context) -> Sequence[Outgoing]:
        """These vectors are of an embedding that the collection's index does not hold: it was queued before the settings changed."""
        batch = event.data.batch
        if batch.again:
            detail = (
                f"these vectors are of {event.data.model}, the index holds {model}: give all processes the same CLAW_RETRIEVAL_EMBEDDING"
            )
            raise Refused("event_failed", detail)
        again = replace(batch, shelf=collection, again=True, earlier=True)  # like a batch whose vectors could not be reused
        return [Outgoing(DOCUMENTS_CHUNKED, DocumentChunked.from_cause(event, NAME, data=again, now=context.clock.now()))]

    async def finish(self, event: DocumentEmbedded, index: VectorIndex, context: Context, *, is_visible: bool) -> Sequence[Outgoing]:
        """All of it is stored: remove older points and publish the progress."""
        batch = event.data.batch
        if not is_visible:
            return await self.discard(event, index)  # withdrawn or superseded while its points were being stored
        removed = 0
        # a new document has no older points; a version in a hidden collection replaces none yet
        if batch.earlier and not batch.quiet:
            removed = await self.clear(event.tenant, batch.knowledge_base_id, batch.document_id, batch.version - 1)
        progress = batch_progress(batch, "indexed", removed=removed, done=batch.total)
        if batch.lane == "express" and not batch.quiet:  # somebody waits: the way through the log and the projector takes milliseconds more
            await asyncio.gather(show_progress(self.documents, event.tenant, progress), self.leave_express(event))
        else:
            await self.leave_express(event)
        return [] if batch.quiet else [progress_event(event, NAME, progress, context.clock.now())]

    async def report_failure(self, event: Embedded, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """A failed removal leaves points that the visibility record hides for good; a failed version is published as progress."""
        if isinstance(event, DocumentRemovalRequested):
            return []
        batch = event.data.batch
        await self.leave_express(event)
        if batch.quiet:
            await self.visibility.record_build(event.subject, batch.shelf.generation, batch.version, problem.code)
        return self.progress_events(event, "failed", context, cause=problem)

    async def remove(self, event: DocumentRemovalRequested, context: Context) -> Sequence[Outgoing]:
        """Remove points of every collection, and files; then publish the deletion again, with the number of points."""
        removal = event.data
        removed = 0
        if removal.version >= 0:
            removed = await self.clear(event.tenant, removal.knowledge_base_id, removal.document_id, removal.version)
        for path in removal.blobs:
            await self.files.delete(path)
        if removal.blobs:
            await self.visibility.clear_orphaned_blobs(event.subject, removal.blobs)
        if not removed:
            return []
        return [progress_event(event, NAME, points_removal(removal, removed), context.clock.now())]

    async def clear(self, tenant: str, knowledge_base: str, document: str, version: int) -> int:
        """Remove points up to this version from every collection; returns how many they were."""
        removed = 0
        for shelf in self.plans.plan(tenant, knowledge_base).collections:
            index = (await self.engines.get(shelf.engine)).index
            name = ids.collection_name(knowledge_base, shelf.generation)
            removed += await index.remove(tenant, name, document, below_or_equal=version)
        return removed

    async def discard(self, event: DocumentEmbedded, index: VectorIndex) -> Sequence[Outgoing]:
        """Remove all points of a version that never becomes visible."""
        batch = event.data.batch
        await index.remove_version(event.tenant, _collection_name(batch), batch.document_id, batch.version)
        await self.leave_express(event)
        return []

    async def all_stored(self, event: DocumentEmbedded, index: VectorIndex) -> bool:
        """Whether the index holds every chunk of the version; raises Refused when an earlier batch is a dead letter."""
        batch = event.data.batch
        if not (batch.last or batch.again):
            return False
        stored = await index.count(event.tenant, _collection_name(batch), batch.document_id, version=batch.version)
        if stored == batch.total:
            return True
        if batch.earlier:
            return False  # a batch whose vectors could not be reused is on its way once more, and checks again
        found = f"{stored} of {batch.total} chunks of version {batch.version} are stored"
        raise Refused("event_failed", f"{found}: submit the document again")

    async def leave_express(self, event: DocumentEmbedded) -> None:
        """Free the document's place in the express lane."""
        if event.data.batch.lane == "express":
            await self.lanes.leave(event.tenant, event.subject, event.data.batch.version, "express")

    def progress_events(
        self, event: DocumentEmbedded, state: State, context: Context, *, done: int = 0, cause: Problem | None = None
    ) -> list[Outgoing]:
        """The progress event; none for a hidden collection."""
        batch = event.data.batch
        if batch.quiet:
            return []
        return [progress_event(event, NAME, batch_progress(batch, state, done=done, cause=cause), context.clock.now())]


def missing_vectors(embedded: EmbeddedBatch) -> frozenset[str]:
    """Hashes of the chunks that came without vectors."""
    return frozenset(chunk.hash for chunk, vectors in zip(embedded.batch.chunks, embedded.vectors, strict=True) if not vectors.indices)


def points(tenant: str, key: str, embedded: EmbeddedBatch, reused: Mapping[str, StoredVectors], dimensions: int) -> list[Point]:
    """Points, with ids that a repeat gives again; ``reused`` has the vectors of chunks that came without.

    A dense vector that was not made (see ``adapters/embedders/absent.py``) is stored as ``dimensions`` zeros.
    """
    batch = embedded.batch
    made = []
    for chunk, vectors in zip(batch.chunks, embedded.vectors, strict=True):
        if vectors.indices:
            sparse, dense = unpack(vectors)
            stored = StoredVectors(dense if dense.size else np.zeros(dimensions, np.float32), sparse)
        else:
            stored = reused[chunk.hash]
        made.append(
            Point(
                id=ids.chunk_id(key, batch.version, chunk.ordinal, batch.shelf.generation),
                tenant=tenant,
                collection=_collection_name(batch),
                document_id=batch.document_id,
                version=batch.version,
                ordinal=chunk.ordinal,
                title=batch.title,
                headings=chunk.headings,
                text=chunk.text,
                dense=stored.dense,
                sparse=stored.sparse,
                second=stored.second,
                place=chunk.place,
                hash=chunk.hash,
                overlap=chunk.overlap,
                tables=chunk.tables,
            )
        )
    return made


def _collection_name(batch: ChunkBatch) -> str:
    return ids.collection_name(batch.knowledge_base_id, batch.shelf.generation)


def _hashes(batch: ChunkBatch) -> tuple[str, ...]:
    return tuple(chunk.hash for chunk in batch.chunks if chunk.hash)


def version_record(batch: ChunkBatch) -> IndexedContent:
    """The part of a complete version that the visibility record keeps."""
    return IndexedContent(
        content_hash=batch.content_hash,
        chunks=batch.total,
        hashes=_hashes(batch),
        generation=batch.shelf.generation,
        earlier=batch.earlier,
    )
