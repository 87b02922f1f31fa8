"""The interface of agents to the children: chunks of a document, and vectors of chunks."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from msgspec.structs import replace
from prometheus_client import Counter

from adapters.batching import Batcher
from adapters.children import folders
from adapters.children.child import Cause, ChildDied, ChildSpec, Confinement, TaskLimits, TaskResult
from adapters.children.encoders import Encoders
from adapters.children.measures import report_confinement
from adapters.children.pool import ChildPool, Policy
from adapters.children.protocol import DocumentChunks, ParseBatch, ParseBatchResult, ParseSummary, ParseTask, TaskRefusal
from adapters.concurrency import ConcurrencyLimits
from adapters.embedders.local import LOCAL_MODELS, table_folder
from adapters.fairness import TENANT, Weight, equal_weight
from adapters.parsing.core.source import Bounds, DocumentSource
from schemas.documents import Chunk, DocumentQueue, Note, Shelf, Vectors
from schemas.errors import ConfigurationError, Refused, Unavailable
from schemas.settings import RetrievalSettings
from schemas.settings.documents import DocumentSettings

log = structlog.get_logger(__name__)

LIGHT, HEAVY = "adapters.children.text_child", "adapters.children.file_child"
QUEUES: tuple[DocumentQueue, ...] = ("express", "bulk", "slow")
NICENESS: dict[DocumentQueue, int] = {"express": 5, "bulk": 15, "slow": 19}  # the other processes answer people
WAITING_MAX = 1_024  # calls; agents are bounded far below
TEXT_WAIT_S = 60.0  # waiting for a free child, for tasks that take milliseconds
FILE_WAIT_S = 3_600.0  # behind files that may each take as long as the settings allow: waiting is no failure
TASKS_PER_CHILD = {"light": 5_000, "heavy": 200}
RESIDENT_SHARE_MAX = 0.5  # of the memory limit: a child that holds more while idle is replaced
IDLE_S = 300.0  # after which a file child ends
ENCODED_AT_ONCE_MAX = 64  # chunks encoded in the parsing child: what fits one event with its vectors
TEXTS_AT_ONCE_MAX = 24  # short texts in one message: about 30 ms
CHARS_AT_ONCE_MAX = 100_000  # and their length together
INLINE_TEXT_TYPES = ("text/plain", "text/markdown", "text/csv")
INLINE_TEXT_CHARS_MAX = 200_000  # a longer text is parsed like a file, so that a note does not wait behind a book
RANK: dict[DocumentQueue, int] = {"express": 1, "bulk": 2, "slow": 3}  # 0: vectors

CHUNKS_EMBEDDED = Counter("claw_chunks_embedded", "Chunks whose vectors were computed.")
CHUNKS_REUSED = Counter("claw_chunks_reused", "Chunks that have the vectors of an earlier version.")
CHILD_DEATHS = Counter("claw_child_deaths", "Children that a document ended.", ("cause",))


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A parsed document. ``title`` is the owner's, else the document's; ``vectors`` are parallel to ``chunks``, or empty."""

    title: str
    media_type: str
    chars: int
    chunks: list[Chunk]
    vectors: list[Vectors]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class ParseUsage:
    """Resources of one parse: seconds without waiting, peak resident memory in KiB (0 when it was too short to measure)."""

    seconds: float
    peak_kib: int


class ParserDied(Refused):
    """A document ended its child: it reached a limit of time, memory or output, or crashed it."""


class TextWorker:
    """Parses, chunks and encodes in child processes. For one event loop.

    Inline text and vectors have ``retrieval.parse_processes`` small children; files and HTML have ``documents.processes`` per queue, which
    start when they are first needed, so that a book never delays a note, nor a machine's file a person's. Those who wait for a child are
    served by their tenants' turns (``weight``). ``observe`` hears of every parse; an embedding provider is called through ``gates``.
    """

    def __init__(
        self,
        retrieval: RetrievalSettings,
        documents: DocumentSettings,
        *,
        confinement: Confinement = "auto",
        gates: ConcurrencyLimits | None = None,
        observe: Callable[[ParseUsage], None] = lambda _: None,
        weight: Weight = equal_weight,
    ) -> None:
        self._confinement = confinement
        self._retrieval, self._documents, self._observe = retrieval, documents, observe
        self._bounds = Bounds.of(documents)
        self._limits = TaskLimits(
            wall_s=documents.parse_wall_s,
            ocr_wall_s=max(documents.ocr_wall_s, documents.parse_wall_s),
            memory_kib=documents.parse_memory_mib * 1024,
            ocr_memory_kib=documents.ocr_memory_mib * 1024,
        )
        light = self._child_spec(LIGHT, "express", embedding=retrieval.embedding if retrieval.embedding in LOCAL_MODELS else "")
        self._light = ChildPool(light, self._policy("light", retrieval.parse_processes), weight)
        self._heavy = {
            queue: ChildPool(self._child_spec(HEAVY, queue, measured=True), self._policy("heavy", documents.processes), weight)
            for queue in QUEUES
        }
        self._encoders = Encoders(retrieval, self._light, self._limits, gates)
        self._texts = {queue: self._make_batcher(queue, retrieval.parse_processes) for queue in QUEUES}

    def embedding_name(self, shelf: Shelf) -> str:
        """The name stored with the vectors of this collection. Raises ConfigurationError for a provider that is not configured."""
        return self._encoders.name(shelf)

    async def start(self) -> None:
        """Start the text children; returns when each has loaded its models. Raises Unavailable("overloaded") when they cannot start.

        ConfigurationError: the settings require measures of confinement that this machine does not offer.
        """
        await asyncio.to_thread(folders.sweep)
        try:
            await self._encoders.start()
            await self._light.start()
        except ChildDied as died:
            await self.stop()
            raise Unavailable("overloaded", died.reason) from died
        except ConfigurationError:
            await self.stop()
            raise
        report_confinement(self._confinement, self._light.measures)

    async def stop(self) -> None:
        """End the children; waiting and running tasks raise Unavailable."""
        await asyncio.gather(self._light.stop(), *(pool.stop() for pool in self._heavy.values()))
        await asyncio.gather(*(texts.close() for texts in self._texts.values()))
        await self._encoders.stop()

    async def parse(
        self, source: DocumentSource, *, title: str, lane: DocumentQueue, shelf: Shelf, known: frozenset[str] | None = None
    ) -> ParsedDocument:
        """Chunks of a document; also their vectors when ``known`` lists the hashes that need none, and there are few.

        A child that has read a document of one tenant (``TENANT``) serves no other.
        ``title`` is the owner's, which goes before the document's own. Raises Refused as the parsers say, ``document_too_complex`` when it
        reaches a limit of the settings, ``document_crashed_parser`` when it ended its parser; Unavailable when no child is free for long.
        """
        local = await self._encoders.open_local(shelf)
        task = ParseTask(
            source=replace(source, text=without_surrogates(source.text)),
            bounds=self._bounds,
            title=without_surrogates(title),
            target_tokens=shelf.chunk_tokens or self._retrieval.chunk_tokens,
            max_tokens=shelf.chunk_tokens_max or self._retrieval.chunk_tokens_max,
            chunks_max=self._retrieval.chunks_per_document_max,
            known=known if local else None,
            encoded_max=ENCODED_AT_ONCE_MAX,
            embedding=local,
        )
        answer, chunks = await (self._read_text(task, lane) if is_inline_text(source) else self._read_file(task, lane))
        vectors = answer.vectors
        if vectors:
            self._count_vectors(vectors)
        elif known is not None and local and len(chunks) <= ENCODED_AT_ONCE_MAX:
            vectors = await self.encode_chunks(answer.title, chunks, shelf, known)
        return ParsedDocument(answer.title, answer.media_type, answer.chars, chunks, vectors, answer.notes)

    async def encode_chunks(self, title: str, chunks: Sequence[Chunk], shelf: Shelf, known: frozenset[str] = frozenset()) -> list[Vectors]:
        """Vectors of chunks, each encoded with title and headings; empty ones for hashes in ``known``.

        Raises Unavailable, Refused("document_crashed_parser") when a text ends its child, or what the embedding provider says.
        """
        vectors = await self._encoders.encode(title, chunks, shelf, known, TENANT.get())
        self._count_vectors(vectors)
        return vectors

    async def _read_text(self, task: ParseTask, lane: DocumentQueue) -> tuple[ParseSummary, list[Chunk]]:
        """Parse a text in a batch with others that arrived while the children were busy."""
        answer = await self._texts[lane]((TENANT.get(), task))
        if isinstance(answer, TaskRefusal):
            raise Refused(answer.code, answer.detail)
        return answer.chunked, answer.chunks

    async def _read_file(self, task: ParseTask, lane: DocumentQueue) -> tuple[ParseSummary, list[Chunk]]:
        done = await self._run_task(task, self._heavy[lane], RANK[lane], TENANT.get())
        if isinstance(done.answer, TaskRefusal):
            raise Refused(done.answer.code, done.answer.detail)
        assert isinstance(done.answer, ParseSummary)
        return done.answer, done.chunks

    def _make_batcher(self, lane: DocumentQueue, parallel: int) -> Batcher[tuple[str, ParseTask], DocumentChunks | TaskRefusal]:
        """Parse a batch of one tenant. When it ends its child, the texts are tried one by one, so that the bad one fails alone."""

        async def read(tasks: list[tuple[str, ParseTask]]) -> list[DocumentChunks | TaskRefusal]:
            done = await self._run_task(ParseBatch([task for _, task in tasks]), self._light, RANK[lane], tasks[0][0])
            if isinstance(done.answer, TaskRefusal):
                raise Refused(done.answer.code, done.answer.detail)
            assert isinstance(done.answer, ParseBatchResult)
            return done.answer.answers

        return Batcher(
            read,
            items_max=TEXTS_AT_ONCE_MAX,
            one_tenant=True,
            weigh=lambda item: len(item[1].source.text),
            weight_max=CHARS_AT_ONCE_MAX,
            waiting_max=WAITING_MAX,
            code="overloaded",
            parallel=parallel,
        )

    async def _run_task(self, task: ParseTask | ParseBatch, pool: ChildPool, rank: int, tenant: str, *, again: bool = False) -> TaskResult:
        """A file whose child crashes gets another one, once, unless it was the child's first: what a library did to a file before it may
        show only now. Raises Refused as ``_refusal`` has it.
        """
        try:
            done = await pool.call(task, self._limits, rank=rank, tenant=tenant)
        except ChildDied as died:
            self._observe(ParseUsage(died.seconds, died.peak_kib))
            CHILD_DEATHS.labels(died.cause).inc()
            source = task.source if isinstance(task, ParseTask) else DocumentSource()
            log.warning("parser_died", cause=died.cause, reason=died.reason, media_type=source.media_type, path=source.path)
            if isinstance(task, ParseTask) and died.cause == "crash" and died.tasks > 1 and not again:
                return await self._run_task(task, pool, rank, tenant, again=True)
            raise self._refusal(died) from died
        self._observe(ParseUsage(done.seconds, done.peak_kib))
        return done

    def _refusal(self, died: ChildDied) -> ParserDied:
        """The error of a dead child: a limit by the name of its setting, or a crash."""
        settings: dict[Cause, str] = {
            "memory": "CLAW_DOCUMENT_PARSE_MEMORY_MIB, CLAW_DOCUMENT_OCR_MEMORY_MIB",
            "cpu": "CLAW_DOCUMENT_PARSE_CPU_S",
            "wall": "CLAW_DOCUMENT_PARSE_WALL_S, CLAW_DOCUMENT_OCR_WALL_S",
            "output": "CLAW_DOCUMENT_TEXT_CHARS_MAX",
            "processes": "a bound of its parser",
        }
        if died.cause in settings:
            return ParserDied("document_too_complex", f"{died.reason} ({settings[died.cause]})")
        return ParserDied("document_crashed_parser", died.reason)

    @staticmethod
    def _count_vectors(vectors: Sequence[Vectors]) -> None:
        computed = sum(bool(each.indices or each.dense) for each in vectors)
        CHUNKS_EMBEDDED.inc(computed)
        CHUNKS_REUSED.inc(len(vectors) - computed)

    def _child_spec(self, module: str, lane: DocumentQueue, *, embedding: str = "", measured: bool = False) -> ChildSpec:
        settings = self._documents
        return ChildSpec(
            module=module,
            niceness=NICENESS[lane],
            batch=lane != "express",
            memory_mib=settings.parse_memory_mib,
            cpu_s=settings.parse_cpu_s,
            ocr_cpu_s=int(settings.ocr_wall_s) + 1,
            ocr_memory_mib=settings.ocr_memory_mib,
            embedding=embedding,
            tables=str(table_folder(self._retrieval)) if module == LIGHT else "",
            measured=measured,
            programs=module == HEAVY,
            confinement=self._confinement,
        )

    def _policy(self, kind: str, size: int) -> Policy:
        return Policy(
            size=size,
            waiting_max=WAITING_MAX,
            wait_s_max=TEXT_WAIT_S if kind == "light" else FILE_WAIT_S,
            tasks_max=TASKS_PER_CHILD[kind],
            held_kib_max=int(self._documents.parse_memory_mib * 1024 * RESIDENT_SHARE_MAX),
            eager=kind == "light",
            idle_s=IDLE_S,
            abandons=kind == "heavy",
        )


def is_inline_text(source: DocumentSource) -> bool:
    """Whether the document is text that parses in milliseconds."""
    return not source.path and source.media_type in INLINE_TEXT_TYPES and len(source.text) <= INLINE_TEXT_CHARS_MAX


def without_surrogates(text: str) -> str:
    """Without lone surrogates, which no encoding accepts."""
    return text if text.isascii() else text.encode("utf-8", "ignore").decode("utf-8")
