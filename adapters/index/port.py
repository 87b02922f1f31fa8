"""The vector index as the agents see it: the same for the engine in this process and for a server.

Filters by tenant and collections act inside the index, and the term statistics (IDF) are those of the collections that are searched. So
neither text nor score depends on the documents of another tenant, or of another knowledge base: beside English ones every Chinese word of
a question would be rare, and no hit stand above the others.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from adapters.index.fusion import UNKNOWN, Candidate, RankedQuestion, passage_language, rank
from adapters.text.language import Language
from adapters.text.sparse import NAME as SPARSE_NAME
from adapters.text.sparse import SparseVector
from schemas.documents import Locator, TablePart
from schemas.ids import knowledge_base_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A chunk with its vectors. ``id`` is a UUID (``schemas.ids.chunk_id``): upserting it again replaces it.

    ``collection`` is the name of one build of a knowledge base's index (``schemas.ids.collection_name``). Points with the same ``hash``
    (that of the chunk) have the same vectors. The first ``overlap`` characters of ``text`` also end the chunk before.
    """

    id: str
    tenant: str
    collection: str
    document_id: str
    version: int
    ordinal: int
    title: str
    headings: tuple[str, ...]
    text: str
    dense: NDArray[np.float32]
    sparse: SparseVector
    place: Locator | None = None
    hash: str = ""
    overlap: int = 0
    tables: tuple[TablePart, ...] = ()
    second: NDArray[np.floating[Any]] | None = None  # of an earlier point with the same text; else it is added later


@dataclass(frozen=True, slots=True)
class StoredVectors:
    """The vectors of a point, for another one with the same text; ``second`` where it has one."""

    dense: NDArray[np.float32]
    sparse: SparseVector
    second: NDArray[np.floating[Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondVector:
    """A second dense vector of the points, which they get after they became searchable: several rows each, of which the best counts.

    ``offset`` is added to its scores, so that they compare with the cosines of the first vector.
    """

    name: str
    dimensions: int
    offset: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnencodedPoint:
    """A point without the second vector, and what that is made of."""

    id: str
    tenant: str
    collection: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """``candidates`` hits of each leg are fused to ``limit``, as ``question`` asks. A leg whose vector is empty or all zero is left out.

    Where the question has a language, the dense leg has as many candidates in each language (``split_by_language``): it finds only
    passages ``within`` a language, or those ``without`` it.
    With ``second``, for the second vector, the points that have it are scored by it, and only the others by the first (``join_dense``).
    """

    tenant: str
    collections: tuple[str, ...]
    sparse: SparseVector
    dense: NDArray[np.float32]
    limit: int
    candidates: int
    question: RankedQuestion = UNKNOWN
    second: NDArray[np.float32] | None = None
    within: Language | Literal[""] = ""
    without: Language | Literal[""] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A point found. ``score`` is fused and only orders; ``bm25`` and ``dense`` (cosine) are the legs' own, 0 where one did not find it."""

    id: str
    collection: str
    document_id: str
    version: int
    ordinal: int
    title: str
    headings: tuple[str, ...]
    text: str
    score: float
    bm25: float
    dense: float
    place: Locator | None = None
    overlap: int = 0  # characters that also end the chunk before
    lexical: tuple[float, ...] = ()  # the best BM25 scores of its search, descending, whether their hits are in the result or not
    tables: tuple[TablePart, ...] = ()

    @property
    def knowledge_base_id(self) -> str:
        """The knowledge base of its collection."""
        return knowledge_base_of(self.collection)


class VectorIndex(Protocol):
    """Every method raises Unavailable("index_unavailable") when the index cannot be reached, is closed or has too much waiting."""

    async def start(self) -> None:
        """Open the index; creates what is missing. Raises ConfigurationError when it can never work as configured."""
        ...

    async def stop(self) -> None: ...

    async def upsert(self, points: Sequence[Point]) -> None:
        """Stores points; on return they are searchable and durable.

        Raises ValueError on a vector of another size or with values that are not finite: nothing of this call is stored then.
        """
        ...

    async def count(self, tenant: str, collection: str, document_id: str, version: int) -> int:
        """Points stored of one version."""
        ...

    async def remove(self, tenant: str, collection: str, document_id: str, *, below_or_equal: int) -> int:
        """Removes the document's points with a version up to ``below_or_equal``; returns how many they were."""
        ...

    async def remove_version(self, tenant: str, collection: str, document_id: str, version: int) -> int:
        """Removes the points of one version; returns how many they were."""
        ...

    async def search(self, query: Query) -> list[Hit]:
        """Best first; nothing for no collections."""
        ...

    async def chunks(self, tenant: str, collection: str, document_id: str, version: int, *, first: int, limit: int) -> list[Hit]:
        """The points of one version with ordinals from ``first`` to before ``first + limit``, in order; their scores are 0."""
        ...

    async def vectors_of(self, tenant: str, collection: str, document_id: str, hashes: Collection[str]) -> dict[str, StoredVectors]:
        """Vectors by hash, of this document's points of any version; a hash that no point has is left out."""
        ...

    async def remove_collection(self, tenant: str, collection: str) -> int:
        """Removes every point of a collection, in portions; returns how many they were. Points stored meanwhile may stay."""
        ...

    async def collections(self) -> list[tuple[str, str]]:
        """Tenant and name of every collection that has points; only for an index that is being replaced, since it reads all of it."""
        ...

    async def count_collection(self, tenant: str, collection: str) -> int:
        """Points stored of a collection, all documents and versions."""
        ...

    async def find_unencoded(self, limit: int) -> list[UnencodedPoint]:
        """Some points without the second vector, of any tenant; nothing when all have it, or the index has no such vector."""
        ...

    async def count_unencoded(self, tenant: str = "", collection: str = "") -> int:
        """Points without the second vector, of this collection or of all; 0 when the index has no such vector."""
        ...

    async def add_second(self, vectors: Mapping[str, NDArray[np.floating[Any]]]) -> int:
        """Gives the points with these ids their second vector, of shape ``(rows, dimensions)``; returns how many there still are."""
        ...


INDEX_NAME = re.compile(r"bm25\.[0-9]{1,4}-[a-z0-9._-]{1,200}")  # of this release and of every earlier one


def index_name(model: str) -> str:
    """Name of the folder or collection that holds vectors of this model: another model, or another term encoding, is another index."""
    return re.sub(r"[^a-z0-9._-]+", "-", f"{SPARSE_NAME}-{model}".lower())


def check_points(points: Sequence[Point], dimensions: int) -> None:
    """Raises ValueError on vectors that an engine would store and fail on later."""
    for point in points:
        if point.dense.shape != (dimensions,):
            raise ValueError(f"point {point.id}: dense vector of shape {point.dense.shape}, the index has {dimensions} dimensions")
        if len(point.sparse.indices) != len(point.sparse.values):
            raise ValueError(f"point {point.id}: {len(point.sparse.indices)} term ids for {len(point.sparse.values)} weights")
        if not (np.isfinite(point.dense).all() and np.isfinite(point.sparse.values).all()):
            raise ValueError(f"point {point.id}: a vector has values that are not finite")


def read_vectors(stored: Mapping[str, Any], second: SecondVector | None) -> StoredVectors:
    """The named vectors of a point, as both engines give them."""
    terms = stored["bm25"]
    sparse = SparseVector(np.asarray(terms.indices, np.uint32), np.asarray(terms.values, np.float32))
    rows = stored.get(second.name) if second is not None else None
    return StoredVectors(np.asarray(stored["dense"], np.float32), sparse, None if rows is None else np.asarray(rows, np.float32))


def check_second(vectors: Mapping[str, NDArray[np.floating[Any]]], second: SecondVector) -> None:
    """Raises ValueError like ``check_points``."""
    for key, rows in vectors.items():
        if rows.ndim != 2 or not len(rows) or rows.shape[1] != second.dimensions:  # noqa: PLR2004 - rows and dimensions
            raise ValueError(f"point {key}: a second vector of shape {rows.shape}, the index has {second.dimensions} dimensions")
        if not np.isfinite(rows).all():
            raise ValueError(f"point {key}: a second vector has values that are not finite")


def payload_of(point: Point) -> dict[str, object]:
    """What is stored beside the vectors. Field names are part of the index's format."""
    payload: dict[str, object] = {
        "tenant": point.tenant,
        "kb": point.collection,
        "doc": point.document_id,
        "version": point.version,
        "ordinal": point.ordinal,
        "title": point.title,
        "headings": list(point.headings),
        "text": point.text,
        "hash": point.hash,
        "language": passage_language(point.text),
    }
    if point.overlap:
        payload["overlap"] = point.overlap
    if point.place is not None:
        payload["place"] = msgspec.to_builtins(point.place)
    if point.tables:
        payload["tables"] = msgspec.to_builtins(point.tables)
    return payload


# Without an index on the tenant its IDF costs 65 ms instead of 2 at 100,000 points; without one on the language 700 instead of 5.
INDEXED_FIELDS = ("tenant", "kb", "doc", "language")


COLLECTIONS_MAX = 200_000  # as many as there may be index plans
SECOND_WEIGHT = 8  # times as many numbers in a point with a second vector
LEXICAL_SCORES = 11  # of a search, beside its hits: the best and the ten after it


NO_TERMS = SparseVector(np.empty(0, np.uint32), np.empty(0, np.float32))


def split_by_language(query: Query) -> list[Query]:
    """What finds as many candidates in each language: the query without the other language, and its dense leg within that.

    Cosines across languages are lower, so among all passages those of the other language would hardly be candidates: measured with 847
    English and 550 Chinese passages, the 30 nearest to a Chinese question have the English passage that answers it in .61 of cases.
    Points that were stored before there was the field are in no language, and found with those of the question's own. An embedding
    whose weight never rises knows nothing of other languages.
    """
    language = query.question.language
    if language is None or not query.question.dense_weight.rise:
        return [query]
    other: Language = "en" if language == "zh" else "zh"
    return [replace(query, without=other), replace(query, sparse=NO_TERMS, within=other)]


Leg = Sequence[tuple[str, float, Mapping[str, Any]]]  # id, score and payload, best first


def join_dense(encoded: Leg, others: Leg, query: Query, offset: float) -> Leg:
    """The dense leg while some points have the second vector and others do not: both on the scale of the first."""
    if not encoded:
        return others
    joined = (*((key, score + offset, payload) for key, score, payload in encoded), *others)
    return sorted(joined, key=lambda hit: -hit[1])[: query.candidates]


def merge_parts(parts: Sequence[tuple[Leg, Leg, Leg]], query: Query, offset: float) -> list[Hit]:
    """The hits of a query from the lexical, the dense and the second dense leg of each of its parts (``split_by_language``)."""
    lexical = [hit for leg, _, _ in parts for hit in leg]
    return merge_legs(lexical, [hit for _, dense, second in parts for hit in join_dense(second, dense, query, offset)], query)


def merge_legs(lexical: Leg, dense: Leg, query: Query) -> list[Hit]:
    """Fuses two legs of (id, score, payload) as ``query`` asks."""
    payloads = {key: payload for key, _, payload in (*lexical, *dense)}
    bm25 = {key: score for key, score, _ in lexical}
    cosine = {key: score for key, score, _ in dense}
    candidates = [
        Candidate(key, heading_of(payload["title"], payload["headings"]), payload["text"], bm25.get(key, 0.0), cosine.get(key, 0.0))
        for key, payload in payloads.items()
    ]
    best = tuple(sorted(bm25.values(), reverse=True)[:LEXICAL_SCORES])
    return [
        replace(hit_of(key, payloads[key], score=score, bm25=bm25.get(key, 0.0), dense=cosine.get(key, 0.0)), lexical=best)
        for key, score in rank(candidates, query.question)[: query.limit]
    ]


def heading_of(title: str, headings: Sequence[str]) -> str:
    """What stands above the text of a point."""
    return "\n".join((title, *headings))


def hit_of(key: str, payload: Mapping[str, Any], *, score: float = 0.0, bm25: float = 0.0, dense: float = 0.0) -> Hit:
    """A stored point as readers get it. Points stored before there were places or tables have none."""
    return Hit(
        id=key,
        collection=str(payload["kb"]),
        document_id=str(payload["doc"]),
        version=int(payload["version"]),
        ordinal=int(payload["ordinal"]),
        title=str(payload["title"]),
        headings=tuple(str(heading) for heading in payload["headings"]),
        text=str(payload["text"]),
        score=score,
        bm25=bm25,
        dense=dense,
        place=msgspec.convert(place, Locator) if (place := payload.get("place")) else None,
        overlap=int(payload.get("overlap", 0)),
        tables=msgspec.convert(tables, tuple[TablePart, ...]) if (tables := payload.get("tables")) else (),
    )


def sort_hits(points: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Hit]:
    """Points (id, payload) of one version by their ordinals."""
    return sorted((hit_of(key, payload) for key, payload in points), key=lambda hit: hit.ordinal)


def portions(values: Collection[str], size: int) -> list[list[str]]:
    """``values`` without repeats, in lists of at most ``size``; nothing for an empty hash."""
    every = [value for value in dict.fromkeys(values) if value]
    return [every[first : first + size] for first in range(0, len(every), size)]
