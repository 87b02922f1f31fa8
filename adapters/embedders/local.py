"""The embeddings that need no provider, by the names of the setting: static tables in this process."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adapters.embedders import multilingual, wordllama
from adapters.embedders.static import StaticEmbeddings
from schemas.errors import Unavailable
from schemas.settings import RetrievalSettings

DEFAULT = "local"


@dataclass(frozen=True, slots=True)
class LocalEmbedding:
    """``name`` is stored with the vectors; ``load`` takes the folder of tables (``table_folder``)."""

    name: str
    dimensions: int
    load: Callable[[Path], StaticEmbeddings]


LOCAL_MODELS = {
    DEFAULT: LocalEmbedding(multilingual.NAME, multilingual.DIMENSIONS, multilingual.load),
    "wordllama": LocalEmbedding(wordllama.NAME, wordllama.DIMENSIONS, lambda _: wordllama.load()),
}


def table_folder(settings: RetrievalSettings) -> Path:
    """Where tables are kept: the folder of the settings, else the user's cache."""
    return Path(settings.embedding_folder).absolute() if settings.embedding_folder else multilingual.default_folder()


def prepare_embeddings(settings: RetrievalSettings, embedding: str) -> None:
    """Make what this embedding needs once per user, unless it is there. Blocks, up to half a minute; raises ConfigurationError."""
    if embedding == DEFAULT:
        multilingual.ensure(table_folder(settings))


def load_embeddings(settings: RetrievalSettings, embedding: str = DEFAULT) -> StaticEmbeddings:
    """The model of a local embedding, ready. Blocks; raises ConfigurationError when it cannot be had."""
    prepare_embeddings(settings, embedding)
    return LOCAL_MODELS[embedding].load(table_folder(settings))


class LocalEmbedder:
    """A local embedding on a thread of its own, for questions. Documents are embedded in child processes."""

    def __init__(self, settings: RetrievalSettings, embedding: str) -> None:
        model = LOCAL_MODELS[embedding]
        self.name, self.dimensions = model.name, model.dimensions
        self._load = partial(load_embeddings, settings, embedding)
        self._model: StaticEmbeddings | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")

    async def start(self) -> None:
        self._model = await asyncio.get_running_loop().run_in_executor(self._thread, self._load)

    async def stop(self) -> None:
        self._model = None
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._model is None:
            raise Unavailable("model_unavailable", "the embedder is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._model.embed, texts)
