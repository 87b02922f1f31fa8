"""Vectors of chunks: sparse ones from the children, dense ones from the children or from the embedding provider of a shelf."""

import asyncio
from collections.abc import Sequence

import numpy as np

from adapters.batching import Batcher
from adapters.children.child import ChildDied, TaskLimits
from adapters.children.pool import ChildPool
from adapters.children.protocol import EncodeResult, EncodeTask
from adapters.concurrency import ConcurrencyLimits
from adapters.embedders.choose import create_embedder_by_name, embedding_of_index
from adapters.embedders.local import LOCAL_MODELS, prepare_embeddings
from adapters.embedders.port import Embedder
from adapters.parsing.chunks.chunking import searchable_text
from adapters.text.sparse import encode_dense
from schemas.documents import Chunk, Shelf, Vectors
from schemas.errors import Refused
from schemas.settings import RetrievalSettings

TEXTS_PER_CALL = 32  # about 20 ms in a child
WAITING_MAX = 1_024  # calls
RANK = 0  # before parsing: parsed documents finish first
NO_VECTORS = Vectors(dense="", indices="", values="")


class Encoders:
    """One embedder and one queue per embedding in use. Concurrent calls share batches."""

    def __init__(self, settings: RetrievalSettings, pool: ChildPool, limits: TaskLimits, gates: ConcurrencyLimits | None = None) -> None:
        self._settings, self._pool, self._limits, self._gates = settings, pool, limits, gates
        self._embedders: dict[str, Embedder] = {}  # by the embedding's name in a collection
        self._opened: dict[str, asyncio.Task[None]] = {}
        self._of_index: dict[str, str] = {}  # embeddings by the name of an older index
        self._batches: dict[str, Batcher[tuple[str, list[str]], list[Vectors]]] = {}

    def name(self, shelf: Shelf) -> str:
        """The name stored with the vectors. Raises ConfigurationError for a provider that is not configured."""
        return self._embedder(self._key(shelf)).name

    async def open_local(self, shelf: Shelf) -> str:
        """The local embedding whose dense vectors the children compute, too, ready for them; "" when a provider makes them."""
        key = self._key(shelf)
        self._embedder(key)
        if key not in LOCAL_MODELS:
            return ""
        await self._open(key)
        return key

    async def start(self) -> None:
        """Open the embedder of the settings; others open when they are first needed."""
        await self._open(self._settings.embedding)

    async def stop(self) -> None:
        """Close the embedders; waiting calls raise Unavailable."""
        await asyncio.gather(*(batches.close() for batches in self._batches.values()))
        for key, opened in self._opened.items():
            await asyncio.wait((opened,))
            await self._embedders[key].stop()
        self._opened.clear()

    async def encode(self, title: str, chunks: Sequence[Chunk], shelf: Shelf, known: frozenset[str], tenant: str) -> list[Vectors]:
        """One vector per chunk, empty for hashes in ``known``. Texts of one tenant share batches."""
        key = self._key(shelf)
        self._embedder(key)
        texts = [searchable_text(title, chunk).encode("utf-8", "ignore").decode() for chunk in chunks if chunk.hash not in known]
        if key not in self._batches:
            self._batches[key] = self._make_queue(key)
        queue = self._batches[key]
        parts = [texts[first : first + TEXTS_PER_CALL] for first in range(0, len(texts), TEXTS_PER_CALL)]
        made = iter([vectors for part in await asyncio.gather(*(queue((tenant, part)) for part in parts)) for vectors in part])
        return [NO_VECTORS if chunk.hash in known else next(made) for chunk in chunks]

    def _key(self, shelf: Shelf) -> str:
        """The embedding of a collection: of its own index, if that is an older one."""
        if shelf.index and shelf.index not in self._of_index:
            self._of_index[shelf.index] = embedding_of_index(self._settings, shelf.index)[0]
        return self._of_index.get(shelf.index) or shelf.embedding or self._settings.embedding

    def _embedder(self, key: str) -> Embedder:
        if key not in self._embedders:
            self._embedders[key] = create_embedder_by_name(self._settings, key, self._gates)
        return self._embedders[key]

    async def _open(self, key: str) -> None:
        """Open an embedder once for all callers; a failed attempt is repeated by the next call. The children hold the local models."""
        embedder = self._embedder(key)
        if key not in self._opened or (self._opened[key].done() and self._opened[key].exception() is not None):
            opening = asyncio.to_thread(prepare_embeddings, self._settings, key) if key in LOCAL_MODELS else embedder.start()
            self._opened[key] = asyncio.create_task(opening)
        await asyncio.shield(self._opened[key])

    def _make_queue(self, key: str) -> Batcher[tuple[str, list[str]], list[Vectors]]:
        async def encode(parts: list[tuple[str, list[str]]]) -> list[list[Vectors]]:
            rows = iter(await self._encode_texts(key, [text for _, part in parts for text in part], parts[0][0]))
            return [[next(rows) for _ in part] for _, part in parts]

        return Batcher(
            encode,
            items_max=TEXTS_PER_CALL,
            one_tenant=True,
            weigh=lambda item: len(item[1]),
            weight_max=TEXTS_PER_CALL,
            waiting_max=WAITING_MAX,
            code="overloaded",
            parallel=self._settings.parse_processes,
        )

    async def _encode_texts(self, key: str, texts: list[str], tenant: str) -> list[Vectors]:
        embedder = self._embedder(key)
        await self._open(key)
        if key in LOCAL_MODELS:
            return await self._encode_in_child(texts, key, tenant)
        terms, dense = await asyncio.gather(self._encode_in_child(texts, "", tenant), embedder.embed(texts))
        return [_with_dense(one, row) for one, row in zip(terms, dense, strict=True)]

    async def _encode_in_child(self, texts: list[str], embedding: str, tenant: str) -> list[Vectors]:
        try:
            done = await self._pool.call(EncodeTask(texts, embedding), self._limits, rank=RANK, tenant=tenant)
        except ChildDied as died:
            raise Refused("document_crashed_parser", died.reason) from died
        assert isinstance(done.answer, EncodeResult)
        return done.answer.vectors


def _with_dense(vectors: Vectors, dense: np.ndarray) -> Vectors:
    return Vectors(dense=encode_dense(dense), indices=vectors.indices, values=vectors.values)
