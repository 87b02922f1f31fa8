"""What agents ask of the children: chunks of a document, vectors of chunks."""

import asyncio
from collections.abc import Sequence

import numpy as np
import structlog

from adapters.batching import Batcher
from adapters.children.pool import ChildDied, ChildPool
from adapters.children.protocol import Chunked, Declined, Encoded, EncodeTask, ParseTask
from adapters.embedders.choose import embedder_of
from adapters.embedders.local import LOCAL_NAME
from adapters.parsing.chunking import indexed_text
from adapters.sparse import dense_text
from schemas.documents import Chunk, Document, Lane, Vectors
from schemas.errors import Refused, Unavailable
from schemas.settings import Retrieval

log = structlog.get_logger(__name__)

MODULE = "adapters.children.main"
PARSE_TIMEOUT_S = 30.0  # of the wall; the largest document an event can carry takes 0.2 s as text and 6 s as hostile HTML
ENCODE_TIMEOUT_S = 30.0
NICENESS = 5  # people are waiting for the other processes
TEXTS_PER_CALL = 32  # about 20 ms
WAITING_MAX = 1_024  # calls; agents are bounded far below
RANK = {"encode": 0, "express": 1, "bulk": 2}


class TextWorker:
    """Parses, chunks and encodes in ``settings.parse_processes`` child processes. For one event loop."""

    def __init__(self, settings: Retrieval) -> None:
        self._settings = settings
        self._embedder = embedder_of(settings)
        self.embedding_name, self.dimensions = self._embedder.name, self._embedder.dimensions
        self._local = self._embedder.name == LOCAL_NAME
        self._pool = ChildPool(
            MODULE,
            ("dense" if self._local else "sparse", str(NICENESS)),
            size=settings.parse_processes,
            waiting_max=WAITING_MAX,
        )
        self._batches: Batcher[list[str], list[Vectors]] = Batcher(
            self._encode_batch,
            items_max=TEXTS_PER_CALL,
            weigh=len,
            weight_max=TEXTS_PER_CALL,
            waiting_max=WAITING_MAX,
            code="overloaded",
            parallel=settings.parse_processes,
        )

    async def start(self) -> None:
        """Returns when every child has loaded its models. Raises Unavailable("overloaded") when they cannot start."""
        if not self._local:
            await self._embedder.open()
        try:
            await self._pool.start()
        except ChildDied as died:
            await self.stop()
            raise Unavailable("overloaded", died.reason) from died

    async def stop(self) -> None:
        """Ends the children; what waits or runs is Unavailable."""
        await self._pool.stop()
        await self._batches.close()
        if not self._local:
            await self._embedder.close()

    async def parse_and_chunk(self, document: Document, *, lane: Lane = "express") -> tuple[str, list[Chunk]]:
        """The title that the text gives itself (may be empty) and its chunks; bulk lets express go first.

        Raises Refused: ``document_empty``, ``document_unreadable``, ``document_too_large``, or ``document_crashed_parser`` when the
        document ended the parser or kept it for longer than 30 s.
        """
        settings = self._settings
        task = ParseTask(
            media_type=document.media_type,  # type: ignore[arg-type]
            text=_sendable(document.text),
            target_tokens=settings.chunk_tokens,
            max_tokens=settings.chunk_tokens_max,
            chunks_max=settings.chunks_per_document_max,
        )
        try:
            reply = await self._pool.call(task, rank=RANK[lane], timeout_s=PARSE_TIMEOUT_S)
        except ChildDied as died:
            log.warning("parser_died", document_id=document.document_id, reason=died.reason)
            raise Refused("document_crashed_parser", died.reason) from died
        if isinstance(reply, Declined):
            raise Refused(reply.code, reply.detail)
        assert isinstance(reply, Chunked)
        return reply.title, reply.chunks

    async def encode_chunks(self, title: str, chunks: Sequence[Chunk]) -> list[Vectors]:
        """Vectors of chunks, with title and headings to say what they are about."""
        return await self.encode([indexed_text(title, chunk) for chunk in chunks])

    async def encode(self, texts: Sequence[str]) -> list[Vectors]:
        """Sparse and dense vectors, one per text. Concurrent calls share batches.

        Raises Unavailable, Refused("document_crashed_parser") when a text ends its child, or what the embedding provider says.
        """
        parts = [[_sendable(text) for text in texts[first : first + TEXTS_PER_CALL]] for first in range(0, len(texts), TEXTS_PER_CALL)]
        return [vectors for part in await asyncio.gather(*map(self._batches, parts)) for vectors in part]

    async def _encode_batch(self, parts: list[list[str]]) -> list[list[Vectors]]:
        texts = [text for part in parts for text in part]
        if self._local:
            vectors = await self._encode_in_child(texts)
        else:
            terms, dense = await asyncio.gather(self._encode_in_child(texts), self._embedder.embed(texts))
            vectors = [_with_dense(one, row) for one, row in zip(terms, dense, strict=True)]
        rest = iter(vectors)
        return [[next(rest) for _ in part] for part in parts]

    async def _encode_in_child(self, texts: list[str]) -> list[Vectors]:
        try:
            reply = await self._pool.call(EncodeTask(texts), rank=RANK["encode"], timeout_s=ENCODE_TIMEOUT_S)
        except ChildDied as died:
            raise Refused("document_crashed_parser", died.reason) from died
        assert isinstance(reply, Encoded)
        return reply.vectors


def _with_dense(vectors: Vectors, dense: np.ndarray) -> Vectors:
    return Vectors(dense=dense_text(dense), indices=vectors.indices, values=vectors.values)


def _sendable(text: str) -> str:
    """Without lone surrogates, which no encoding takes and which are not text."""
    return text if text.isascii() else text.encode("utf-8", "ignore").decode("utf-8")
