"""One contract for both indexes; the server's half runs when CLAW_TEST_QDRANT_URL names one."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qdrant_client.models import Filter
from qdrant_edge import UpdateOperation

from adapters.index.embedded import EmbeddedIndex
from adapters.index.fusion import MULTILINGUAL, RankedQuestion
from adapters.index.port import Query, SecondVector, VectorIndex, hit_of, index_name, payload_of
from adapters.index.server import ServerIndex
from adapters.text.sparse import SparseVector
from schemas.documents import Locator
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import IndexSettings
from tests.support.index_points import DIMENSIONS, ENCODER, dense, point

NOTHING = SparseVector(np.empty(0, np.uint32), np.empty(0, np.float32))


def query(text: str = "", *, tenant="t1", kbs=("kb",), vector=None, limit=5, candidates=30) -> Query:
    return Query(
        tenant=tenant,
        collections=kbs,
        sparse=ENCODER.encode_query(text) if text else NOTHING,
        dense=dense() if vector is None else vector,
        limit=limit,
        candidates=candidates,
    )


@pytest.fixture(params=["embedded", "server"])
async def index(request, tmp_path):
    if request.param == "server":
        url = os.environ.get("CLAW_TEST_QDRANT_URL")
        if not url:
            pytest.skip("CLAW_TEST_QDRANT_URL is not set")
        made: VectorIndex = ServerIndex(IndexSettings(url=url), model=f"test-{uuid.uuid4().hex}", dimensions=DIMENSIONS)
    else:
        made = EmbeddedIndex(tmp_path, model="test", dimensions=DIMENSIONS)
    await made.start()
    yield made
    if isinstance(made, ServerIndex):
        await made._call(lambda client: client.delete_collection(made._collection))
    await made.stop()


async def test_a_stored_point_is_found_whole(index):
    """What search returns is what was stored, with each leg's own score."""
    await index.upsert([point("Kafka keeps every event on a topic", version=7, ordinal=3, vector=dense(0.6, 0.8))])
    (hit,) = await index.search(query("which topic keeps events", vector=dense(1)))
    assert (hit.knowledge_base_id, hit.document_id, hit.version, hit.ordinal) == ("kb", "doc", 7, 3)
    assert (hit.title, hit.headings, hit.text) == ("A title", ("Part", "Section"), "Kafka keeps every event on a topic")
    assert hit.bm25 > 0
    assert hit.dense == pytest.approx(0.6, abs=1e-3)
    assert hit.score > 0


async def test_chinese_traditional_question_finds_simplified_text(index):
    """Folding happens on both sides."""
    await index.upsert([point("数据库连接池的最大连接数是一百。", doc="a"), point("天气预报说明天下雨。", doc="b")])
    hits = await index.search(query("資料庫？數據庫連接池"))
    assert hits[0].document_id == "a"


async def test_upsert_twice_is_one_point(index):
    """A repeat replaces."""
    for text in ("first words", "second words"):
        await index.upsert([point(text)])
    assert await index.count("t1", "kb", "doc", 1) == 1
    assert [hit.text for hit in await index.search(query("words"))] == ["second words"]


async def test_tenants_and_knowledge_bases_are_walls(index):
    """The same document id and question: each tenant sees its own; a knowledge base that was not asked for stays out."""
    await index.upsert([point("shared words of one", tenant="t1"), point("shared words of two", tenant="t2")])
    await index.upsert([point("shared words elsewhere", tenant="t1", kb="other", doc="x")])
    assert [hit.text for hit in await index.search(query("shared words", vector=dense(1)))] == ["shared words of one"]
    assert [hit.text for hit in await index.search(query("shared words", tenant="t2"))] == ["shared words of two"]
    assert len(await index.search(query("shared words", kbs=("kb", "other")))) == 2
    assert await index.search(query("shared words", kbs=())) == []
    assert await index.search(query("shared words", tenant="nobody")) == []


async def test_another_tenants_documents_do_not_move_scores(index):
    """IDF is the tenant's own."""
    await index.upsert([point("rare zebra", doc="a"), point("common horse", doc="b"), point("common cow", doc="c")])
    before = await index.search(query("zebra"))
    await index.upsert([point("zebra zebra", tenant="t2", doc=f"d{n}") for n in range(50)])
    after = await index.search(query("zebra"))
    assert [(hit.id, hit.bm25) for hit in after] == [(hit.id, hit.bm25) for hit in before]
    assert before[0].bm25 > 0


async def test_another_knowledge_base_does_not_move_scores(index):
    """IDF is that of the collections that are searched, of several together."""
    await index.upsert([point("rare zebra", doc="a"), point("common horse", doc="b"), point("common cow", doc="c")])
    before = await index.search(query("zebra"))
    await index.upsert([point("zebra zebra", kb="other", doc=f"d{n}") for n in range(50)])
    after = await index.search(query("zebra"))
    assert [(hit.id, hit.bm25) for hit in after] == [(hit.id, hit.bm25) for hit in before]
    both = await index.search(query("zebra", kbs=("kb", "other")))
    assert max(hit.bm25 for hit in both) < before[0].bm25


async def test_count_and_remove_by_version(index):
    """Versions are counted and removed apart; the number removed is told; other documents stay."""
    for version in (3, 5, 9):
        await index.upsert([point("text", version=version, ordinal=n) for n in range(version)])
    await index.upsert([point("text", doc="neighbour", version=1), point("text", tenant="t2", version=3)])
    assert [await index.count("t1", "kb", "doc", version) for version in (3, 5, 9, 4)] == [3, 5, 9, 0]
    assert await index.remove("t1", "kb", "doc", below_or_equal=4) == 3
    assert await index.remove("t1", "kb", "doc", below_or_equal=4) == 0
    assert await index.remove_version("t1", "kb", "doc", 9) == 9
    assert await index.count("t1", "kb", "doc", 5) == 5
    assert await index.remove("t1", "kb", "doc", below_or_equal=100) == 5
    assert await index.count("t1", "kb", "neighbour", 1) == await index.count("t2", "kb", "doc", 3) == 1


ENGLISH_QUESTION = RankedQuestion(frozenset({"leave"}), "en", MULTILINGUAL)


async def test_another_language_has_candidates_of_its_own(index):
    """However many passages in the question's language are nearer; a stored point is in the language of its text."""
    await index.upsert([point(f"Holidays are in part {n}.", doc=f"en{n}", vector=dense(1, n / 100)) for n in range(40)])
    await index.upsert([point("员工每年享有带薪休假。", doc="zh", vector=dense(0.5, 1))])
    asked = query(vector=dense(1), limit=40, candidates=10)
    assert "zh" not in {hit.document_id for hit in await index.search(asked)}
    found = await index.search(replace(asked, question=ENGLISH_QUESTION))
    assert len(found) == 11
    assert "zh" in {hit.document_id for hit in found}


async def test_a_point_without_a_language_is_found(index):
    """As those that an earlier release stored: among those of the question's own language."""
    await index.upsert([point("Holidays.", doc="en"), point("带薪休假。", doc="zh")])
    if isinstance(index, ServerIndex):
        await index._call(lambda client: client.delete_payload(index._collection, ["language"], Filter(), wait=True))
    else:
        ids = (point("Holidays.", doc="en").id, point("带薪休假。", doc="zh").id)
        index._shard.update(UpdateOperation.delete_payload([*ids], ["language"]))
    found = await index.search(replace(query(vector=dense(1)), question=ENGLISH_QUESTION))
    assert {hit.document_id for hit in found} == {"en", "zh"}


async def test_large_versions_stay_exact(index):
    """Versions are log offsets."""
    high = 2**52
    await index.upsert([point("text", version=high), point("text", version=high + 1)])
    assert await index.remove("t1", "kb", "doc", below_or_equal=high) == 1
    assert await index.count("t1", "kb", "doc", high + 1) == 1


async def test_a_text_without_words_is_stored_and_a_query_without_words_uses_the_other_leg(index):
    """An empty leg is left out, not an error."""
    await index.upsert([point("—", doc="dash", vector=dense(0, 1)), point("words", doc="words")])
    assert [hit.document_id for hit in await index.search(query(vector=dense(0, 1), limit=1))] == ["dash"]
    assert [hit.document_id for hit in await index.search(query("words"))] == ["words"]
    assert await index.search(query()) == []


@pytest.mark.parametrize("bad", [np.zeros(3, np.float32), np.full(DIMENSIONS, np.nan, np.float32)])
async def test_a_bad_vector_stores_nothing(index, bad):
    """Checked before the engine sees it, which would store a NaN and rank with it."""
    with pytest.raises(ValueError, match="vector"):
        await index.upsert([point("fine", doc="fine"), point("bad", vector=bad)])
    assert await index.count("t1", "kb", "fine", 1) == 0


async def test_many_at_once(index):
    """Concurrent upserts and searches are all served; limit and candidates hold."""
    documents = [[point(f"word{n} common", doc=f"d{n}", ordinal=m) for m in range(3)] for n in range(150)]
    await asyncio.gather(*(index.upsert(document) for document in documents))
    found = await asyncio.gather(*(index.search(query(f"word{n}", limit=2)) for n in range(150)))
    assert all({hit.document_id for hit in hits} == {f"d{n}"} and len(hits) == 2 for n, hits in enumerate(found))


async def test_a_place_comes_back_as_it_was_and_may_be_missing(index):
    """Also on points that were stored before there were places."""
    place = Locator(page=3, page_last=4, part="report.pdf")
    await index.upsert([point("with a place", ordinal=0, place=place), point("without", ordinal=1)])
    assert {hit.text: hit.place for hit in await index.search(query("place without", vector=dense(1)))} == {
        "with a place": place,
        "without": None,
    }
    assert [hit.place for hit in await index.chunks("t1", "kb", "doc", 1, first=0, limit=2)] == [place, None]
    old = payload_of(point("old"))
    del old["hash"]
    assert "place" not in old
    assert hit_of("x", old).place is None


async def test_chunks_of_a_version_are_read_in_order_and_by_pages(index):
    """Pages by ordinal; nothing of another version, document, shelf or tenant."""
    await index.upsert([point(f"chunk {n}", ordinal=n, version=4) for n in reversed(range(12))])
    await index.upsert([point("other", version=5), point("other", doc="d", version=4), point("other", kb="kb~1", version=4)])
    pages = [await index.chunks("t1", "kb", "doc", 4, first=first, limit=5) for first in (0, 5, 10, 15)]
    assert [[hit.text for hit in page] for page in pages] == [
        [f"chunk {n}" for n in range(first, last)] for first, last in ((0, 5), (5, 10), (10, 12), (15, 15))
    ]
    assert (pages[0][0].score, pages[0][0].bm25, pages[0][0].dense) == (0.0, 0.0, 0.0)
    assert await index.chunks("t2", "kb", "doc", 4, first=0, limit=5) == []


async def test_vectors_are_lent_by_hash_from_any_version(index):
    """Whatever version has a point with the hash; more points than one call reads; nothing of another document."""
    many = [point(f"word{n}", ordinal=n, version=2 + n % 2, vector=dense(0.6, 0.8), chunk_hash=f"h{n}") for n in range(1100)]
    await index.upsert(many)
    await index.upsert([point("the same text", version=3, ordinal=2000, vector=dense(0, 1), chunk_hash="twice")])
    await index.upsert([point("the same text", version=4, ordinal=2000, vector=dense(0, 1), chunk_hash="twice")])
    await index.upsert([point("theirs", doc="neighbour", chunk_hash="theirs"), point("no hash", ordinal=3000)])
    found = await index.vectors_of("t1", "kb", "doc", {f"h{n}" for n in range(1050)} | {"twice", "theirs", "unknown", ""})
    assert found.keys() == {f"h{n}" for n in range(1050)} | {"twice"}
    for n in (0, 1, 1049):
        vector, sparse = found[f"h{n}"].dense, found[f"h{n}"].sparse
        assert vector.dtype == np.float32
        assert vector == pytest.approx(many[n].dense, abs=1e-6)
        assert dict(zip(sparse.indices, sparse.values, strict=True)) == dict(zip(*many[n].sparse, strict=True))
    assert found["twice"].dense == pytest.approx(dense(0, 1), abs=1e-6)
    assert await index.vectors_of("t1", "kb", "doc", ()) == {}
    assert await index.vectors_of("t2", "kb", "doc", {"h1"}) == {}


async def test_a_shelf_goes_as_a_whole_and_alone(index):
    """Every document and version of it, in more than one portion; the same knowledge base's other shelf stays."""
    await index.upsert([point("text", kb="kb~1", doc=f"d{n % 7}", version=n % 3, ordinal=n) for n in range(1300)])
    await index.upsert([point("text"), point("text", tenant="t2", kb="kb~1")])
    assert await index.count_collection("t1", "kb~1") == 1300
    assert await index.remove_collection("t1", "kb~1") == 1300
    assert await index.remove_collection("t1", "kb~1") == 0
    assert [await index.count_collection(*shelf) for shelf in (("t1", "kb~1"), ("t1", "kb"), ("t2", "kb~1"))] == [0, 1, 1]


async def test_the_embedded_index_survives_restarts_and_forbids_a_second_holder(tmp_path, monkeypatch):
    """State survives; the folder belongs to one process; a closed index says so."""
    monkeypatch.setattr("adapters.index.embedded.LOCK_WAIT_S", 0.2)
    first = EmbeddedIndex(tmp_path, model="m", dimensions=DIMENSIONS)
    await first.start()
    await first.upsert([point("kept")])
    second = EmbeddedIndex(tmp_path, model="m", dimensions=DIMENSIONS)
    with pytest.raises(ConfigurationError, match="held by another process"):
        await second.start()
    await second.stop()
    await first.stop()
    with pytest.raises(Unavailable):
        await first.search(query("kept"))
    third = EmbeddedIndex(tmp_path, model="m", dimensions=DIMENSIONS)
    await third.start()
    assert await third.count("t1", "kb", "doc", 1) == 1
    await third.stop()


async def test_another_model_is_another_index(tmp_path):
    """Vectors of two models never meet."""
    assert index_name("a/B 1") != index_name("a/B 2")
    one, two = (EmbeddedIndex(tmp_path, model=model, dimensions=size) for model, size in (("one", 8), ("two", 4)))
    await one.start()
    await two.start()
    await one.upsert([point("text")])
    assert await two.count("t1", "kb", "doc", 1) == 0
    await one.stop()
    await two.stop()


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from adapters.index.embedded import EmbeddedIndex
from tests.support.index_points import point

async def main():
    index = EmbeddedIndex(Path(sys.argv[1]), model="m", dimensions=8)
    await index.start()
    for n in range(20):
        await index.upsert([point("text", doc=f"d{n}", ordinal=m) for m in range(10)])
        if n == 10:
            await index.remove("t1", "kb", "d0", below_or_equal=1)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_was_upserted_survives_kill_nine(tmp_path):
    """Nothing acknowledged is lost and nothing removed comes back, without any flush or close."""
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", KILLED, str(tmp_path)], cwd=Path(__file__).parents[3], check=False, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    index = EmbeddedIndex(tmp_path, model="m", dimensions=DIMENSIONS)
    await index.start()
    assert [await index.count("t1", "kb", f"d{n}", 1) for n in range(20)] == [0] + [10] * 19
    await index.stop()


SECOND = SecondVector(name="second.1", dimensions=2, offset=0.1)


@pytest.fixture(params=["embedded", "server"])
async def encoded_index(request, tmp_path):
    """One with a second vector."""
    if request.param == "server":
        url = os.environ.get("CLAW_TEST_QDRANT_URL")
        if not url:
            pytest.skip("CLAW_TEST_QDRANT_URL is not set")
        settings, name = IndexSettings(url=url), f"test-{uuid.uuid4().hex}"
        made: VectorIndex = ServerIndex(settings, model=name, dimensions=DIMENSIONS, second=SECOND)
    else:
        made = EmbeddedIndex(tmp_path, model="test", dimensions=DIMENSIONS, second=SECOND)
    await made.start()
    yield made
    if isinstance(made, ServerIndex):
        await made._call(lambda client: client.delete_collection(made._collection))
    await made.stop()


def rows(*each: tuple[float, float]) -> np.ndarray:
    return np.array(each, np.float16)


def asked(*, tenant="t1", kbs=("kb",), second=(1.0, 0.0)) -> Query:
    return dataclasses.replace(query(tenant=tenant, kbs=kbs, vector=dense(1)), second=np.array(second, np.float32))


async def test_points_are_found_by_the_second_vector_once_they_have_it(encoded_index):
    """Before, by the first; after, by the best row of the second, on the scale of the first; a question without one finds as before."""
    index = encoded_index
    points = [point("one", doc="a", vector=dense(0.6, 0.8)), point("two", doc="b", vector=dense(0.8, 0.6))]
    await index.upsert(points)
    assert [(hit.document_id, round(hit.dense, 2)) for hit in await index.search(asked())] == [("b", 0.8), ("a", 0.6)]
    assert await index.count_unencoded() == 2
    waiting = {each.id: each for each in await index.find_unencoded(10)}
    assert {(each.tenant, each.collection, each.text) for each in waiting.values()} == {("t1", "kb", "one"), ("t1", "kb", "two")}
    assert await index.add_second({points[0].id: rows((0, 1), (0.75, 0))}) == 1
    assert [(hit.document_id, round(hit.dense, 2)) for hit in await index.search(asked())] == [("a", 0.85), ("b", 0.8)]
    assert [each.id for each in await index.find_unencoded(10)] == [points[1].id]
    assert await index.add_second({points[1].id: rows((0.5, 0))}) == 1
    assert [(hit.document_id, round(hit.dense, 2)) for hit in await index.search(asked())] == [("a", 0.85), ("b", 0.6)]
    assert await index.find_unencoded(10) == []
    assert [(hit.document_id, round(hit.dense, 2)) for hit in await index.search(asked())] == [("a", 0.85), ("b", 0.6)]
    assert [hit.document_id for hit in await index.search(query(vector=dense(1)))] == ["b", "a"]
    await index.upsert([point("three", doc="c", vector=dense(1))])
    assert [hit.document_id for hit in await index.search(asked())] == ["c", "a", "b"]
    assert await index.count_unencoded() == len(await index.find_unencoded(10)) == 1


async def test_a_removed_point_gets_no_second_vector(encoded_index):
    """It was removed while its vector was computed: the others get theirs, and it does not come back."""
    index = encoded_index
    points = [point("kept", doc="a"), point("removed", doc="b")]
    await index.upsert(points)
    assert len(await index.find_unencoded(10)) == 2
    await index.remove("t1", "kb", "b", below_or_equal=1)
    assert await index.add_second({each.id: rows((1, 0)) for each in points}) == 1
    assert [hit.document_id for hit in await index.search(asked())] == ["a"]
    assert await index.count("t1", "kb", "b", 1) == await index.count_unencoded() == 0
    await index.remove("t1", "kb", "a", below_or_equal=1)
    assert await index.search(asked()) == []


async def test_a_point_with_the_text_of_another_takes_its_second_vector(encoded_index):
    """It is not computed again for a new version; one that has none yet lends none."""
    index = encoded_index
    await index.upsert([point("one", ordinal=0, chunk_hash="h0"), point("two", ordinal=1, chunk_hash="h1")])
    first = next(each for each in await index.find_unencoded(10) if each.text == "one")
    await index.add_second({first.id: rows((0.25, 0.5), (1, 0))})
    lent = await index.vectors_of("t1", "kb", "doc", ["h0", "h1"])
    assert lent["h1"].second is None
    assert lent["h0"].second.tolist() == [[0.25, 0.5], [1, 0]]
    again = dataclasses.replace(point("one", version=2, ordinal=0, chunk_hash="h0"), second=lent["h0"].second)
    await index.upsert([again, point("two", version=2, ordinal=1, chunk_hash="h1")])
    await index.remove("t1", "kb", "doc", below_or_equal=1)
    assert [each.text for each in await index.find_unencoded(10)] == ["two"]
    assert next(hit.dense for hit in await index.search(asked()) if hit.text == "one") == pytest.approx(1.1, abs=1e-3)


async def test_walls_hold_for_the_second_vector(encoded_index):
    """Tenants and knowledge bases."""
    index = encoded_index
    await index.upsert([point("one"), point("two", tenant="t2"), point("three", kb="other")])
    await index.add_second({each.id: rows((1, 0)) for each in await index.find_unencoded(10)})
    assert [hit.text for hit in await index.search(asked())] == ["one"]
    assert [hit.text for hit in await index.search(asked(tenant="t2"))] == ["two"]
    assert await index.search(asked(tenant="nobody")) == []


async def test_second_vectors_that_do_not_fit_are_refused(encoded_index):
    (one,) = points = [point("one")]
    await encoded_index.upsert(points)
    for wrong in (np.zeros((1, 3), np.float16), np.zeros(2, np.float16), np.zeros((0, 2), np.float16), rows((float("nan"), 0))):
        with pytest.raises(ValueError, match="second vector"):
            await encoded_index.add_second({one.id: wrong})
    assert await encoded_index.count_unencoded() == 1


async def test_an_index_gets_a_second_vector_and_is_read_without_it(tmp_path):
    """The setting comes, goes and comes again: what was computed is there, and vectors to reuse are the two others."""
    plain = EmbeddedIndex(tmp_path, model="test", dimensions=DIMENSIONS)
    await plain.start()
    one = point("one", chunk_hash="h", vector=dense(0.6, 0.8))
    await plain.upsert([one])
    assert await plain.find_unencoded(10) == []
    await plain.stop()
    for expected in (0.6, 0.5):
        both = EmbeddedIndex(tmp_path, model="test", dimensions=DIMENSIONS, second=SECOND)
        await both.start()
        assert [hit.dense for hit in await both.search(asked())] == [pytest.approx(expected, abs=1e-3)]
        await both.add_second({one.id: rows((0.4, 0))})
        assert set(await both.vectors_of("t1", "kb", "doc", ["h"])) == {"h"}
        await both.stop()
        plain = EmbeddedIndex(tmp_path, model="test", dimensions=DIMENSIONS)
        await plain.start()
        assert [hit.dense for hit in await plain.search(query(vector=dense(1)))] == [pytest.approx(0.6, abs=1e-3)]
        assert await plain.count_unencoded() == 0
        await plain.stop()
