"""Vectors of texts, computed in a child."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from adapters.embedders.local import LOCAL_MODELS
from adapters.embedders.static import StaticEmbeddings
from adapters.text.sparse import Bm25Encoder, pack
from schemas.documents import Vectors


class TextEncoder:
    """Sparse vectors, and dense ones of local embeddings, each loaded when it is first asked for; ``tables``: where their tables are."""

    def __init__(self, tables: str) -> None:
        self._bm25, self._tables = Bm25Encoder(), Path(tables)
        self._models: dict[str, StaticEmbeddings] = {}

    def encode(self, texts: Sequence[str], *, embedding: str) -> list[Vectors]:
        """One vector per text; ``dense`` is empty without an embedding."""
        rows = self._model(embedding).embed(texts) if embedding else np.empty((len(texts), 0), np.float32)
        return [pack(self._bm25.encode_document(text), row) for text, row in zip(texts, rows, strict=True)]

    def _model(self, embedding: str) -> StaticEmbeddings:
        if embedding not in self._models:
            self._models[embedding] = LOCAL_MODELS[embedding].load(self._tables)
        return self._models[embedding]
