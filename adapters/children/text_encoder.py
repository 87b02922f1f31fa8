"""Vectors of texts, computed in a child."""

from collections.abc import Sequence

import numpy as np

from adapters.embedders.local import StaticEmbeddings
from adapters.text.sparse import Bm25Encoder, pack
from schemas.documents import Vectors


class TextEncoder:
    """Sparse vectors, and dense ones of the local embedding, whose model is loaded when it is first asked for."""

    def __init__(self) -> None:
        self._bm25 = Bm25Encoder()
        self._model: StaticEmbeddings | None = None

    def encode(self, texts: Sequence[str], *, dense: bool) -> list[Vectors]:
        """One vector per text; ``dense`` is empty unless asked for."""
        if dense and self._model is None:
            self._model = StaticEmbeddings()
        rows = self._model.embed(texts) if dense and self._model else np.empty((len(texts), 0), np.float32)
        return [pack(self._bm25.encode_document(text), row) for text, row in zip(texts, rows, strict=True)]
