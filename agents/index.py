"""documents.embedded -> index -> the index, the visibility record, documents.progressed

Upserts points of a version nobody sees yet; when the index itself proves that all of them are stored, the visibility record is raised and
the older points go. A version that something newer replaced, or that was withdrawn, leaves no point behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.index.port import Point, VectorIndex
from adapters.sparse import unpack
from schemas import ids
from schemas.documents import DocumentEmbedded, DocumentProgressed, DocumentRemovalRequested, Embedded, EmbeddedBatch, Progress
from schemas.errors import Problem, Refused
from streams.agent import Agent, Context, Outgoing
from streams.topics import DOCUMENTS_EMBEDDED, DOCUMENTS_PROGRESSED
from streams.visibility import Visibility

NAME = "index"


@dataclass(frozen=True, slots=True)
class Index:
    """The agent's ports. ``embedding_name`` is the model whose vectors this index holds: others belong to another index."""

    index: VectorIndex
    visibility: Visibility
    embedding_name: str
    in_flight_max: int

    def agent(self) -> Agent:
        """Many in flight: the index gathers their upserts into few calls."""
        return Agent(name=NAME, reads=(DOCUMENTS_EMBEDDED,), step=self.step, failed=self.failed, in_flight_max=self.in_flight_max)

    async def step(self, event: Embedded, context: Context) -> Sequence[Outgoing]:
        """Store, prove, show, clean up."""
        if isinstance(event, DocumentRemovalRequested):
            gone = event.data
            await self.index.remove(event.tenant, gone.knowledge_base_id, gone.document_id, below_or_equal=gone.version)
            return []
        batch = event.data.batch
        if event.data.model != self.embedding_name:
            other = f"these vectors are of {event.data.model}, this index holds {self.embedding_name}"
            raise Refused("event_failed", f"{other}: submit the document again")
        before = (await self.visibility.of((event.subject,)))[event.subject]
        if before.supersedes(batch.version):
            return await self.discard(event)
        await self.index.upsert(points(event.tenant, event.subject, event.data))
        if not batch.last:
            return []
        await self.prove(event)
        if not await self.visibility.indexed(event.subject, batch.version):
            return await self.discard(event)  # withdrawn or replaced while its points were being stored
        removed = 0
        if before.visible >= 0 or before.deleted >= 0:  # a document that was never here before has left nothing to remove
            removed = await self.index.remove(event.tenant, batch.knowledge_base_id, batch.document_id, below_or_equal=batch.version - 1)
        await self.visibility.leave(event.tenant, event.subject, batch.version)
        return [progress(event, Progress.of_batch(batch, "indexed", removed=removed), context)]

    async def failed(self, event: Embedded, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """A removal that failed leaves points that the visibility record hides for ever; a version that failed is said so."""
        if isinstance(event, DocumentRemovalRequested):
            return []
        batch = event.data.batch
        await self.visibility.leave(event.tenant, event.subject, batch.version)
        return [progress(event, Progress.of_batch(batch, "failed", cause=problem), context)]

    async def discard(self, event: DocumentEmbedded) -> Sequence[Outgoing]:
        """Leave nothing of a version that nobody may see."""
        batch = event.data.batch
        await self.index.remove_version(event.tenant, batch.knowledge_base_id, batch.document_id, batch.version)
        await self.visibility.leave(event.tenant, event.subject, batch.version)
        return []

    async def prove(self, event: DocumentEmbedded) -> None:
        """Raise unless the index holds every chunk of the version: an earlier batch may lie in the dead letters."""
        batch = event.data.batch
        if batch.total == len(batch.chunks):
            return  # the upsert that has just been acknowledged was all of it
        stored = await self.index.count(event.tenant, batch.knowledge_base_id, batch.document_id, version=batch.version)
        if stored != batch.total:
            found = f"{stored} of {batch.total} chunks of version {batch.version} are stored"
            raise Refused("event_failed", f"{found}: submit the document again")


def progress(event: DocumentEmbedded, data: Progress, context: Context) -> Outgoing:
    """The news, as an event of this agent."""
    return Outgoing(DOCUMENTS_PROGRESSED, DocumentProgressed.caused_by(event, NAME, data=data, now=context.clock.now()))


def points(tenant: str, key: str, embedded: EmbeddedBatch) -> list[Point]:
    """Points with ids that a repeat gives again."""
    batch = embedded.batch
    made = []
    for chunk, vectors in zip(batch.chunks, embedded.vectors, strict=True):
        sparse, dense = unpack(vectors)
        made.append(
            Point(
                id=ids.chunk_id(key, batch.version, chunk.ordinal),
                tenant=tenant,
                knowledge_base_id=batch.knowledge_base_id,
                document_id=batch.document_id,
                version=batch.version,
                ordinal=chunk.ordinal,
                title=batch.title,
                headings=chunk.headings,
                text=chunk.text,
                dense=dense,
                sparse=sparse,
            )
        )
    return made
