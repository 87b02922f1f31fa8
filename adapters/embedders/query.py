"""Encoding of questions for the index: terms, vector, and the keywords that readers see."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import structlog
from numpy.typing import NDArray

from adapters.batching import Batcher
from adapters.concurrency import ConcurrencyLimits, Priority
from adapters.embedders import sentences
from adapters.embedders.choose import create_embedder
from adapters.embedders.local import DEFAULT, LOCAL_MODELS, load_embeddings, table_folder
from adapters.embedders.port import Embedder
from adapters.embedders.sentences import SentenceEncoder
from adapters.embedders.static import StaticEmbeddings
from adapters.index.fusion import ENGLISH, LEXICAL, MULTILINGUAL, PROVIDER, UNKNOWN, DenseWeight, RankedQuestion
from adapters.index.port import SecondVector
from adapters.text.language import Language, fold, language_of, terms
from adapters.text.sparse import Background, Bm25Encoder, SparseVector
from schemas.errors import ClawError, ConfigurationError, Unavailable
from schemas.settings import RetrievalSettings

EmbedQuestion = Callable[[Embedder, str], Awaitable[NDArray[np.float32]]]  # the vector of one question, of a provider

log = structlog.get_logger(__name__)

KEYWORDS_MAX = 8
QUESTION_CHARS_MAX = 8_000  # of a question that is encoded
QUESTIONS_PER_BATCH = 8  # about 4 ms of the interpreter lock
WAITING_MAX = 1_024  # questions; agents are bounded far below, so a full queue means that the thread hangs
# Measured across languages, where a threshold decides: from .22 to .35 the encoder lets as many wrong passages in at .04 below the table.
SECOND_VECTOR = SecondVector(name=sentences.NAME, dimensions=sentences.DIMENSIONS, offset=0.04)


@dataclass(frozen=True, slots=True)
class EncodedQuery:
    """A question's vectors and keywords. ``dense`` is all zero, and that leg of the search left out, when the provider did not answer.

    ``question`` is what its hits are ranked by; ``second`` the vector by the encoder of the settings, None without one.
    """

    sparse: SparseVector
    dense: NDArray[np.float32]
    keywords: tuple[str, ...]
    question: RankedQuestion = UNKNOWN
    second: NDArray[np.float32] | None = None


class QueryEncoder:
    """Encodes questions off the event loop, those that wait together at once; about 0.5 ms each with the local embedder.

    An encoder of the settings takes 2 ms more; ``second`` is the vector of an index that it fits.
    """

    def __init__(self, settings: RetrievalSettings, limits: ConcurrencyLimits | None = None) -> None:
        self._local = settings.embedding in LOCAL_MODELS
        self._settings = settings
        if settings.encoder and settings.embedding != DEFAULT:
            raise ConfigurationError(
                f"CLAW_RETRIEVAL_ENCODER={settings.encoder} needs CLAW_RETRIEVAL_EMBEDDING={DEFAULT}, which is {settings.embedding}"
            )
        self.second = SECOND_VECTOR if settings.encoder else None
        self._embedder: Embedder = create_embedder(settings, limits, Priority.PEOPLE)
        self.embedding_name, self.dimensions = self._embedder.name, self._embedder.dimensions
        self._models: _Models | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="terms")
        self._questions: Batcher[tuple[str, Background], EncodedQuery] = Batcher(
            self._encode_batch, items_max=QUESTIONS_PER_BATCH, waiting_max=WAITING_MAX, code="model_unavailable"
        )

    async def start(self) -> None:
        """Loads the models and uses them once, so that the first question does not wait for dictionaries."""
        if not self._local:
            await self._embedder.start()
        self._models = await asyncio.get_running_loop().run_in_executor(self._thread, partial(_load_models, self._settings))

    async def stop(self) -> None:
        await self._questions.close()
        if not self._local:
            await self._embedder.stop()
        self._models = None
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts that are no questions; see ``Embedder.embed``. Local ones are made one at a time; questions come in between."""
        if not self._local:
            return await self._embedder.embed(texts)
        if self._models is None or self._models.dense is None:
            raise Unavailable("model_unavailable", "the encoder is not open")
        embed, loop = self._models.dense.embed, asyncio.get_running_loop()
        rows = [await loop.run_in_executor(self._thread, embed, (text,)) for text in texts]
        return np.concatenate(rows) if rows else np.empty((0, self.dimensions), np.float32)

    async def encode(self, question: str, background: Background = (), embed: EmbedQuestion | None = None) -> EncodedQuery:
        """Raises Unavailable when not open. ``embed`` may return cached vectors in place of paid calls."""
        question = question[:QUESTION_CHARS_MAX]
        if self._local:
            return await self._questions((question, background))
        encoded, dense = await asyncio.gather(self._questions((question, background)), self._embed_question(question, embed))
        return EncodedQuery(encoded.sparse, dense, encoded.keywords, encoded.question)

    async def _encode_batch(self, questions: list[tuple[str, Background]]) -> list[EncodedQuery]:
        if self._models is None:
            raise Unavailable("model_unavailable", "the encoder is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._models.encode, questions, self.dimensions)

    async def _embed_question(self, question: str, embed: EmbedQuestion | None) -> NDArray[np.float32]:
        try:
            if embed is not None:
                return await embed(self._embedder, question)
            rows = await self._embedder.embed([question])
        except ClawError as error:  # BM25 alone is the stronger leg: better than no answer
            log.warning("question_without_dense_vector", code=error.code, detail=error.detail)
            rows = np.zeros((1, self.dimensions), np.float32)
        return np.asarray(rows[0], np.float32)


@dataclass(frozen=True, slots=True)
class _Models:
    """The models of the encoding thread; ``dense`` only for local vectors, those of ``embedding``, ``second`` only with an encoder."""

    bm25: Bm25Encoder
    embedding: str
    dense: StaticEmbeddings | None
    second: SentenceEncoder | None = None

    def encode(self, questions: Sequence[tuple[str, Background]], dimensions: int) -> list[EncodedQuery]:
        texts = [question for question, _ in questions]
        vectors = self.dense.embed(texts) if self.dense else np.zeros((len(texts), dimensions), np.float32)
        seconds = list(self.second.embed(texts)) if self.second else [None] * len(texts)
        return [
            EncodedQuery(
                self.bm25.encode_query(question, background),
                vector,
                self.bm25.keywords(question, KEYWORDS_MAX),
                self._question(question),
                second,
            )
            for (question, background), vector, second in zip(questions, vectors, seconds, strict=True)
        ]

    def _question(self, text: str) -> RankedQuestion:
        language = language_of(text)
        return RankedQuestion(terms(fold(text)), language, _weight(self.embedding, language))


def _weight(embedding: str, language: Language) -> DenseWeight:
    if embedding == DEFAULT:
        return MULTILINGUAL
    if embedding in LOCAL_MODELS:
        return ENGLISH if language == "en" else LEXICAL
    return PROVIDER


def _load_models(settings: RetrievalSettings) -> _Models:
    dense = load_embeddings(settings, settings.embedding) if settings.embedding in LOCAL_MODELS else None
    second = sentences.load(table_folder(settings)) if settings.encoder else None
    models = _Models(Bm25Encoder(), settings.embedding, dense, second)
    models.encode((("预热 warm up", ()),), 1)
    return models
