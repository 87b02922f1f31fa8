"""No embedding: for an index of one that the settings do not offer any more, which is searched by words alone until it is rebuilt."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ABSENT = "none"


class AbsentEmbedder:
    """Vectors of zeros, which leave the dense leg out."""

    name = ABSENT

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.zeros((len(texts), self.dimensions), np.float32)
