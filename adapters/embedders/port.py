"""The interface of embedders."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

TEXT_CHARS_MAX = 8_000  # of one text; chunks are far smaller, and a static embedding of more is meaningless


class Embedder(Protocol):
    """Texts to vectors. ``name`` and ``dimensions`` are there before ``open``; whatever changes the vectors is in the name."""

    name: str
    dimensions: int

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape ``(len(texts), dimensions)``, finite. Raises Unavailable("model_unavailable") or Refused("model_refused")."""
        ...
