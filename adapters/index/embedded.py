"""The index engine inside this process: qdrant-edge over one folder, which one process at a time may hold.

Its calls hold the interpreter lock (measured: 200 points of 256 dimensions upsert in 6 ms, a two-legged query over 1,000 takes 0.6 ms), so
they run on threads of their own *and* in small portions. HNSW is never built: with the indexing threshold out of reach ``optimize`` only
compacts, and the flat dense search takes 6 ms at 100,000 points. An update is in the write-ahead log when it returns, which survives the
death of the process (tested with SIGKILL); a flush, which also survives the machine's and empties the log, follows within seconds.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

from adapters.batching import Batcher
from adapters.index import engine
from adapters.index.port import (
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
    split_by_language,
)
from schemas.errors import ConfigurationError, Unavailable

Result = TypeVar("Result")

POINTS_PER_CALL = 200  # about 6 ms of the interpreter lock
DOCUMENTS_PER_BATCH = 64  # upserts coalesced into one
POINTS_PER_BATCH = 512
QUERIES_PER_BATCH = 8  # about 5 ms of the interpreter lock
WAITING_MAX = 1_024  # calls queued per direction; agents are bounded far below, so reaching it means the engine hangs
FLUSH_POINTS = 2_048  # unflushed points before a flush: 30 ms, and 0.1 s of replay at the next start
FLUSH_S = 5.0  # or this long after the first unflushed change
LOCK_WAIT_S = 10.0  # for a predecessor that is still stopping


class EmbeddedIndex:
    """``VectorIndex`` in the folder ``root/<index name>``, by default that of ``model``. For one event loop.

    Points get a ``second`` vector when there is one; a folder without it is given it, one that has it is read without it as well.
    """

    def __init__(self, root: Path, *, model: str, dimensions: int, name: str = "", second: SecondVector | None = None) -> None:
        self._folder = root / (name or index_name(model))
        self._dimensions, self._second = dimensions, second
        self._complete = False  # known: every point has the second vector
        self._upserted = 0  # calls
        self._shard: Any = None
        self._lock = -1
        self._unflushed = 0
        self._flush_timer: asyncio.TimerHandle | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="index-write")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="index-read")
        self._upserts: Batcher[Sequence[Point], None] = Batcher(
            self._upsert_batch,
            items_max=DOCUMENTS_PER_BATCH,
            weigh=len,
            weight_max=POINTS_PER_BATCH,
            waiting_max=WAITING_MAX,
            code="index_unavailable",
        )
        self._searches: Batcher[Query, list[Hit]] = Batcher(
            self._search_batch, items_max=QUERIES_PER_BATCH, waiting_max=WAITING_MAX, code="index_unavailable"
        )

    async def start(self) -> None:
        self._lock = await _acquire_lock(self._folder)
        try:
            self._shard = await self._run_on(self._writer, partial(engine.load, self._folder, self._dimensions, self._second))
        except Unavailable as error:
            self._release_lock()
            raise ConfigurationError(f"the index in {self._folder} cannot be opened ({error.detail}): move it away and rebuild") from error

    async def stop(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        await self._upserts.close()
        await self._searches.close()
        shard, self._shard = self._shard, None
        try:
            if shard is not None:
                await self._run_on(self._writer, shard.flush)
                await self._run_on(self._writer, shard.close)
        finally:
            self._writer.shutdown(wait=False)
            self._reader.shutdown(wait=False)
            self._release_lock()

    async def upsert(self, points: Sequence[Point]) -> None:
        check_points(points, self._dimensions)
        self._require_shard()
        if points:
            await self._upserts(points)

    async def count(self, tenant: str, collection: str, document_id: str, version: int) -> int:
        return await self._count(engine.document_filter(tenant, collection, document_id, engine.field_equals("version", version)))

    async def count_collection(self, tenant: str, collection: str) -> int:
        return await self._count(engine.collection_filter(tenant, collection))

    async def collections(self) -> list[tuple[str, str]]:
        return await self._run_on(self._reader, partial(engine.collections, self._require_shard()))

    async def _count(self, wanted: Any) -> int:
        return await self._run_on(self._reader, partial(engine.count, self._require_shard(), wanted))

    async def remove(self, tenant: str, collection: str, document_id: str, *, below_or_equal: int) -> int:
        return await self._remove(engine.document_filter(tenant, collection, document_id, engine.version_at_most(below_or_equal)))

    async def remove_version(self, tenant: str, collection: str, document_id: str, version: int) -> int:
        return await self._remove(engine.document_filter(tenant, collection, document_id, engine.field_equals("version", version)))

    async def remove_collection(self, tenant: str, collection: str) -> int:
        unwanted, removed = engine.collection_filter(tenant, collection), 0
        remaining = await self._count(unwanted)
        while removed < remaining and (some := await self._run_on(self._writer, partial(self._delete_some, unwanted))):
            removed += some
        self._flush_later()
        return removed

    async def _remove(self, unwanted: Any) -> int:
        self._require_shard()
        removed = await self._run_on(self._writer, partial(self._delete, unwanted))
        if removed:
            self._flush_later()
        return removed

    async def chunks(self, tenant: str, collection: str, document_id: str, version: int, *, first: int, limit: int) -> list[Hit]:
        wanted = engine.document_filter(tenant, collection, document_id, engine.field_equals("version", version))
        return await self._run_on(self._reader, partial(engine.chunks, self._require_shard(), wanted, first, limit))

    async def vectors_of(self, tenant: str, collection: str, document_id: str, hashes: Collection[str]) -> dict[str, StoredVectors]:
        found: dict[str, StoredVectors] = {}
        for some in engine.hash_conditions(hashes):
            wanted, after = engine.document_filter(tenant, collection, document_id, some), None
            while True:
                read = partial(engine.vectors_of, self._require_shard(), wanted, after, self._second)
                portion, after = await self._run_on(self._reader, read)
                found |= portion
                if after is None:
                    break
        return found

    async def find_unencoded(self, limit: int) -> list[UnencodedPoint]:
        shard, upserted = self._require_shard(), self._upserted
        if self._second is None or self._complete:
            return []
        found = await self._run_on(self._reader, partial(engine.find_unencoded, shard, self._second, limit))
        self._complete = not found and upserted == self._upserted
        return found

    async def count_unencoded(self, tenant: str = "", collection: str = "") -> int:
        shard = self._require_shard()
        if self._second is None or self._complete:
            return 0
        return await self._run_on(self._reader, partial(engine.count_unencoded, shard, self._second, tenant, collection))

    async def add_second(self, vectors: Mapping[str, NDArray[np.floating[Any]]]) -> int:
        shard = self._require_shard()
        if self._second is None or not vectors:
            return 0
        check_second(vectors, self._second)
        there = await self._run_on(self._writer, partial(engine.add_second, shard, self._second, vectors))
        self._unflushed += there
        self._flush_later()
        return there

    async def search(self, query: Query) -> list[Hit]:
        self._require_shard()
        if not query.collections:
            return []
        return await self._searches(query)

    def _require_shard(self) -> Any:
        if self._shard is None:
            raise Unavailable("index_unavailable", "the index is not open")
        return self._shard

    async def _run_on(self, executor: ThreadPoolExecutor, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(executor, _call_engine, call)

    async def _upsert_batch(self, documents: list[Sequence[Point]]) -> list[None]:
        points = [point for document in documents for point in document]
        self._complete, self._upserted = False, self._upserted + 1
        for first in range(0, len(points), POINTS_PER_CALL):
            await self._run_on(self._writer, partial(self._upsert_points, points[first : first + POINTS_PER_CALL]))
        self._upserted += 1
        self._flush_later()
        return [None] * len(documents)

    def _upsert_points(self, points: list[Point]) -> None:
        self._require_shard().update(edge.UpdateOperation.upsert_points([engine.engine_point(point, self._second) for point in points]))
        self._unflushed += len(points)
        if self._unflushed >= FLUSH_POINTS:
            self._flush()

    def _delete(self, unwanted: Any) -> int:
        shard = self._require_shard()
        removed = engine.count(shard, unwanted)
        if removed:
            shard.update(edge.UpdateOperation.delete_points_by_filter(unwanted))
            self._unflushed += removed
        return removed

    def _delete_some(self, unwanted: Any) -> int:
        removed = engine.delete_some(self._require_shard(), unwanted)
        self._unflushed += removed
        return removed

    def _flush(self) -> None:
        if self._shard is not None and self._unflushed:
            self._unflushed = 0
            self._shard.flush()

    def _flush_later(self) -> None:
        if self._flush_timer is None and self._shard is not None:
            self._flush_timer = asyncio.get_running_loop().call_later(FLUSH_S, self._flush_due)

    def _flush_due(self) -> None:
        self._flush_timer = None
        asyncio.get_running_loop().run_in_executor(self._writer, _call_engine, self._flush)

    async def _search_batch(self, queries: list[Query]) -> list[list[Hit]]:
        return await self._run_on(self._reader, partial(self._query_batch, queries))

    def _query_batch(self, queries: list[Query]) -> list[list[Hit]]:
        requests: list[Any] = []
        places: list[list[list[int]]] = []  # of the lexical, dense and second dense request of each part of a query; -1 for none
        for query in queries:
            places.append([])
            for part in split_by_language(query):
                places[-1].append([])
                for request in engine.build_requests(part, self._second, complete=self._complete):
                    places[-1][-1].append(-1 if request is None else len(requests))
                    requests += [] if request is None else [request]
        answers = self._require_shard().query_batch(edge.QueryBatchRequest(requests)) if requests else []
        found = [[(str(p.id), float(p.score), p.payload) for p in answer] for answer in answers] + [[]]  # [-1] is the leg left out
        offset = self._second.offset if self._second is not None else 0.0
        return [
            merge_parts([(found[lexical], found[dense], found[second]) for lexical, dense, second in parts], query, offset)
            for query, parts in zip(queries, places, strict=True)
        ]

    def _release_lock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


async def _acquire_lock(folder: Path) -> int:
    """File descriptor of the lock on ``folder``; raises ConfigurationError when another process keeps it."""
    lock = await asyncio.to_thread(_open_lock, folder)
    for _ in range(int(LOCK_WAIT_S / 0.1)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            return lock
    os.close(lock)
    raise ConfigurationError(
        f"the index in {folder} is held by another process: run one `knowledge` worker with the embedded index, or set CLAW_QDRANT_URL"
    )


def _open_lock(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / "held", os.O_CREAT | os.O_RDWR, 0o600)


def _call_engine(call: Callable[[], Result]) -> Result:
    """Calls the engine; whatever it raises becomes Unavailable."""
    try:
        return call()
    except Unavailable:
        raise
    except Exception as error:  # the engine raises bare Exception for everything
        raise Unavailable("index_unavailable", f"index engine: {error}") from error
