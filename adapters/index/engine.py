"""What the engine in this process is asked, in its own words. Nothing here waits or locks: ``embedded.py`` runs it on its threads."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

from adapters.index.port import (
    COLLECTIONS_MAX,
    INDEXED_FIELDS,
    SECOND_WEIGHT,
    Hit,
    Point,
    Query,
    SecondVector,
    StoredVectors,
    UnencodedPoint,
    payload_of,
    portions,
    read_vectors,
    sort_hits,
)

OUT_OF_REACH_KB = 1_000_000_000_000  # indexing threshold
VACUUM_SHARE = 0.2  # of deleted points, when the folder is opened
RECORDS_PER_CALL = 500  # read or deleted at once: a few ms of the interpreter lock


def load(folder: Path, dimensions: int, second: SecondVector | None = None) -> Any:
    """The shard in ``folder``, with a second vector if there is to be one; made when it is not there."""
    config = edge.EdgeConfig(
        vectors={"dense": edge.EdgeVectorParams(size=dimensions, distance=edge.Distance.Cosine)},
        sparse_vectors={"bm25": edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
        optimizers=edge.EdgeOptimizersConfig(indexing_threshold=OUT_OF_REACH_KB, deleted_threshold=VACUUM_SHARE),
    )
    shard_folder, unfinished = folder / "shard", folder / "shard.new"
    if not shard_folder.exists():
        _remove_tree(unfinished)
        unfinished.mkdir()
        shard = edge.EdgeShard.create(str(unfinished), config)
        _index_fields(shard)
        shard.flush()
        shard.close()
        unfinished.rename(shard_folder)  # a folder under the final name is always a whole one
    shard = edge.EdgeShard.load(str(shard_folder))  # as it was made, with the second vectors that it has
    if second is not None:  # harmless where it is there
        shard.update(_second_vector(second))
    _index_fields(shard)  # of an earlier release
    shard.optimize()  # compacts where enough was deleted: 0.6 s at 100,000 points, and nobody waits yet
    return shard


def _index_fields(shard: Any) -> None:
    for name in INDEXED_FIELDS:  # repeating it is harmless
        shard.update(edge.UpdateOperation.create_field_index(name, edge.PayloadSchemaType.Keyword))


def _second_vector(second: SecondVector) -> Any:
    """Half precision: it takes half of the space and of the time, and costs no place in a ranking."""
    best_row = edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim)
    return edge.UpdateOperation.create_dense_vector(
        second.name, second.dimensions, edge.Distance.Dot, multivector_config=best_row, datatype=edge.VectorStorageDatatype.Float16
    )


def _remove_tree(folder: Path) -> None:
    if folder.exists():
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()


def field_equals(field: str, value: str | int) -> Any:
    """The condition that a field has this value."""
    return edge.FieldCondition(field, match=edge.MatchValue(value))


def collection_filter(tenant: str, collection: str, *more: Any) -> Any:
    """The filter of a collection's points for which everything else holds, too."""
    return edge.Filter(must=[field_equals("tenant", tenant), field_equals("kb", collection), *more])


def document_filter(tenant: str, collection: str, document_id: str, *more: Any) -> Any:
    """The filter of a document's points."""
    return collection_filter(tenant, collection, field_equals("doc", document_id), *more)


def version_at_most(version: int) -> Any:
    """The condition that a version is not above this one."""
    return edge.FieldCondition("version", range=edge.RangeFloat(lte=float(version)))


def count(shard: Any, wanted: Any) -> int:
    """The exact number of points that a filter matches."""
    return int(shard.count(edge.CountRequest(exact=True, filter=wanted)))


def collections(shard: Any) -> list[tuple[str, str]]:
    """Tenant and collection of all points."""
    found = []
    for tenant in shard.facet(edge.FacetRequest("tenant", limit=COLLECTIONS_MAX, exact=True)).hits:
        of_tenant = edge.Filter(must=[field_equals("tenant", tenant.value)])
        hits = shard.facet(edge.FacetRequest("kb", limit=COLLECTIONS_MAX, exact=True, filter=of_tenant)).hits
        found += [(str(tenant.value), str(hit.value)) for hit in hits]
    return found


def chunks(shard: Any, wanted: Any, first: int, limit: int) -> list[Hit]:
    """Of the points that the filter matches: ordinals from ``first`` to before ``first + limit``."""
    span = edge.FieldCondition("ordinal", range=edge.RangeFloat(gte=float(first), lt=float(first + limit)))
    records, _ = shard.scroll(
        edge.ScrollRequest(limit=limit, filter=edge.Filter(must=[wanted, span]), with_payload=True, with_vector=False)
    )
    return sort_hits([(str(record.id), record.payload) for record in records])


def vectors_of(shard: Any, wanted: Any, after: Any, second: SecondVector | None) -> tuple[dict[str, StoredVectors], Any]:
    """Vectors by hash of one portion of the points, and where the next portion begins: None after the last."""
    names, limit = ["dense", "bm25"], RECORDS_PER_CALL
    if second is not None:
        names, limit = [*names, second.name], RECORDS_PER_CALL // SECOND_WEIGHT
    asked = edge.ScrollRequest(offset=after, limit=limit, filter=wanted, with_payload=["hash"], with_vector=names)
    records, following = shard.scroll(asked)
    return {record.payload["hash"]: read_vectors(record.vector, second) for record in records}, following


def find_unencoded(shard: Any, second: SecondVector, limit: int) -> list[UnencodedPoint]:
    """Some points without the second vector."""
    without = edge.Filter(must_not=[edge.HasVectorCondition(second.name)])
    asked = edge.ScrollRequest(limit=limit, filter=without, with_payload=["tenant", "kb", "text"], with_vector=False)
    records, _ = shard.scroll(asked)
    return [
        UnencodedPoint(id=str(record.id), tenant=record.payload["tenant"], collection=record.payload["kb"], text=record.payload["text"])
        for record in records
    ]


def count_unencoded(shard: Any, second: SecondVector, tenant: str, collection: str) -> int:
    """The exact number of them, in a collection or in all."""
    within = [field_equals("tenant", tenant), field_equals("kb", collection)] if collection else []
    return count(shard, edge.Filter(must=within, must_not=[edge.HasVectorCondition(second.name)]))


def add_second(shard: Any, second: SecondVector, vectors: Mapping[str, NDArray[np.floating[Any]]]) -> int:
    """Store second vectors of the points that are there; an update of one that is not would fail for all."""
    there = [str(record.id) for record in shard.retrieve(list(vectors), with_payload=False, with_vector=False)]
    if there:
        shard.update(edge.UpdateOperation.update_vectors([edge.PointVectors(key, {second.name: vectors[key].tolist()}) for key in there]))
    return len(there)


def delete_some(shard: Any, unwanted: Any) -> int:
    """Delete one portion of the points that a filter matches; returns how many that were."""
    records, _ = shard.scroll(edge.ScrollRequest(limit=RECORDS_PER_CALL, filter=unwanted, with_payload=False, with_vector=False))
    if records:
        shard.update(edge.UpdateOperation.delete_points([record.id for record in records]))
    return len(records)


def hash_conditions(hashes: Collection[str]) -> list[Any]:
    """Conditions that together match the points with these hashes, one portion each."""
    return [edge.FieldCondition("hash", match=edge.MatchAny(some)) for some in portions(hashes, RECORDS_PER_CALL)]


def engine_point(point: Point, second: SecondVector | None = None) -> Any:
    """A point as the engine stores it."""
    vector: dict[str, Any] = {
        "dense": point.dense.tolist(),
        "bm25": edge.SparseVector(point.sparse.indices.tolist(), point.sparse.values.tolist()),
    }
    if second is not None and point.second is not None:
        vector[second.name] = point.second.tolist()
    return edge.Point(point.id, vector, payload_of(point))


def build_requests(query: Query, second: SecondVector | None = None, *, complete: bool = False) -> tuple[Any, Any, Any]:
    """The lexical, the dense and the second dense request; None for a leg without a vector. ``complete``: no point lacks the second."""
    must = [field_equals("tenant", query.tenant), edge.FieldCondition("kb", match=edge.MatchAny(list(query.collections)))]
    wanted = edge.Filter(must=must)
    lexical = dense = encoded = None
    if len(query.sparse.indices):
        terms = edge.SparseVector(query.sparse.indices.tolist(), query.sparse.values.tolist())
        lexical = edge.QueryRequest(
            limit=query.candidates,
            query=edge.Query.Nearest(terms, using="bm25"),
            filter=wanted,
            with_payload=True,
            params=edge.SearchParams(idf=edge.IdfParams(corpus=wanted)),
        )
    within, without = ([field_equals("language", each)] if each else [] for each in (query.within, query.without))
    meant, others = [*must, *within], [*without]  # what the dense legs find, and what the first leaves out
    if second is not None and query.second is not None and query.second.any():
        encoded = _nearest([query.second.tolist()], second.name, edge.Filter(must=meant, must_not=without), query.candidates)
        others.append(edge.HasVectorCondition(second.name))
    if query.dense.any() and not (encoded is not None and complete):
        dense = _nearest(query.dense.tolist(), "dense", edge.Filter(must=meant, must_not=others), query.candidates)
    return lexical, dense, encoded


def _nearest(vector: list[Any], using: str, wanted: Any, limit: int) -> Any:
    return edge.QueryRequest(
        limit=limit,
        query=edge.Query.Nearest(vector, using=using),
        filter=wanted,
        with_payload=True,
        params=edge.SearchParams(exact=True),
    )
