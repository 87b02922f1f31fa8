"""Vectors of questions: a provider is asked once per tenant, model and question; the local model every time, for it is faster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from domain.retrieval.vector_cache import VectorCache
from schemas.errors import Unavailable
from tests.support.cache_processes import Process

pytestmark = pytest.mark.stack


@dataclass
class Provider:
    name: str = "paid/3"
    dimensions: int = 3
    asked: list[str] = field(default_factory=list)
    down: bool = False

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.down:
            raise Unavailable("model_unavailable")
        self.asked += texts
        return np.arange(3 * len(texts), dtype=np.float32).reshape(len(texts), 3) + len(self.asked)


async def test_a_vector_is_paid_for_once(process: Callable[..., Process]) -> None:
    vectors, provider = VectorCache(process().cache.of("embeddings", bytes)), Provider()
    first = await vectors.of("t", provider, "灯塔多高？")
    again = await VectorCache(process().cache.of("embeddings", bytes)).of("t", provider, "灯塔多高？")
    assert again.dtype == np.float32
    assert first.tolist() == again.tolist()
    assert provider.asked == ["灯塔多高？"]
    await vectors.of("u", provider, "灯塔多高？")
    await vectors.of("t", Provider(name="other", asked=provider.asked), "灯塔多高？")
    await vectors.of("t", provider, "灯塔多宽？")
    assert len(provider.asked) == 4


async def test_a_failure_is_not_kept(process: Callable[..., Process]) -> None:
    vectors, provider = VectorCache(process().cache.of("embeddings", bytes)), Provider(down=True)
    with pytest.raises(Unavailable):
        await vectors.of("t", provider, "q")
    provider.down = False
    assert len(await vectors.of("t", provider, "q")) == 3
