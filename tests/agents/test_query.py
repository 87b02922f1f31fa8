"""What the index is asked for people: of visible versions only, in the active build, before the deadline."""

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from adapters.redis.client import connect
from agents import query
from agents.query import QueryService
from domain.documents.visibility import Visibility
from domain.retrieval.topics import REQUESTS_ANSWERED, REQUESTS_ASKED
from domain.usage.topics import USAGE_RECORDED
from schemas import ids
from schemas.chats import Turn
from schemas.documents import Locator, Shelf
from schemas.errors import Unavailable
from schemas.indexes import IndexPlan
from schemas.requests import EMBED_TEXTS_MAX, Ask, Chunks, Embed, ListChunks, Passages, Request, RequestAsked, Search, Vectors
from schemas.settings import RedisSettings, RetrievalSettings
from tests.support.index_library import Library, Plans, closed_engine, opened_engine
from tests.support.ports import NOW, context, header

LEAVE = "Everybody has 25 days of leave a year."
PAY = "Salaries are paid on the last working day of the month."
TENANT = "acme"


@pytest.fixture
async def library(redis_settings: RedisSettings, tmp_path: Path) -> AsyncIterator[Library]:
    redis = connect(redis_settings)
    engine = await opened_engine(tmp_path / "one")
    yield Library({"": engine}, Visibility(redis, redis_settings.key_prefix), Plans())
    await closed_engine(engine)
    await redis.aclose()


def asked(ask: Ask, *, in_s: float = 5.0) -> RequestAsked:
    request_id = str(uuid.uuid4())
    data = Request(request_id=request_id, reply_partition=3, deadline=NOW + timedelta(seconds=in_s), ask=ask)
    return RequestAsked(data=data, **header(ids.derive(request_id), request_id, TENANT))


async def answer(library: Library, ask: Ask) -> Passages | Chunks:
    """What goes to the partition of whoever asked."""
    event = asked(ask)
    (outgoing,) = await QueryService(library.searching, 4).step(event, context())
    assert (outgoing.topic, outgoing.partition) == (REQUESTS_ANSWERED, 3)
    said = outgoing.event.data
    assert (said.request_id, said.problem, outgoing.event.causationid) == (event.data.request_id, None, event.id)
    assert isinstance(said.result, Passages | Chunks)
    return said.result


async def search(library: Library, query: str, *bases: str, limit: int = 10, **more: Any) -> Passages:
    result = await answer(library, Search(query=query, knowledge_base_ids=bases or ("kb",), limit=limit, **more))
    assert isinstance(result, Passages)
    return result


async def test_passages_have_scores_places_and_keywords(library: Library):
    await library.store(TENANT, "kb", "rules.pdf", 7, LEAVE, PAY, place=Locator(page=3))
    await library.show(TENANT, "kb", "rules.pdf", 7)
    found = await search(library, "How many days of leave?")
    best = found.passages[0]
    assert "leave" in found.keywords
    assert (best.document_id, best.version, best.ordinal, best.text, best.headings) == ("rules.pdf", 7, 0, LEAVE, ("Part",))
    assert (best.place, best.knowledge_base_id) == (Locator(page=3), "kb")
    assert best.bm25 > 0
    assert 0 < best.dense <= 1
    assert best.score >= found.passages[-1].score
    assert (await search(library, "leave", bm25_min=best.bm25 + 100)).passages == ()
    assert {each.ordinal for each in (await search(library, "leave", dense_min=0.0001, limit=1)).passages} == {0}


async def test_a_follow_up_finds_what_its_history_is_about(library: Library):
    """It is made to stand alone, and the answer says how it was searched for."""
    await library.add(TENANT, "kb", "tower", 1, "The lighthouse of Amrum was built in 1875.")
    await library.add(TENANT, "kb", "bridge", 1, "The bridge was built in 1911. When it was built nobody crossed it.")
    history = (Turn("user", "Where is the lighthouse of Amrum?"), Turn("assistant", "On an island."))
    asked_alone = await search(library, "When was it built?")
    found = await search(library, "When was it built?", history=history)
    assert (asked_alone.passages[0].document_id, asked_alone.query) == ("bridge", "")
    assert found.passages[0].document_id == "tower"
    assert found.query == "lighthouse Amrum When was it built?"
    assert "Amrum" in found.keywords


async def test_walls(library: Library):
    """Other tenants and other knowledge bases are not there."""
    await library.add("other", "kb", "a", 1, LEAVE)
    await library.add(TENANT, "kb2", "b", 1, LEAVE)
    assert (await search(library, "leave")).passages == ()
    assert [each.document_id for each in (await search(library, "leave", "kb", "kb2")).passages] == ["b"]


async def test_only_the_visible_version(library: Library):
    """Not the one being stored, not the one before, not a deleted one."""
    key = ids.document_key(TENANT, "kb", "a")
    await library.add(TENANT, "kb", "a", 1, LEAVE)
    await library.store(TENANT, "kb", "a", 2, LEAVE + " Even more.")
    assert [each.version for each in (await search(library, "leave")).passages] == [1]
    await library.show(TENANT, "kb", "a", 2)
    assert [each.version for each in (await search(library, "leave")).passages] == [2]
    await library.visibility.record_withdrawal(key, 3)
    assert (await search(library, "leave")).passages == ()


async def test_a_version_on_its_way_does_not_crowd_out_the_others(library: Library):
    """Its points fill all places of the first look; the second one goes deeper."""
    library.candidates = 5
    await library.add(TENANT, "kb", "quiet", 1, "The canteen is open; leave is another matter.")
    await library.store(TENANT, "kb", "loud", 2, *(f"Leave, leave and leave: rule {n}." for n in range(9)))
    assert [each.document_id for each in (await search(library, "leave", limit=5)).passages] == ["quiet"]


async def test_the_active_build_is_searched(library: Library):
    """Under its own name in the index; what is found belongs to the knowledge base."""
    shelf = Shelf(generation=2)
    await library.add(TENANT, "kb", "a", 1, "leave in the old build")
    await library.store(TENANT, "kb", "a", 1, "leave in the new build", shelf=shelf)
    assert [each.text for each in (await search(library, "leave")).passages] == ["leave in the old build"]
    library.plans.known[TENANT, "kb"] = IndexPlan(tenant=TENANT, knowledge_base_id="kb", active=shelf)
    (only,) = (await search(library, "leave")).passages
    assert (only.text, only.knowledge_base_id) == ("leave in the new build", "kb")
    listed = await answer(library, ListChunks(knowledge_base_id="kb", document_id="a", version=1, first=0, limit=5))
    assert isinstance(listed, Chunks)
    assert [each.text for each in listed.chunks] == ["leave in the new build"]


async def test_builds_of_different_embeddings_are_searched_together(library: Library, tmp_path: Path):
    engine = library.engines["local"] = await opened_engine(tmp_path / "two")
    shelf = Shelf(generation=1, embedding="local")
    await library.add(TENANT, "kb", "a", 1, LEAVE)
    await library.store(TENANT, "kb2", "b", 1, LEAVE, PAY, shelf=shelf)
    await library.show(TENANT, "kb2", "b", 1)
    library.plans.known[TENANT, "kb2"] = IndexPlan(tenant=TENANT, knowledge_base_id="kb2", active=shelf)
    found = await search(library, "How many days of leave?", "kb", "kb2")
    assert {(each.knowledge_base_id, each.document_id) for each in found.passages[:2]} == {("kb", "a"), ("kb2", "b")}
    assert len({each.chunk_id for each in found.passages}) == len(found.passages)
    await closed_engine(engine)


async def test_chunks_by_page(library: Library):
    texts = [f"Paragraph {n} of the rules." for n in range(5)]
    await library.add(TENANT, "kb", "a", 4, *texts)
    ask = ListChunks(knowledge_base_id="kb", document_id="a", version=4, first=0, limit=3)
    first = await answer(library, ask)
    rest = await answer(library, msgspec.structs.replace(ask, first=3))
    assert isinstance(first, Chunks)
    assert isinstance(rest, Chunks)
    assert [each.text for each in (*first.chunks, *rest.chunks)] == texts
    assert (first.more, rest.more, first.visible) == (True, False, 4)
    assert all(each.tokens > 0 for each in first.chunks)


async def test_chunks_of_a_version_that_is_not_seen(library: Library):
    """The answer says which one is."""
    await library.add(TENANT, "kb", "a", 4, LEAVE)
    ask = ListChunks(knowledge_base_id="kb", document_id="a", version=3, first=0, limit=3)
    assert await answer(library, ask) == Chunks(visible=4)
    assert await answer(library, msgspec.structs.replace(ask, document_id="b")) == Chunks(visible=None)


async def test_answers_stay_within_a_record(library: Library, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(query, "ANSWER_BYTES_MAX", 60)
    await library.add(TENANT, "kb", "a", 4, LEAVE, LEAVE, LEAVE)
    listed = await answer(library, ListChunks(knowledge_base_id="kb", document_id="a", version=4, first=0, limit=3))
    assert isinstance(listed, Chunks)
    assert (len(listed.chunks), listed.more) == (1, True)
    assert len((await search(library, "leave")).passages) == 1


async def test_nobody_waits_any_more(library: Library):
    event = asked(Search(query="leave", knowledge_base_ids=("kb",), limit=1), in_s=0)
    assert await QueryService(library.searching, 4).step(event, context()) == []


async def test_failures_are_told(library: Library):
    event = asked(Search(query="leave", knowledge_base_ids=("kb",), limit=1))
    agent = QueryService(library.searching, 4).agent()
    assert agent.reads == (REQUESTS_ASKED,)
    assert agent.failed is not None
    problem = Unavailable("index_unavailable", "gone").problem()
    (outgoing,) = await agent.failed(event, problem, context())
    assert outgoing.partition == 3
    assert (outgoing.event.data.problem, outgoing.event.data.result) == (problem, None)


async def test_vectors_are_those_of_the_index_and_are_charged(library: Library):
    event = asked(Embed(texts=(LEAVE, PAY), user_id="u", api_key_id="k"))
    told, charged = await QueryService(library.searching, 4).step(event, context())
    result = told.event.data.result
    assert isinstance(result, Vectors)
    expected = await library.engines[""].encoder.embed((LEAVE, PAY))
    assert (np.frombuffer(result.values, "<f4").reshape(2, result.dimensions) == expected).all()
    assert result.model == library.engines[""].encoder.embedding_name
    spent = charged.event.data
    assert (charged.topic, charged.event.subject) == (USAGE_RECORDED, "u")
    assert (spent.purpose, spent.model, spent.prompt_tokens, spent.estimated) == ("embedding", result.model, result.tokens, True)
    assert (spent.reply_id, spent.api_key_id) == (event.data.request_id, "k")
    _, again = await QueryService(library.searching, 4).step(event, context())
    assert again.event.id == charged.event.id  # a repeat is charged once


async def test_the_largest_answer_with_vectors_fits_a_record():
    """By the settings' own bound on dimensions."""
    dimensions = next(field for field in msgspec.structs.fields(RetrievalSettings) if field.name == "embedding_dimensions").type
    (meta,) = [part for part in dimensions.__metadata__ if part.le is not None]
    vectors = Vectors(model="m" * 100, dimensions=meta.le, values=bytes(meta.le * 4 * EMBED_TEXTS_MAX), tokens=10**6)
    assert len(msgspec.json.encode(vectors)) < 1_000_000
