"""A question as the index takes it: terms, vector, and the words that are shown to its asker."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from adapters.embedders.choose import embedder_of
from adapters.gates import Gates, Priority
from adapters.sparse import Bm25Encoder, Sparse
from schemas.errors import ClawError, Unavailable
from schemas.settings import Retrieval

log = structlog.get_logger(__name__)

KEYWORDS_MAX = 8
QUESTION_CHARS_MAX = 8_000  # of a question that is encoded


@dataclass(frozen=True, slots=True)
class Encoded:
    """A question's vectors and keywords. ``dense`` is all zero, and that leg of the search left out, when the provider did not answer."""

    sparse: Sparse
    dense: NDArray[np.float32]
    keywords: tuple[str, ...]


class QueryEncoder:
    """Encodes questions off the event loop; about 0.5 ms each with the local embedder."""

    def __init__(self, settings: Retrieval, gates: Gates | None = None) -> None:
        self._embedder = embedder_of(settings, gates, Priority.PEOPLE)
        self.embedding_name, self.dimensions = self._embedder.name, self._embedder.dimensions
        self._bm25: Bm25Encoder | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="terms")

    async def open(self) -> None:
        """Loads the models and uses them once, so that the first question does not wait for dictionaries."""
        await self._embedder.open()
        self._bm25 = await asyncio.get_running_loop().run_in_executor(self._thread, _warm)

    async def close(self) -> None:
        await self._embedder.close()
        self._bm25 = None
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def encode(self, question: str) -> Encoded:
        """Raises Unavailable when not open."""
        if self._bm25 is None:
            raise Unavailable("model_unavailable", "the encoder is not open")
        question = question[:QUESTION_CHARS_MAX]
        terms = asyncio.get_running_loop().run_in_executor(self._thread, _terms, self._bm25, question)
        try:
            dense = (await self._embedder.embed([question]))[0]
        except ClawError as error:  # BM25 alone is the stronger leg: better than no answer
            log.warning("question_without_dense_vector", code=error.code, detail=error.detail)
            dense = np.zeros(self.dimensions, np.float32)
        sparse, keywords = await terms
        return Encoded(sparse, dense, keywords)


def _terms(bm25: Bm25Encoder, question: str) -> tuple[Sparse, tuple[str, ...]]:
    return bm25.encode_query(question), bm25.keywords(question, KEYWORDS_MAX)


def _warm() -> Bm25Encoder:
    bm25 = Bm25Encoder()
    _terms(bm25, "预热 warm up")
    return bm25
