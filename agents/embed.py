"""documents.chunked -> embed -> documents.embedded

Turns chunks into vectors: sparse BM25 terms and a dense vector each. Batches of several documents share a call to the model. A chunk that
an earlier version of its document has too is not embedded again: the index reuses the vectors of that point.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from adapters.children.worker import TextWorker
from domain import composition
from domain.documents.embedded import embedded_event
from domain.documents.lanes import Lanes
from domain.documents.later_retries import postponement
from domain.documents.progress import batch_progress, progress_event
from domain.documents.topics import DOCUMENTS_CHUNKED
from domain.documents.visibility import Visibility
from schemas.documents import ChunkBatch, Chunked, EmbeddedBatch, Vectors
from schemas.errors import Problem
from schemas.settings import DocumentSettings
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts

NAME, WORKER_GROUP = "embed", "documents"
EMBEDDINGS_IN_FLIGHT_MAX = 96  # per partition: gathered into batches of the model
EVENT_BYTES_MAX = 700_000  # of vectors in one event: 64 chunks of 1,024 dimensions take half of it, of 4,096 they need two events


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, with the child processes that it shares with ``parse``."""
    worker, visibility, lanes = (
        ports.get(composition.text_worker),
        ports.get(composition.visibility),
        ports.get(composition.lanes),
    )
    return (EmbedChunks(worker, visibility, lanes, EMBEDDINGS_IN_FLIGHT_MAX, ports.settings.documents).agent(),)


@dataclass(frozen=True, slots=True)
class EmbedChunks:
    """The agent's ports. ``worker`` gathers chunks of many steps into few calls."""

    worker: TextWorker
    visibility: Visibility
    lanes: Lanes
    in_flight_max: int
    settings: DocumentSettings

    def agent(self) -> Agent:
        """Many steps in flight share few calls to the model."""
        return Agent(
            name=NAME,
            reads=(DOCUMENTS_CHUNKED,),
            step=self.step,
            failed=self.report_failure,
            postpone=self.postpone,
            in_flight_max=self.in_flight_max,
        )

    async def step(self, event: Chunked, context: Context) -> Sequence[Outgoing]:
        """The vectors of new chunks."""
        batch = event.data
        reused = batch.earlier and not batch.again
        state, known = await self.visibility.read_for_indexing(event.subject, batch.shelf.generation, earlier=reused)
        if state.supersedes(batch.version):
            await self.leave_express(event)
            return []
        known = known or frozenset()
        vectors = await self.worker.encode_chunks(batch.title, batch.chunks, batch.shelf, known=known)
        model, now = self.worker.embedding_name(batch.shelf), context.clock.now()
        parts = [EmbeddedBatch(batch=part, model=model, vectors=rows) for part, rows in split_batch(batch, vectors)]
        return [embedded_event(event, NAME, data, now, ordinal) for ordinal, data in enumerate(parts)]

    async def report_failure(self, event: Chunked, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """The cause, as the document's progress; for a hidden collection in its build record."""
        batch = event.data
        await self.leave_express(event)
        if batch.quiet:
            await self.visibility.record_build(event.subject, batch.shelf.generation, batch.version, problem.code)
            return []
        return [progress_event(event, NAME, batch_progress(batch, "failed", cause=problem), context.clock.now())]

    async def postpone(self, event: Chunked, problem: Problem, context: Context) -> Sequence[Outgoing] | None:
        """The whole version back to its queue at a later time, if that may help."""
        progress = batch_progress(event.data, "queued", cause=problem)
        outgoing = postponement(event, NAME, progress, self.settings, context.clock.now(), quiet=event.data.quiet)
        if outgoing is not None:
            await self.leave_express(event)
        return outgoing

    async def leave_express(self, event: Chunked) -> None:
        """Free the document's place in the express lane."""
        if event.data.lane == "express":
            await self.lanes.leave(event.tenant, event.subject, event.data.version, "express")


def split_batch(batch: ChunkBatch, vectors: Sequence[Vectors]) -> Iterator[tuple[ChunkBatch, tuple[Vectors, ...]]]:
    """The batch as it is, or in as many parts as keep every event below what a topic takes."""
    size = max((len(row.dense) + len(row.indices) + len(row.values) for row in vectors), default=1) or 1
    each = max(1, EVENT_BYTES_MAX // size)
    for start in range(0, len(vectors), each):
        chunks = batch.chunks[start : start + each]
        last = batch.last and start + each >= len(vectors)
        yield replace(batch, chunks=chunks, first=batch.first + start, last=last), tuple(vectors[start : start + each])
