"""Index, on the real embedded engine and the real visibility records: whole or not at all, lent vectors, shelves, removal that counts."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from adapters.index.embedded import EmbeddedIndex
from adapters.redis.client import RedisClient
from adapters.text.sparse import Bm25Encoder, pack
from agents.index import IndexChunks
from domain.documents.lanes import Lanes
from domain.documents.records import progress_order
from domain.documents.topics import DOCUMENTS_CHUNKED
from domain.documents.visibility import Visibility
from domain.read_models import ReadModels
from schemas import ids
from schemas.documents import (
    Chunk,
    ChunkBatch,
    DocumentEmbedded,
    DocumentRemovalRequested,
    EmbeddedBatch,
    Locator,
    Removal,
    Shelf,
    Vectors,
)
from schemas.errors import Refused
from schemas.indexes import IndexPlan
from tests.support.index_library import Plans
from tests.support.ports import context, header

pytestmark = pytest.mark.stack
KEY, MODEL = "acme/kb/doc", "toy"
BM25 = Bm25Encoder()


@dataclass
class Encoder:
    embedding_name: str = MODEL
    dimensions: int = 4


@dataclass
class Engines:
    """One engine for every name; ``asked`` are the names."""

    index: EmbeddedIndex
    encoder: Encoder = field(default_factory=Encoder)
    asked: list[str] = field(default_factory=list)

    async def get(self, name: str) -> "Engines":
        self.asked.append(name)
        return self


@dataclass
class Files:
    deleted: list[str] = field(default_factory=list)

    async def delete(self, path: str) -> None:
        self.deleted.append(path)


@pytest.fixture
async def agent(redis: RedisClient, prefix: str, tmp_path: Path) -> AsyncIterator[IndexChunks]:
    index = EmbeddedIndex(tmp_path / "index", model=MODEL, dimensions=4)
    await index.start()
    documents = ReadModels(redis, prefix).documents
    visibility, lanes = Visibility(redis, prefix), Lanes(redis, prefix, 60, time.monotonic)
    yield IndexChunks(Engines(index), Plans(), visibility, lanes, documents, Files(), 8)  # type: ignore[arg-type]
    await index.stop()


def vectors(text: str) -> Vectors:
    return pack(BM25.encode_document(text), np.array([len(text), 1, 0, 0], np.float32))


NOTHING = Vectors(dense="", indices="", values="")


def embedded(
    version: int, texts: list[str], *, first: int = 0, total: int = 0, lacking: tuple[int, ...] = (), **fields: Any
) -> DocumentEmbedded:
    total = total or len(texts)
    chunks = tuple(
        Chunk(ordinal=first + n, text=text, hash=ids.derive(text).replace("-", ""), place=Locator(page=n + 1))
        for n, text in enumerate(texts)
    )
    batch = ChunkBatch(
        knowledge_base_id="kb",
        document_id="doc",
        version=version,
        lane="bulk",
        title="A title",
        first=first,
        total=total,
        last=first + len(texts) == total,
        chunks=chunks,
        content_hash=f"hash of {version}",
        **fields,
    )
    rows = tuple(NOTHING if n in lacking else vectors(text) for n, text in enumerate(texts))
    return DocumentEmbedded(**header(f"e{version}-{first}", KEY), data=EmbeddedBatch(batch=batch, model=MODEL, vectors=rows))


async def texts(agent: IndexChunks, version: int, shelf: str = "kb") -> list[str]:
    index = (await agent.engines.get("")).index
    return [hit.text for hit in await index.chunks("acme", shelf, "doc", version, first=0, limit=100)]


async def shown(agent: IndexChunks) -> int | None:
    return (await agent.visibility.version_states([KEY]))[KEY].visible_version


async def test_a_version_is_shown_when_the_last_of_it_is_stored_and_the_old_one_goes(agent: IndexChunks):
    await agent.visibility.record_submission(KEY, 1)
    (news,) = await agent.step(embedded(1, ["甲 一", "乙 二"]), context())
    assert (news.event.data.state, news.event.data.done, await shown(agent)) == ("indexed", 2, 1)
    before = await agent.visibility.record_submission(KEY, 2)
    assert (before.content_hash, before.chunks) == ("hash of 1", 2)
    (news,) = await agent.step(embedded(2, ["丙", "丁"], total=3, earlier=True), context())
    assert (news.event.data.state, news.event.data.done, news.event.data.percent, await shown(agent)) == ("embedding", 2, 72, 1)
    (news,) = await agent.step(embedded(2, ["戊"], first=2, total=3, earlier=True), context())
    assert (news.event.data.state, news.event.data.removed, await shown(agent)) == ("indexed", 2, 2)
    assert await texts(agent, 1) == []
    assert await texts(agent, 2) == ["丙", "丁", "戊"]


async def test_whoever_waits_for_a_document_reads_that_it_is_indexed_at_once(agent: IndexChunks):
    """The row is there before the event is on the log, and the projector would write the same; what comes in bulk is left to it."""
    bulk = embedded(1, ["甲"])
    await agent.step(bulk, context())
    assert await agent.documents.get("acme/kb", "doc") is None
    batch = replace(bulk.data.batch, version=2, lane="express")
    (news,) = await agent.step(replace(bulk, data=replace(bulk.data, batch=batch)), context())
    assert await agent.documents.get("acme/kb", "doc") == news.event.data
    assert not await agent.documents.put("acme/kb", "doc", news.event.data, order=progress_order(news.event.data), rank=2.0)
    batch = replace(batch, version=3, quiet=True, shelf=Shelf(generation=1))
    await agent.step(replace(bulk, data=replace(bulk.data, batch=batch)), context())
    assert await agent.documents.get("acme/kb", "doc") == news.event.data


async def test_unchanged_chunks_borrow_their_vectors(agent: IndexChunks):
    await agent.visibility.record_submission(KEY, 1)
    await agent.step(embedded(1, ["甲 一", "乙 二"]), context())
    await agent.visibility.record_submission(KEY, 2)
    _, known = await agent.visibility.read_for_indexing(KEY, 0, earlier=True)
    event = embedded(2, ["乙 二", "新 的"], lacking=(0,), earlier=True)
    assert event.data.batch.chunks[0].hash in known
    (news,) = await agent.step(event, context())
    assert news.event.data.state == "indexed"
    index = (await agent.engines.get("")).index
    lent = await index.vectors_of("acme", "kb", "doc", {event.data.batch.chunks[0].hash})
    stored = lent[event.data.batch.chunks[0].hash]
    assert stored.dense[0] / stored.dense[1] == pytest.approx(len("乙 二"))  # the engine keeps it normalised
    assert sorted(stored.sparse.indices.tolist()) == sorted(BM25.encode_document("乙 二").indices.tolist())
    _, known = await agent.visibility.read_for_indexing(KEY, 0, earlier=True)
    assert known == {chunk.hash for chunk in event.data.batch.chunks}  # what only version 1 had is forgotten


async def test_vectors_that_are_not_there_are_asked_for_once_more(agent: IndexChunks):
    await agent.visibility.record_submission(KEY, 2)
    event = embedded(2, ["甲", "乙"], total=3, lacking=(1,), earlier=True)
    (again,) = await agent.step(event, context())
    assert (again.topic, again.event.data.again, again.event.data.chunks) == (DOCUMENTS_CHUNKED, True, event.data.batch.chunks)
    assert [each.event.data.state for each in await agent.step(embedded(2, ["丙"], first=2, total=3, earlier=True), context())] == [
        "embedding"
    ]
    assert await shown(agent) is None
    (news,) = await agent.step(embedded(2, ["甲", "乙"], total=3, earlier=True, again=True), context())
    assert (news.event.data.state, await shown(agent)) == ("indexed", 2)


async def test_a_version_with_a_hole_is_never_shown(agent: IndexChunks):
    await agent.visibility.record_submission(KEY, 1)
    with pytest.raises(Refused, match="1 of 3 chunks"):
        await agent.step(embedded(1, ["丙"], first=2, total=3), context())
    assert await shown(agent) is None


async def test_nothing_is_left_of_what_nobody_may_see(agent: IndexChunks):
    await agent.visibility.record_submission(KEY, 1)
    await agent.visibility.record_withdrawal(KEY, 4)
    assert await agent.step(embedded(1, ["甲"]), context()) == []
    assert await agent.step_many([(embedded(1, ["甲"]), context()), (embedded(3, ["乙"]), context())]) == [[], []]
    assert await texts(agent, 1) + await texts(agent, 3) == []
    assert await shown(agent) is None


async def test_many_at_once(agent: IndexChunks):
    events = []
    for n in range(5):
        event = replace(embedded(n, [f"文 {n}"]), subject=f"acme/kb/{n}", id=f"m{n}")
        batch = replace(event.data.batch, document_id=str(n))
        events.append((replace(event, data=replace(event.data, batch=batch)), context()))
        await agent.visibility.record_submission(event.subject, n)
    outgoing = await agent.step_many(events)
    assert [each[0].event.data.state for each in outgoing] == ["indexed"] * 5
    standings = await agent.visibility.version_states([event.subject for event, _ in events])
    assert [standing.visible_version for standing in standings.values()] == list(range(5))


async def test_a_shelf_nobody_sees_is_filled_in_silence(agent: IndexChunks):
    shelf = Shelf(generation=1, chunk_tokens=64)
    agent.plans.known["acme", "kb"] = IndexPlan(tenant="acme", knowledge_base_id="kb", other=shelf, state="building")  # type: ignore[attr-defined]
    await agent.visibility.record_submission(KEY, 1)
    assert await agent.step(embedded(1, ["甲"], shelf=shelf, quiet=True), context()) == []
    assert await shown(agent) is None
    assert (await agent.visibility.build_states([KEY], 1))[KEY].version == 1
    assert await texts(agent, 1, ids.collection_name("kb", 1)) == ["甲"]
    await agent.step(embedded(1, ["甲"]), context())
    removal = DocumentRemovalRequested(**header("r", KEY), data=Removal(knowledge_base_id="kb", document_id="doc", version=5, blobs=("x",)))
    (news,) = await agent.step(removal, context())
    assert (news.event.data.state, news.event.data.removed) == ("deleted", 2)
    assert agent.files.deleted == ["x"]  # type: ignore[attr-defined]
    agent.plans.known.clear()  # type: ignore[attr-defined]
    assert await agent.step(embedded(1, ["甲"], shelf=shelf, quiet=True), context()) == []  # given up: nothing is stored
    assert await texts(agent, 1, ids.collection_name("kb", 1)) == []


async def test_vectors_of_the_settings_before_are_made_again(agent: IndexChunks):
    """A version that was queued before the settings changed comes back with the vectors of its collection's index, where the plan says."""
    located = Shelf(index="bm25.1-toy-4")
    agent.plans.known["acme", "kb"] = IndexPlan(tenant="acme", knowledge_base_id="kb", active=located)  # type: ignore[attr-defined]
    await agent.visibility.record_submission(KEY, 1)
    event = embedded(1, ["甲"])
    old = replace(event, data=replace(event.data, model="another"))
    ((again,),) = await agent.step_many([(old, context())])
    assert again.topic == DOCUMENTS_CHUNKED
    assert (again.event.data.again, again.event.data.shelf, again.event.data.chunks) == (True, located, old.data.batch.chunks)
    with pytest.raises(Refused, match="CLAW_RETRIEVAL_EMBEDDING"):  # the workers' settings differ: it would never end
        await agent.step(replace(old, data=replace(old.data, batch=again.event.data)), context())
    (news,) = await agent.step(replace(event, data=replace(event.data, batch=again.event.data)), context())
    assert (news.event.data.state, await shown(agent)) == ("indexed", 1)
    assert set(agent.engines.asked) == {located.index}  # type: ignore[attr-defined]


async def test_an_embedding_that_cannot_be_had_leaves_words(agent: IndexChunks):
    await agent.visibility.record_submission(KEY, 1)
    event = embedded(1, ["甲 一"])
    row = replace(event.data.vectors[0], dense="")
    (news,) = await agent.step(replace(event, data=replace(event.data, vectors=(row,))), context())
    assert news.event.data.state == "indexed"
    hash_ = event.data.batch.chunks[0].hash
    index = (await agent.engines.get("")).index
    dense = (await index.vectors_of("acme", "kb", "doc", {hash_}))[hash_].dense
    assert dense.tolist() == [0, 0, 0, 0]
