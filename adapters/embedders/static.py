"""Static embeddings: the vector of a text is the weighted mean of the vectors of its tokens. In this process, without network."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.embedders.port import TEXT_CHARS_MAX

TEXTS_PER_BATCH = 64  # of one call of the tokenizer


class StaticEmbeddings:
    """A tokenizer and a row of ``table`` per token. ``scales`` are the weights of the rows, and what makes them float again; None is 1.

    ``table`` may be a memory map of int8: only the rows of a text's tokens are read. Thread-safe.
    """

    def __init__(
        self, tokenizer: Any, table: NDArray[Any], scales: NDArray[np.float32] | None = None, *, prepare: Callable[[str], str]
    ) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one thread: children are one per core already
        self._tokenizer, self._table, self._scales, self._prepare = tokenizer, table, scales, prepare
        self.dimensions = int(table.shape[1])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape ``(len(texts), dimensions)``; zeros for a text without tokens."""
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for first in range(0, len(texts), TEXTS_PER_BATCH):
            prepared = [self._prepare(text[:TEXT_CHARS_MAX]) for text in texts[first : first + TEXTS_PER_BATCH]]
            for row, encoding in enumerate(self._tokenizer.encode_batch_fast(prepared, add_special_tokens=False), first):
                if encoding.ids:
                    vectors[row] = self._mean(np.array(encoding.ids, dtype=np.int64))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors

    def _mean(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The direction of the mean; its length says nothing, so the division is left out."""
        rows = self._table.take(ids, axis=0, mode="clip").astype(np.float32, copy=False)
        weights = np.ones(len(ids), np.float32) if self._scales is None else self._scales.take(ids, mode="clip")
        mean: NDArray[np.float32] = weights @ rows
        return mean
