"""documents.queued.{express,bulk} -> parse -> documents.chunked, documents.progressed

Parses and chunks in a child process, so neither a heavy nor a hostile document touches the event loop; a child's death is that document's
failure alone. Versions that something newer replaced are dropped before any work.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from adapters.children.worker import TextWorker
from schemas.documents import Chunk, ChunkBatch, Chunked, DocumentChunked, DocumentProgressed, Progress, Queued, Work
from schemas.errors import Problem
from streams.agent import Agent, Context, Outgoing
from streams.topics import DOCUMENTS_CHUNKED, DOCUMENTS_PROGRESSED, Topic
from streams.visibility import Visibility

BATCH_BYTES_MAX = 256 * 1024  # encoded chunks of one event; leaves room for vectors behind embed
BATCH_CHUNKS_MAX = 64


def agent(name: str, reads: Topic, *, worker: TextWorker, visibility: Visibility, in_flight_max: int) -> Agent:
    """One agent per lane (``parse_express``, ``parse_bulk``): bulk gets the smaller share of what runs at once."""

    async def step(event: Queued, context: Context) -> Sequence[Outgoing]:
        work = event.data
        if await visibility.superseded(event.subject, work.version):
            await visibility.leave(event.tenant, event.subject, work.version)
            return []
        started = await context.publisher.enqueue(progress(event, "parsing", 0, context))
        title, chunks = await worker.parse_and_chunk(work.document, lane=work.lane)
        await started
        return [*batches(event, title, chunks, context), progress(event, "embedding", 1, context)]

    async def failed(event: Queued, problem: Problem, context: Context) -> Sequence[Outgoing]:
        await visibility.leave(event.tenant, event.subject, event.data.version)
        return [progress(event, "failed", 2, context, cause=problem)]

    def progress(event: Queued, state: str, ordinal: int, context: Context, cause: Problem | None = None) -> Outgoing:
        data = Progress.of_work(event.data, state, cause=cause)  # type: ignore[arg-type]  # a literal above
        return Outgoing(
            DOCUMENTS_PROGRESSED, DocumentProgressed.caused_by(event, "parse", data=data, now=context.clock.now(), ordinal=ordinal)
        )

    return Agent(name=name, reads=(reads,), step=step, failed=failed, in_flight_max=in_flight_max)


def batches(event: Queued, title: str, chunks: Sequence[Chunk], context: Context) -> list[Outgoing]:
    """The chunks as events of bounded size, in order; the last says so."""
    work, now = event.data, context.clock.now()
    heading, size = title_of(work, title), len(work.document.text.encode())
    outgoing = []
    for ordinal, part in enumerate(split(chunks)):
        data = ChunkBatch(
            knowledge_base_id=work.document.knowledge_base_id,
            document_id=work.document.document_id,
            version=work.version,
            lane=work.lane,
            title=heading,
            media_type=work.document.media_type,
            bytes=size,
            task_id=work.task_id,
            first=part[0].ordinal,
            total=len(chunks),
            last=part[-1].ordinal == len(chunks) - 1,
            chunks=part,
        )
        chunked: Chunked = DocumentChunked.caused_by(event, "parse", data=data, now=now, ordinal=ordinal)
        outgoing.append(Outgoing(DOCUMENTS_CHUNKED, chunked))
    return outgoing


def title_of(work: Work, parsed: str) -> str:
    """The owner's title, else the document's own first heading, else its id."""
    given = work.document.title
    return given if given and given != work.document.document_id else parsed or given or work.document.document_id


def split(chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, ...]]:
    """Consecutive runs of at most BATCH_CHUNKS_MAX chunks and BATCH_BYTES_MAX bytes (a chunk is far smaller than that)."""
    part: list[Chunk] = []
    size = 0
    for chunk in chunks:
        chunk_size = len(msgspec.json.encode(chunk))
        if part and (len(part) == BATCH_CHUNKS_MAX or size + chunk_size > BATCH_BYTES_MAX):
            yield tuple(part)
            part, size = [], 0
        part.append(chunk)
        size += chunk_size
    if part:
        yield tuple(part)
