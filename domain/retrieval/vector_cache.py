"""Cached vectors of questions from a paid provider. (The local model is faster than a round trip to Redis, and is not cached.)"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.embedders.port import Embedder
from streams.cache.scenario_cache import ScenarioCache


@dataclass(frozen=True, slots=True)
class VectorCache:
    """``cache`` has little-endian float32."""

    cache: ScenarioCache[bytes]

    async def of(self, tenant: str, embedder: Embedder, question: str) -> NDArray[np.float32]:
        """Shape ``(dimensions,)``; raises what the embedder raises, which is not cached."""

        async def compute() -> bytes:
            return bytes((await embedder.embed([question]))[0].astype("<f4").tobytes())

        async def fits(raw: bytes | None, is_current: bool) -> bool:  # noqa: FBT001 - see Accepts
            return raw is not None and is_current and len(raw) == 4 * embedder.dimensions

        key = f"{embedder.name}/{hashlib.sha256(question.encode()).hexdigest()}"
        raw = await self.cache.get_or_compute(tenant, key, compute, accepts=fits)
        assert raw is not None
        return np.frombuffer(raw, "<f4").astype(np.float32)
