"""Second vectors: found by the table at once, by the encoder after it; what is left to do is in the index."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from adapters.children.child import ChildDied
from adapters.embedders import sentences
from adapters.embedders.local import table_folder
from adapters.embedders.query import QueryEncoder
from adapters.embedders.sentences import SentenceEncoder
from adapters.index.choose import create_vector_index
from adapters.index.port import VectorIndex
from adapters.redis.client import RedisClient
from adapters.redis.lease import release_lease, take_lease
from domain.documents.visibility import Visibility
from domain.indexes.engines import Engines
from domain.indexes.second_vectors import CHECK_S, POINTS_AT_ONCE, SKIPPED_MAX, SecondVectors
from domain.retrieval.search import SearchService
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import NodeSettings, RetrievalSettings, Settings
from tests.support.index_library import Library, Plans

QUESTION = "How many days of annual leave do I get?"
NOTES = {
    "leave": "员工每年享有十五天带薪休假。",
    "canteen": "食堂每天中午十二点开始供应午餐。",
    "parking": "停车场位于地下二层，周末关闭。",
}


class InProcess:
    """The real encoder without its child. ``before`` is called with the texts of each call."""

    def __init__(self, encoder: SentenceEncoder, before: Callable[[Sequence[str]], object] = lambda _: None) -> None:
        self.encoder, self.before = encoder, before

    async def embed_passages(self, texts: Sequence[str], tenant: str) -> Sequence[np.ndarray]:
        self.before(texts)
        return self.encoder.embed_passages(texts)


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return sentences.load(table_folder(RetrievalSettings()))


@asynccontextmanager
async def opened(
    folder: Path, redis: RedisClient, prefix: str, encoder: Literal["", "multilingual"] = "multilingual"
) -> AsyncIterator[tuple[Library, Engines]]:
    settings = Settings(node=NodeSettings(home=folder), retrieval=RetrievalSettings(encoder=encoder))

    def make(query: QueryEncoder, name: str) -> VectorIndex:
        return create_vector_index(settings, model=query.embedding_name, dimensions=query.dimensions, name=name, second=query.second)

    engines = Engines(settings.retrieval, make)
    await engines.start()
    try:
        yield Library({"": await engines.get("")}, Visibility(redis, prefix), Plans()), engines
    finally:
        await engines.stop()


async def finish(work: SecondVectors) -> None:
    while await work.encode_some():
        pass


async def dense(searching: SearchService, question: str = QUESTION) -> dict[str, float]:
    """By document, what the dense leg says."""
    return {hit.document_id: hit.dense for hit in (await searching.search("t", ["base"], question, 5)).hits}


async def test_a_document_is_found_by_the_table_and_then_by_the_encoder(tmp_path: Path, redis: RedisClient, prefix: str, encoder):
    """A restart goes on where it was; without the setting everything is as before, and nothing is lost."""
    async with opened(tmp_path, redis, prefix) as (library, engines):
        for version, (name, text) in enumerate(NOTES.items()):
            await library.add("t", "base", name, version, text)
        before = await dense(library.searching)
        work = SecondVectors(engines, InProcess(encoder), redis, prefix, registry=CollectorRegistry())
        work._at_once = 1
        assert await work.encode_some() == 1
    question = encoder.embed([QUESTION])[0]
    expected = {name: float((encoder.embed_passages([text])[0] @ question).max()) + 0.04 for name, text in NOTES.items()}
    texts: list[str] = []
    async with opened(tmp_path, redis, prefix) as (library, engines):
        work = SecondVectors(engines, InProcess(encoder, texts.extend), redis, prefix, registry=CollectorRegistry())
        await finish(work)
        assert len(texts) == len(NOTES) - 1
        after = await dense(library.searching)
        assert {name: after[name] for name in after} == {name: pytest.approx(expected[name], abs=2e-3) for name in after}
        assert max(after, key=after.__getitem__) == "leave"
        assert after != before
        assert await work.encode_some() == 0
    async with opened(tmp_path, redis, prefix, encoder="") as (library, _):
        assert await dense(library.searching) == before


async def test_a_document_that_is_removed_meanwhile_stays_away(tmp_path: Path, redis: RedisClient, prefix: str, encoder):
    """Its vector was being computed when it was removed."""
    async with opened(tmp_path, redis, prefix) as (library, engines):
        await library.add("t", "base", "leave", 1, NOTES["leave"])
        await library.add("t", "base", "canteen", 2, NOTES["canteen"])
        index = (await engines.get("")).index

        class Removing(InProcess):
            async def embed_passages(self, texts: Sequence[str], tenant: str) -> Sequence[np.ndarray]:
                await index.remove("t", "base", "leave", below_or_equal=1)
                return await super().embed_passages(texts, tenant)

        work = SecondVectors(engines, Removing(encoder), redis, prefix, registry=CollectorRegistry())
        await finish(work)
        assert list(await dense(library.searching)) == ["canteen"]
        assert await index.count_collection("t", "base") == 1


async def test_a_text_that_ends_the_child_is_left_out(tmp_path: Path, redis: RedisClient, prefix: str, encoder):
    """All others get their vector, and it is found by the table; when many do, it is the machine."""
    deaths = []

    def die(texts: Sequence[str]) -> None:
        if any("deadly" in text for text in texts):
            deaths.append(len(texts))
            raise ChildDied("crash", "it was too much")

    async with opened(tmp_path, redis, prefix) as (library, engines):
        texts = [f"note {number}" for number in range(POINTS_AT_ONCE + 3)] + ["a deadly note"]
        await library.add("t", "base", "notes", 1, *texts)
        work = SecondVectors(engines, InProcess(encoder, die), redis, prefix, registry=CollectorRegistry())
        await finish(work)
        assert deaths[-1] == 1
        index = (await engines.get("")).index
        assert [point.text for point in await index.find_unencoded(10)] == ["a deadly note"]
        await library.add("t", "base", "more", 2, *["deadly"] * SKIPPED_MAX)
        with pytest.raises(Unavailable):
            await finish(work)
        assert len(work._skipped) == SKIPPED_MAX


async def test_one_process_computes(tmp_path: Path, redis: RedisClient, prefix: str, encoder):
    """Another one holds the lease: this one waits, and goes on when it is free."""
    lease, called = f"{prefix}:second-vectors", asyncio.Event()
    async with opened(tmp_path, redis, prefix) as (library, engines):
        await library.add("t", "base", "leave", 1, NOTES["leave"])
        assert await take_lease(redis, lease, "another", 60.0) == "another"
        work = SecondVectors(engines, InProcess(encoder, lambda _: called.set()), redis, prefix, registry=CollectorRegistry())
        await work.start()
        await asyncio.sleep(2 * CHECK_S)
        assert not called.is_set()
        await release_lease(redis, lease, "another")
        async with asyncio.timeout(30):
            await called.wait()
        await work.stop()
        assert await redis.get(lease) is None


def test_an_encoder_needs_the_table():
    with pytest.raises(ConfigurationError, match="CLAW_RETRIEVAL_EMBEDDING"):
        QueryEncoder(RetrievalSettings(encoder="multilingual", embedding="wordllama"))
