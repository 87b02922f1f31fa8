"""documents.queued.{express,bulk,slow} -> parse -> documents.chunked or documents.embedded, documents.progressed

Parses and chunks in a child process, so that a heavy or hostile document does not block the event loop; if the child dies, only that
document fails. Superseded versions are dropped before any work. A small document with a local embedding comes back from the child with its
vectors and skips ``embed``, whose topic exists so that paid calls are not repeated after a failure elsewhere. A document that ends its
parser sends its tenant to the slow queue for a while, also with what waits in the other queues already.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from adapters.children.worker import ParsedDocument, ParserDied, TextWorker
from adapters.parsing.core.source import DocumentSource
from adapters.web.fetch import Fetcher
from domain import composition
from domain.documents.content_hash import content_hash_of, is_unchanged
from domain.documents.embedded import embedded_event
from domain.documents.lanes import Lanes
from domain.documents.later_retries import postponement
from domain.documents.progress import explicit_title, progress_event, shown_title, work_progress
from domain.documents.sources import DocumentLoader
from domain.documents.topics import (
    DOCUMENTS_CHUNKED,
    DOCUMENTS_QUEUED_BULK,
    DOCUMENTS_QUEUED_EXPRESS,
    DOCUMENTS_QUEUED_SLOW,
)
from domain.documents.visibility import Visibility
from schemas.documents import (
    Chunk,
    ChunkBatch,
    Document,
    DocumentChunked,
    DocumentQueue,
    DocumentQueued,
    EmbeddedBatch,
    Queued,
    State,
)
from schemas.errors import Problem, Unavailable
from schemas.settings import DocumentSettings, RetrievalSettings
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.topics import Topic

NAME, WORKER_GROUP = "parse", "documents"
EXPRESS_IN_FLIGHT_MAX = 16  # per partition: parsing is CPU, a deep queue in the children would only age there
BULK_IN_FLIGHT_MAX = 48  # per partition; the children take express first, so depth costs people nothing and batches every hop
SLOW_IN_FLIGHT_MAX = 16  # per partition: enough for the batches of texts, while nothing of the other queues waits
BATCH_BYTES_MAX = 256 * 1024  # encoded chunks of one event; leaves room for vectors behind embed
BATCH_CHUNKS_MAX = 64
WANTED_EVERY_S = 1.0  # between two looks whether a version that is being parsed is still wanted
ALIVE_EVERY_S = 30.0  # behind many heavy files a document waits long for a child, which is no standstill (the children bound it)
# A longer parse publishes that it has begun; for a shorter one the event would cost more than the work.
REPORT_AFTER_S: dict[DocumentQueue, float] = {"express": 0.5, "bulk": 5.0, "slow": 5.0}
DEFERRED = 4  # ordinal of the progress event of a document that changes its queue


class DocumentSources(Protocol):
    """Opens the content of documents."""

    def open_document(self, document: Document, *, key: str, version: int, tenant: str) -> AbstractAsyncContextManager[DocumentSource]: ...


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """One agent per queue."""
    settings = ports.settings
    fetcher = ports.attach(Fetcher(settings.documents))
    sources = DocumentLoader(ports.get(composition.blob_store), fetcher, settings.encryption_secret)
    visibility, lanes = ports.get(composition.visibility), ports.get(composition.lanes)
    parse = Parse(ports.get(composition.text_worker), sources, visibility, lanes, settings.retrieval, settings.documents)
    return (
        parse.agent("parse_express", DOCUMENTS_QUEUED_EXPRESS, EXPRESS_IN_FLIGHT_MAX),
        parse.agent("parse_bulk", DOCUMENTS_QUEUED_BULK, BULK_IN_FLIGHT_MAX),
        parse.agent("parse_slow", DOCUMENTS_QUEUED_SLOW, SLOW_IN_FLIGHT_MAX),
    )


@dataclass(frozen=True, slots=True)
class Parse:
    """The agents' ports."""

    worker: TextWorker
    sources: DocumentSources
    visibility: Visibility
    lanes: Lanes
    retrieval: RetrievalSettings
    settings: DocumentSettings

    def agent(self, name: str, reads: Topic, in_flight_max: int) -> Agent:
        """One agent per queue (``parse_express``, ``parse_bulk``, ``parse_slow``): the children take express first, slow last."""
        return Agent(
            name=name, reads=(reads,), step=self.step, failed=self.report_failure, postpone=self.postpone, in_flight_max=in_flight_max
        )

    async def step(self, event: Queued, context: Context) -> Sequence[Outgoing]:
        """The document's chunks, with or without their vectors. A parser whose version is superseded or cancelled meanwhile is ended."""
        work = event.data
        state, known = await self.visibility.read_for_indexing(event.subject, work.shelf.generation, earlier=work.earlier)
        if state.supersedes(work.version):
            await self.leave_lane(event)
            return []
        if not work.slow and await self.lanes.is_slowed(event.tenant):
            return await self.defer(event, context)
        document = work.document
        async with (
            self.report_when_slow(event, context),
            self.sources.open_document(document, key=event.subject, version=work.version, tenant=event.tenant) as source,
        ):
            if document.url:
                fetched = content_hash_of(document, work.shelf, self.retrieval, source.digest)
                event = replace(event, data=replace(work, content_hash=fetched))
                before = await self.visibility.prior_state(event.subject)
                if not work.quiet and is_unchanged(document, fetched, before, work.version):
                    await self.leave_lane(event)
                    return self.progress_events(event, "unchanged", 3, context, chunks=before.chunks)
            try:
                parsing = self.worker.parse(source, title=explicit_title(document), lane=work.queue, shelf=work.shelf, known=known)
                outcome = await self.parse_while_wanted(event, parsing)
            except ParserDied:
                await self.lanes.slow_down(event.tenant)
                raise
        if work.lane == "bulk" or outcome is None:
            await self.leave_lane(event)
        if outcome is None:
            return []
        if outcome.vectors:
            return embedding_events(event, outcome, self.worker.embedding_name(work.shelf), context)
        return [*chunk_events(event, outcome, context), *self.progress_events(event, "embedding", 1, context, chunks=len(outcome.chunks))]

    async def parse_while_wanted(self, event: Queued, parsing: Coroutine[Any, Any, ParsedDocument]) -> ParsedDocument | None:
        """The parsed document; None, and the parser is ended, when nobody wants this version any more. Raises what parsing raises."""
        task = asyncio.create_task(parsing, name="parsing")
        try:
            while not (await asyncio.wait((task,), timeout=WANTED_EVERY_S))[0]:
                with suppress(Unavailable):  # unknown for now; the next look decides
                    if await self.visibility.is_superseded(event.subject, event.data.version):
                        return None
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))

    async def defer(self, event: Queued, context: Context) -> Sequence[Outgoing]:
        """Put it into the slow queue: a file of its tenant has ended its parser since it was queued."""
        await self.leave_lane(event)
        now, work = context.clock.now(), replace(event.data, lane="bulk", slow=True)
        queued = DocumentQueued.from_cause(event, NAME, data=work, now=now, ordinal=0)
        return [*self.progress_events(queued, "queued", DEFERRED, context), Outgoing(DOCUMENTS_QUEUED_SLOW, queued)]

    async def report_failure(self, event: Queued, problem: Problem, context: Context) -> Sequence[Outgoing]:
        """The cause, as the document's progress; for a hidden collection in its build record."""
        await self.leave_lane(event)
        if event.data.quiet:
            await self.visibility.record_build(event.subject, event.data.shelf.generation, event.data.version, problem.code)
        return self.progress_events(event, "failed", 2, context, cause=problem)

    async def postpone(self, event: Queued, problem: Problem, context: Context) -> Sequence[Outgoing] | None:
        """Back to the queue at a later time, if that may help."""
        progress = work_progress(event.data, "queued", cause=problem)
        outgoing = postponement(event, NAME, progress, self.settings, context.clock.now(), quiet=event.data.quiet)
        if outgoing is not None:
            await self.leave_lane(event)
        return outgoing

    async def leave_lane(self, event: Queued) -> None:
        """Free the document's place in its lane."""
        if not event.data.slow:
            await self.lanes.leave(event.tenant, event.subject, event.data.version, event.data.lane)

    def progress_events(
        self, event: Queued, state: State, ordinal: int, context: Context, *, cause: Problem | None = None, chunks: int = 0
    ) -> list[Outgoing]:
        """The progress event; none for a hidden collection."""
        if event.data.quiet:
            return []
        progress = work_progress(event.data, state, chunks=chunks, cause=cause)
        return [progress_event(event, NAME, progress, context.clock.now(), ordinal=ordinal)]

    @asynccontextmanager
    async def report_when_slow(self, event: Queued, context: Context) -> AsyncIterator[None]:
        """Publishes ``parsing`` when the block takes long, before the events that follow it, and keeps the step alive meanwhile."""
        tasks: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()

        async def report() -> None:
            await context.publisher.publish_all(self.progress_events(event, "parsing", 0, context))

        async def keep_alive() -> None:
            while True:
                await asyncio.sleep(ALIVE_EVERY_S)
                context.alive()

        timer = loop.call_later(
            REPORT_AFTER_S[event.data.queue],
            lambda: tasks.extend(
                (
                    asyncio.create_task(report(), name="parsing-report"),
                    asyncio.create_task(keep_alive(), name="parsing-alive"),
                )
            ),
        )
        try:
            yield
        finally:
            timer.cancel()
            if tasks:
                tasks[1].cancel()
                await asyncio.wait(tasks)
        if tasks:
            tasks[0].result()


def batches(event: Queued, outcome: ParsedDocument) -> Iterator[ChunkBatch]:
    """The chunks in batches of bounded size, in order; the last is marked."""
    work = event.data
    document = work.document
    for part in split(outcome.chunks):
        yield ChunkBatch(
            knowledge_base_id=document.knowledge_base_id,
            document_id=document.document_id,
            version=work.version,
            lane=work.lane,
            title=explicit_title(document) or outcome.title or shown_title(document),
            media_type=outcome.media_type,
            bytes=document.bytes,
            task_id=work.task_id,
            first=part[0].ordinal,
            total=len(outcome.chunks),
            last=part[-1].ordinal == len(outcome.chunks) - 1,
            chunks=part,
            content_hash=work.content_hash,
            shelf=work.shelf,
            quiet=work.quiet,
            earlier=work.earlier,
            visible=work.visible,
            notes=outcome.notes,
            retries=work.retries,
        )


def chunk_events(event: Queued, outcome: ParsedDocument, context: Context) -> list[Outgoing]:
    """Chunks without vectors, for ``embed``."""
    now = context.clock.now()
    return [
        Outgoing(DOCUMENTS_CHUNKED, DocumentChunked.from_cause(event, NAME, data=data, now=now, ordinal=ordinal))
        for ordinal, data in enumerate(batches(event, outcome))
    ]


def embedding_events(event: Queued, outcome: ParsedDocument, model: str, context: Context) -> list[Outgoing]:
    """Chunks with vectors, for ``index``."""
    now, outgoing = context.clock.now(), []
    for ordinal, batch in enumerate(batches(event, outcome)):
        vectors = tuple(outcome.vectors[batch.first : batch.first + len(batch.chunks)])
        outgoing.append(embedded_event(event, NAME, EmbeddedBatch(batch=batch, model=model, vectors=vectors), now, ordinal))
    return outgoing


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
