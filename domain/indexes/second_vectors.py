"""Second vectors: computed for chunks that are searchable already, when the machine has nothing else to do.

What is left to do is in the index: the points without a second vector. So a restart goes on where it was, a deleted document takes its
vectors with it, and nothing piles up but the points themselves. One process at a time computes, under a lease in Redis.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import structlog
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge

from adapters.children.child import ChildDied
from adapters.index.port import UnencodedPoint, VectorIndex
from adapters.redis.client import RedisClient
from domain.indexes.engines import Engines
from schemas.errors import Unavailable
from schemas.ids import knowledge_base_of
from streams.cache.invalidation import Invalidation
from streams.leader import LeaderLoop

POINTS_AT_ONCE = 16  # 0.4 s of one core
CHECK_S = 1.0  # between two looks for points, and the time a new point waits at most
AFTER_FAILURE_S = 5.0
LEASE_S = 60.0  # another process takes over so long after a crash
COUNT_S = 10.0  # between two counts of what is left
STALE_S = 60.0  # longest time that cached searches go on without the new vectors
TOUCHED_MAX = 1_000  # knowledge bases whose cached searches are invalidated together
SKIPPED_MAX = 64  # points whose text ended the child; a restart tries them again

log = structlog.get_logger(__name__)


class PassageEncoder(Protocol):
    """What computes the vectors."""

    async def embed_passages(self, texts: Sequence[str], tenant: str) -> Sequence[NDArray[np.floating[Any]]]:
        """For each text of a tenant an array of rows. Raises ChildDied when one ended what computes, Unavailable when nothing does."""
        ...


class SecondVectors:
    """The work of one process; the index is that of the settings."""

    def __init__(
        self, engines: Engines, encoder: PassageEncoder, redis: RedisClient, prefix: str, *, registry: CollectorRegistry | None = None
    ) -> None:
        self._engines, self._encoder = engines, encoder
        self._cached = Invalidation(redis, prefix)
        self._rounds = LeaderLoop(
            redis,
            f"{prefix}:second-vectors",
            self._round,
            name="second_vectors",
            holder=secrets.token_hex(8),
            lease_s=LEASE_S,
            every_s=CHECK_S,
            retry_s=AFTER_FAILURE_S,
        )
        self._made = Counter("claw_second_vectors_total", "Chunks that got their second vector.", registry=registry)
        self._left = Gauge("claw_second_vectors_missing", "Chunks without their second vector, as last counted.", registry=registry)
        self._missing = 0  # as last counted
        self._counted_s = self._invalidated_s = float("-inf")
        self._at_once = POINTS_AT_ONCE
        self._skipped: set[str] = set()
        self._touched: set[tuple[str, str]] = set()  # tenants and knowledge bases

    async def start(self) -> None:
        """Begin; returns at once."""
        await self._rounds.start()

    async def stop(self) -> None:
        """Stop; another process goes on at once."""
        await self._rounds.stop()

    async def _round(self) -> float:
        return 0.0 if await self.encode_some() else CHECK_S

    async def encode_some(self) -> int:
        """Give a few points their vector; returns how many were looked at, 0 when none is left. Raises Unavailable."""
        index = (await self._engines.get("")).index
        found = [point for point in await index.find_unencoded(self._at_once + len(self._skipped)) if point.id not in self._skipped]
        points = [point for point in found if point.tenant == found[0].tenant][: self._at_once]  # a child serves one tenant
        if _now_s() - self._counted_s > COUNT_S or bool(points) != bool(self._missing):
            await self._count_missing(index)
        if not points:
            await self._invalidate()
            return 0
        vectors = await self._compute(points)
        self._made.inc(await index.add_second(vectors))
        self._touched.update((point.tenant, knowledge_base_of(point.collection)) for point in points if point.id in vectors)
        if len(self._touched) > TOUCHED_MAX or _now_s() - self._invalidated_s > STALE_S:
            await self._invalidate()
        return len(points)

    async def _compute(self, points: Sequence[UnencodedPoint]) -> Mapping[str, NDArray[np.floating[Any]]]:
        """When a text ends the child, the next portion is smaller, until it is alone; then it is left out."""
        try:
            rows = await self._encoder.embed_passages([point.text for point in points], points[0].tenant)
        except ChildDied as died:
            log.warning("second_vectors_child_died", points=len(points), reason=died.reason, point=points[0].id)
            if len(points) == 1:
                if len(self._skipped) >= SKIPPED_MAX:
                    raise Unavailable("model_unavailable", f"{SKIPPED_MAX} texts ended the encoder: {died.reason}") from died
                self._skipped.add(points[0].id)
            self._at_once = max(1, len(points) // 2)
            return {}
        self._at_once = min(POINTS_AT_ONCE, 2 * self._at_once)
        return {point.id: each for point, each in zip(points, rows, strict=True)}

    async def _count_missing(self, index: VectorIndex) -> None:
        self._missing, self._counted_s = await index.count_unencoded(), _now_s()
        self._left.set(self._missing)

    async def _invalidate(self) -> None:
        """Cached searches of these knowledge bases would rank otherwise now."""
        touched, self._invalidated_s = self._touched, _now_s()
        if touched:
            await self._cached.knowledge(touched)
            self._touched = set()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
