"""Static embeddings in this process: the keyless default."""

import asyncio
import importlib.util
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.embedders.port import TEXT_CHARS_MAX
from adapters.text.sparse import normalise
from schemas.errors import ConfigurationError, Unavailable

LOCAL_NAME = "wordllama-l2-256.1"
LOCAL_DIMENSIONS = 256


class StaticEmbeddings:
    """Static embeddings out of the ``wordllama`` wheel: the mean of the vectors of a text's tokens. No network, 17 MB, 0.1 s to load.

    The package itself is not imported: it configures the root logger and pads a whole batch to its longest text (four times slower).
    """

    def __init__(self) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread: children are one per core already
        from safetensors.numpy import load_file  # noqa: PLC0415 - only where texts are embedded
        from tokenizers import Tokenizer  # noqa: PLC0415

        folder = _wheel_folder()
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
        (weights,) = load_file(folder / "weights" / f"l2_supercat_{LOCAL_DIMENSIONS}.safetensors").values()
        self._weights: NDArray[np.float32] = np.ascontiguousarray(weights, dtype=np.float32)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors; zeros for a text without tokens."""
        vectors = np.zeros((len(texts), LOCAL_DIMENSIONS), np.float32)
        encoded = self._tokenizer.encode_batch([normalise(text[:TEXT_CHARS_MAX]) for text in texts], add_special_tokens=False)
        for vector, encoding in zip(vectors, encoded, strict=True):
            ids = np.asarray(encoding.ids, dtype=np.int64)
            if len(ids):
                mean = self._weights.take(ids, axis=0, mode="clip").mean(axis=0)
                length = float(np.linalg.norm(mean))
                if length > 0:
                    vector[:] = mean / length
        return vectors


class LocalEmbedder:
    """``LocalModel`` on a thread of its own, for questions. Documents are embedded in child processes."""

    name = LOCAL_NAME
    dimensions = LOCAL_DIMENSIONS

    def __init__(self) -> None:
        self._model: StaticEmbeddings | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")

    async def start(self) -> None:
        self._model = await asyncio.get_running_loop().run_in_executor(self._thread, StaticEmbeddings)

    async def stop(self) -> None:
        self._model = None
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._model is None:
            raise Unavailable("model_unavailable", "the embedder is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._model.embed, texts)


def _wheel_folder() -> Path:
    found = importlib.util.find_spec("wordllama")
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError("the package wordllama is not installed: run `uv sync --frozen`")
    return Path(found.submodule_search_locations[0])
