"""The interface of rerankers."""

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Scores texts for a question. ``rerank`` raises Unavailable("model_unavailable") or Refused("model_refused"), in bounded time."""

    name: str

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def rerank(self, question: str, texts: Sequence[str]) -> list[float]:
        """One score per text, in their order; only their order matters."""
        ...
