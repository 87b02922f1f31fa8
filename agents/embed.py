"""documents.chunked -> embed -> documents.embedded

Turns chunks into vectors: sparse BM25 terms and a dense vector each. Batches of several documents share a call to the model.
"""

from collections.abc import Sequence

from adapters.children.worker import TextWorker
from schemas.documents import Chunked, DocumentEmbedded, DocumentProgressed, EmbeddedBatch, Progress
from schemas.errors import Problem
from streams.agent import Agent, Context, Outgoing
from streams.topics import DOCUMENTS_CHUNKED, DOCUMENTS_EMBEDDED, DOCUMENTS_PROGRESSED
from streams.visibility import Visibility

NAME = "embed"


def agent(*, worker: TextWorker, visibility: Visibility, in_flight_max: int) -> Agent:
    """``worker.encode`` is batched inside, so many steps in flight make few calls."""

    async def step(event: Chunked, context: Context) -> Sequence[Outgoing]:
        batch = event.data
        if await visibility.superseded(event.subject, batch.version):
            await visibility.leave(event.tenant, event.subject, batch.version)
            return []
        vectors = await worker.encode_chunks(batch.title, batch.chunks)
        data = EmbeddedBatch(batch=batch, model=worker.embedding_name, vectors=tuple(vectors))
        return [Outgoing(DOCUMENTS_EMBEDDED, DocumentEmbedded.caused_by(event, NAME, data=data, now=context.clock.now()))]

    async def failed(event: Chunked, problem: Problem, context: Context) -> Sequence[Outgoing]:
        await visibility.leave(event.tenant, event.subject, event.data.version)
        data = Progress.of_batch(event.data, "failed", cause=problem)
        return [Outgoing(DOCUMENTS_PROGRESSED, DocumentProgressed.caused_by(event, NAME, data=data, now=context.clock.now()))]

    return Agent(name=NAME, reads=(DOCUMENTS_CHUNKED,), step=step, failed=failed, in_flight_max=in_flight_max)
