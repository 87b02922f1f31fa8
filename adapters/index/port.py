"""The vector index as the agents see it: the same for the engine in this process and for a server.

Filters by tenant and knowledge bases act inside the index, and the term statistics (IDF) are those of the tenant alone, so neither text nor
score of one tenant depends on another's documents.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from adapters.fusion import fuse
from adapters.sparse import NAME as SPARSE_NAME
from adapters.sparse import Sparse


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A chunk with its vectors. ``id`` is a UUID (``schemas.ids.chunk_id``): upserting it again replaces it."""

    id: str
    tenant: str
    knowledge_base_id: str
    document_id: str
    version: int
    ordinal: int
    title: str
    headings: tuple[str, ...]
    text: str
    dense: NDArray[np.float32]
    sparse: Sparse


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """``candidates`` hits of each leg are fused to ``limit``. A leg whose vector is empty or all zero is left out."""

    tenant: str
    knowledge_base_ids: tuple[str, ...]
    sparse: Sparse
    dense: NDArray[np.float32]
    limit: int
    candidates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A point found. ``score`` is fused and only orders; ``bm25`` and ``dense`` (cosine) are the legs' own, 0 where one did not find it."""

    id: str
    knowledge_base_id: str
    document_id: str
    version: int
    ordinal: int
    title: str
    headings: tuple[str, ...]
    text: str
    score: float
    bm25: float
    dense: float


class VectorIndex(Protocol):
    """Every method raises Unavailable("index_unavailable") when the index cannot be reached, is closed or has too much waiting."""

    async def open(self) -> None:
        """Ready after this; creates what is missing. Raises ConfigurationError when it can never work as configured."""
        ...

    async def close(self) -> None: ...

    async def upsert(self, points: Sequence[Point]) -> None:
        """Stores points; on return they are searchable and survive the death of this process.

        Raises ValueError on a vector of another size or with values that are not finite: nothing of this call is stored then.
        """
        ...

    async def count(self, tenant: str, knowledge_base_id: str, document_id: str, version: int) -> int:
        """Points stored of one version."""
        ...

    async def remove(self, tenant: str, knowledge_base_id: str, document_id: str, *, below_or_equal: int) -> int:
        """Removes the document's points with a version up to ``below_or_equal``; returns how many they were."""
        ...

    async def remove_version(self, tenant: str, knowledge_base_id: str, document_id: str, version: int) -> int:
        """Removes the points of one version; returns how many they were."""
        ...

    async def search(self, query: Query) -> list[Hit]:
        """Best first; nothing for no knowledge bases."""
        ...


def index_name(model: str) -> str:
    """Name of the folder or collection that holds vectors of this model: another model, or another term encoding, is another index."""
    return re.sub(r"[^a-z0-9._-]+", "-", f"{SPARSE_NAME}-{model}".lower())


def check(points: Sequence[Point], dimensions: int) -> None:
    """Raises ValueError on vectors that an engine would store and stumble over later."""
    for point in points:
        if point.dense.shape != (dimensions,):
            raise ValueError(f"point {point.id}: dense vector of shape {point.dense.shape}, the index has {dimensions} dimensions")
        if len(point.sparse.indices) != len(point.sparse.values):
            raise ValueError(f"point {point.id}: {len(point.sparse.indices)} term ids for {len(point.sparse.values)} weights")
        if not (np.isfinite(point.dense).all() and np.isfinite(point.sparse.values).all()):
            raise ValueError(f"point {point.id}: a vector has values that are not finite")


def payload_of(point: Point) -> dict[str, object]:
    """What is stored beside the vectors. Field names are part of the index's format."""
    return {
        "tenant": point.tenant,
        "kb": point.knowledge_base_id,
        "doc": point.document_id,
        "version": point.version,
        "ordinal": point.ordinal,
        "title": point.title,
        "headings": list(point.headings),
        "text": point.text,
    }


INDEXED_FIELDS = ("tenant", "kb", "doc")  # without an index on the tenant its IDF costs 65 ms instead of 2 at 100,000 points


def merge(
    lexical: Sequence[tuple[str, float, dict[str, object]]], dense: Sequence[tuple[str, float, dict[str, object]]], limit: int
) -> list[Hit]:
    """Fuses two legs of (id, score, payload)."""
    payloads = {key: payload for key, _, payload in (*lexical, *dense)}
    bm25 = {key: score for key, score, _ in lexical}
    cosine = {key: score for key, score, _ in dense}
    return [_hit(key, payloads[key], score, bm25.get(key, 0.0), cosine.get(key, 0.0)) for key, score in fuse(bm25, cosine)[:limit]]


def _hit(key: str, payload: dict[str, object], score: float, bm25: float, dense: float) -> Hit:
    headings = payload["headings"]
    assert isinstance(headings, list)
    return Hit(
        id=key,
        knowledge_base_id=str(payload["kb"]),
        document_id=str(payload["doc"]),
        version=int(str(payload["version"])),
        ordinal=int(str(payload["ordinal"])),
        title=str(payload["title"]),
        headings=tuple(str(heading) for heading in headings),
        text=str(payload["text"]),
        score=score,
        bm25=bm25,
        dense=dense,
    )
