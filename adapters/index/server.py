"""The index on a Qdrant server or cluster: one collection per embedding model, tenants as an indexed payload field.

Term statistics of a part of the collection (``params.idf.corpus``) came with Qdrant 1.19; an older server would silently rank with
everybody's, so it is refused at ``open``. (A collection per tenant would work on older ones, but collections are dear: hundreds, not tens
of thousands.)
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.common.client_exceptions import QdrantException
from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

from adapters.index.port import (
    COLLECTIONS_MAX,
    INDEX_NAME,
    INDEXED_FIELDS,
    SECOND_WEIGHT,
    Hit,
    Point,
    Query,
    SecondVector,
    StoredVectors,
    UnencodedPoint,
    check_points,
    check_second,
    index_name,
    merge_parts,
    payload_of,
    portions,
    read_vectors,
    sort_hits,
    split_by_language,
)
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import IndexSettings

Result = TypeVar("Result")

VERSION_MIN = (1, 19)
POINTS_PER_CALL = 256  # about 1 MB of JSON at 256 dimensions, in either direction
REMOVALS_MAX = 5  # attempts to add vectors while their points are being removed
CLIENT_ERRORS = (400, 401, 403, 404, 422)  # repeating these as they are never helps


class ServerIndex:
    """``VectorIndex`` in the collection ``prefix + index name`` of the server at ``settings.url``; by default that of ``model``."""

    def __init__(
        self,
        settings: IndexSettings,
        *,
        model: str,
        dimensions: int,
        prefix: str = "",
        name: str = "",
        second: SecondVector | None = None,
    ) -> None:
        self._settings, self._second = settings, second
        self._collection = prefix + (name or index_name(model))
        self._dimensions = dimensions
        self._client: AsyncQdrantClient | None = None

    async def start(self) -> None:
        self._client = _connect(self._settings)
        version = (await self._call(lambda client: client.info())).version
        if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < VERSION_MIN:
            raise ConfigurationError(
                f"CLAW_QDRANT_URL: the server is Qdrant {version}, but only {VERSION_MIN[0]}.{VERSION_MIN[1]} or newer ranks per tenant"
            )
        if not await self._call(lambda client: client.collection_exists(self._collection)):
            await self._create_collection()
        if self._second is not None:
            await self._create_second(self._second)
        for field in INDEXED_FIELDS:  # repeating it is harmless, and completes a creation that was interrupted
            schema = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=field == "tenant")
            await self._call(
                lambda client, field=field, schema=schema: client.create_payload_index(  # type: ignore[misc]
                    self._collection, field, field_schema=schema, wait=True
                )
            )

    async def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def upsert(self, points: Sequence[Point]) -> None:
        check_points(points, self._dimensions)
        for first in range(0, len(points), POINTS_PER_CALL):
            batch = [_server_point(point, self._second) for point in points[first : first + POINTS_PER_CALL]]
            await self._call(lambda client, batch=batch: client.upsert(self._collection, points=batch, wait=True))  # type: ignore[misc]

    async def count(self, tenant: str, collection: str, document_id: str, version: int) -> int:
        return await self._count(_document_filter(tenant, collection, document_id, _field_equals("version", version)))

    async def count_collection(self, tenant: str, collection: str) -> int:
        return await self._count(_collection_filter(tenant, collection))

    async def collections(self) -> list[tuple[str, str]]:
        found = []
        for tenant in await self._facet("tenant", None):
            wanted = models.Filter(must=[_field_equals("tenant", tenant)])
            found += [(tenant, collection) for collection in await self._facet("kb", wanted)]
        return found

    async def _facet(self, field: str, wanted: models.Filter | None) -> list[str]:
        asked = await self._call(
            lambda client: client.facet(self._collection, key=field, facet_filter=wanted, limit=COLLECTIONS_MAX, exact=True)
        )
        return [str(hit.value) for hit in asked.hits]

    async def _count(self, wanted: models.Filter) -> int:
        return (await self._call(lambda client: client.count(self._collection, count_filter=wanted, exact=True))).count

    async def remove(self, tenant: str, collection: str, document_id: str, *, below_or_equal: int) -> int:
        upto = models.FieldCondition(key="version", range=models.Range(lte=below_or_equal))
        return await self._remove(_document_filter(tenant, collection, document_id, upto))

    async def remove_version(self, tenant: str, collection: str, document_id: str, version: int) -> int:
        return await self._remove(_document_filter(tenant, collection, document_id, _field_equals("version", version)))

    async def remove_collection(self, tenant: str, collection: str) -> int:
        return await self._remove(_collection_filter(tenant, collection))

    async def _remove(self, unwanted: models.Filter) -> int:
        count = await self._count(unwanted)
        if count:
            selector = models.FilterSelector(filter=unwanted)
            await self._call(lambda client: client.delete(self._collection, points_selector=selector, wait=True))
        return count

    async def chunks(self, tenant: str, collection: str, document_id: str, version: int, *, first: int, limit: int) -> list[Hit]:
        span = models.FieldCondition(key="ordinal", range=models.Range(gte=first, lt=first + limit))
        wanted = _document_filter(tenant, collection, document_id, _field_equals("version", version), span)
        records, _ = await self._call(lambda client: client.scroll(self._collection, scroll_filter=wanted, limit=limit, with_payload=True))
        return sort_hits([(str(record.id), record.payload or {}) for record in records])

    async def vectors_of(self, tenant: str, collection: str, document_id: str, hashes: Collection[str]) -> dict[str, StoredVectors]:
        found: dict[str, StoredVectors] = {}
        names, limit = ["dense", "bm25"], POINTS_PER_CALL
        if self._second is not None:
            names, limit = [*names, self._second.name], POINTS_PER_CALL // SECOND_WEIGHT
        for some in portions(hashes, POINTS_PER_CALL):
            wanted = _document_filter(
                tenant, collection, document_id, models.FieldCondition(key="hash", match=models.MatchAny(any=list[Any](some)))
            )
            after: Any = None
            while True:
                records, after = await self._call(
                    lambda client, wanted=wanted, after=after: client.scroll(  # type: ignore[misc]
                        self._collection,
                        scroll_filter=wanted,
                        limit=limit,
                        offset=after,
                        with_payload=["hash"],
                        with_vectors=names,
                    )
                )
                found.update((str((r.payload or {})["hash"]), read_vectors(cast("Any", r.vector), self._second)) for r in records)
                if after is None:
                    break
        return found

    async def find_unencoded(self, limit: int) -> list[UnencodedPoint]:
        if self._second is None:
            return []
        wanted, fields = _without(self._second), ["tenant", "kb", "text"]
        records, _ = await self._call(
            lambda client: client.scroll(self._collection, scroll_filter=wanted, limit=limit, with_payload=fields, with_vectors=False)
        )
        found = [(str(record.id), record.payload or {}) for record in records]
        return [UnencodedPoint(id=key, tenant=of["tenant"], collection=of["kb"], text=of["text"]) for key, of in found]

    async def count_unencoded(self, tenant: str = "", collection: str = "") -> int:
        if self._second is None:
            return 0
        within = _collection_filter(tenant, collection).must if collection else None
        return await self._count(models.Filter(must=within, must_not=_without(self._second).must_not))

    async def add_second(self, vectors: Mapping[str, NDArray[np.floating[Any]]]) -> int:
        if self._second is None or not vectors:
            return 0
        check_second(vectors, self._second)
        for attempt in range(REMOVALS_MAX):
            records = await self._call(lambda client: client.retrieve(self._collection, list(vectors), with_payload=False))
            there = [str(record.id) for record in records]
            points = [models.PointVectors(id=key, vector={self._second.name: vectors[key].tolist()}) for key in there]
            try:
                if points:
                    await self._call(lambda client, points=points: client.update_vectors(self._collection, points, wait=True))  # type: ignore[misc]
            except ConfigurationError:  # 404: one of them was removed since
                if attempt + 1 == REMOVALS_MAX:
                    raise
            else:
                return len(there)
        return 0

    async def search(self, query: Query) -> list[Hit]:
        parts = [_build_requests(part, self._second) for part in split_by_language(query)]
        requests = [request for part in parts for request in part if request is not None]
        if not query.collections or not requests:
            return []
        answers = await self._call(lambda client: client.query_batch_points(self._collection, requests=requests))
        found = iter([[(str(p.id), float(p.score), p.payload or {}) for p in answer.points] for answer in answers])
        legs = (([] if request is None else next(found) for request in part) for part in parts)
        offset = self._second.offset if self._second is not None else 0.0
        return merge_parts([(lexical, dense, second) for lexical, dense, second in legs], query, offset)

    async def _create_collection(self) -> None:
        try:
            await self._call(
                lambda client: client.create_collection(
                    self._collection,
                    vectors_config={"dense": models.VectorParams(size=self._dimensions, distance=models.Distance.COSINE)},
                    sparse_vectors_config={"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
                    # a graph per tenant instead of one that every filtered search walks in vain
                    hnsw_config=models.HnswConfigDiff(payload_m=16, m=0),
                )
            )
        except ConfigurationError:  # 409: another worker was faster
            if not await self._call(lambda client: client.collection_exists(self._collection)):
                raise

    async def _create_second(self, second: SecondVector) -> None:
        vector = models.DenseVectorConfig(
            size=second.dimensions,
            distance=models.Distance.DOT,
            multivector_config=models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM),
            datatype=models.VectorStorageDatatype.FLOAT16,
        )
        if not await self._has_second(second):
            try:
                config = models.DenseVectorNameConfig(dense=vector)
                await self._call(lambda client: client.create_vector_name(self._collection, second.name, config, wait=True))
            except ConfigurationError:  # another worker was faster, or the server cannot
                if not await self._has_second(second):
                    raise

    async def _has_second(self, second: SecondVector) -> bool:
        vectors = (await self._call(lambda client: client.get_collection(self._collection))).config.params.vectors
        return isinstance(vectors, dict) and second.name in vectors

    async def _call(self, call: Callable[[AsyncQdrantClient], Awaitable[Result]]) -> Result:
        if self._client is None:
            raise Unavailable("index_unavailable", "the index is not open")
        return await _call_server(call(self._client))


async def list_names(settings: IndexSettings, prefix: str) -> list[str]:
    """The index names of the collections with this prefix. Raises ConfigurationError and Unavailable("index_unavailable")."""
    client = _connect(settings)
    try:
        answer = await _call_server(client.get_collections())
    finally:
        await client.close()
    names = [each.name.removeprefix(prefix) for each in answer.collections if each.name.startswith(prefix)]
    return sorted(name for name in names if INDEX_NAME.fullmatch(name))


def _connect(settings: IndexSettings) -> AsyncQdrantClient:
    transport: dict[str, Any] = {"verify": settings.ssl_ca_file} if settings.ssl_ca_file else {}
    return AsyncQdrantClient(
        url=settings.url,
        api_key=settings.api_key.reveal() or None,
        timeout=max(1, round(settings.timeout_s)),
        check_compatibility=False,  # it would block the event loop; ``ServerIndex`` reads the version
        **transport,
    )


async def _call_server(call: Awaitable[Result]) -> Result:
    """One call; a refusal is a wrong setting (ConfigurationError), everything else is transient (Unavailable)."""
    try:
        return await call
    except UnexpectedResponse as error:
        detail = f"Qdrant answered {error.status_code}: {error.content[:300].decode('utf-8', 'replace')}"
        if error.status_code in (*CLIENT_ERRORS, 409):
            raise ConfigurationError(detail) from error
        raise Unavailable("index_unavailable", detail) from error
    except (ApiException, QdrantException) as error:
        raise Unavailable("index_unavailable", f"Qdrant: {error}") from error


def _field_equals(field: str, value: str | int) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _collection_filter(tenant: str, collection: str, *more: models.FieldCondition) -> models.Filter:
    return models.Filter(must=[_field_equals("tenant", tenant), _field_equals("kb", collection), *more])


def _document_filter(tenant: str, collection: str, document_id: str, *more: models.FieldCondition) -> models.Filter:
    return _collection_filter(tenant, collection, _field_equals("doc", document_id), *more)


def _server_point(point: Point, second: SecondVector | None) -> models.PointStruct:
    terms = models.SparseVector(indices=point.sparse.indices.tolist(), values=point.sparse.values.tolist())
    vector: dict[str, Any] = {"dense": point.dense.tolist(), "bm25": terms}
    if second is not None and point.second is not None:
        vector[second.name] = point.second.tolist()
    return models.PointStruct(id=point.id, vector=vector, payload=payload_of(point))


def _without(second: SecondVector) -> models.Filter:
    return models.Filter(must_not=[models.HasVectorCondition(has_vector=second.name)])


def _build_requests(query: Query, second: SecondVector | None) -> tuple[models.QueryRequest | None, ...]:
    """The lexical, the dense and the second dense request; None for a leg without a vector."""
    must: list[Any] = [
        _field_equals("tenant", query.tenant),
        models.FieldCondition(key="kb", match=models.MatchAny(any=list(query.collections))),
    ]
    within, without = ([_field_equals("language", each)] if each else [] for each in (query.within, query.without))
    meant: list[Any] = [*must, *within]
    others: list[Any] = [*without]  # what the first dense leg leaves out
    lexical = dense = encoded = None
    if len(query.sparse.indices):
        lexical = models.QueryRequest(
            query=models.SparseVector(indices=query.sparse.indices.tolist(), values=query.sparse.values.tolist()),
            using="bm25",
            filter=models.Filter(must=must),
            limit=query.candidates,
            with_payload=True,
            params=models.SearchParams(idf=models.IdfCorpusParams(corpus=models.Filter(must=must))),
        )
    if second is not None and query.second is not None and query.second.any():
        some, rows = models.Filter(must=meant, must_not=[*without]), [query.second.tolist()]
        encoded = models.QueryRequest(query=rows, using=second.name, filter=some, limit=query.candidates, with_payload=True)
        others.append(models.HasVectorCondition(has_vector=second.name))
    if query.dense.any():
        some = models.Filter(must=meant, must_not=others)
        dense = models.QueryRequest(query=query.dense.tolist(), using="dense", filter=some, limit=query.candidates, with_payload=True)
    return lexical, dense, encoded
