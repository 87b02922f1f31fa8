"""Search and chunks through the API: over the log to a real index and back, only what the caller may see."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from api.core import Core
from api.knowledge.ports import KnowledgePorts
from domain.retrieval import index_client
from schemas.documents import Locator
from schemas.errors import Refused, Unavailable
from schemas.requests import Answer, Search
from tests.support.api_people import key_of, tenant_of
from tests.support.api_process import House, Person
from tests.support.index_library import Library
from tests.support.problems import is_problem
from tests.support.query_agent import working

pytestmark = pytest.mark.asyncio(loop_scope="session")
LEAVE = "Everybody has 25 days of leave a year."


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def library(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Library]:
    async with working(house, tmp_path_factory.mktemp("index")) as at_work:
        yield at_work


async def test_search(house: House, ada: Person, library: Library):
    tenant = tenant_of(ada)
    await library.store(tenant, ada.base, "rules.pdf", 7, LEAVE, "Salaries are paid monthly.", place=Locator(page=3))
    await library.show(tenant, ada.base, "rules.pdf", 7)
    answer = await ada.call("POST", f"/knowledge/{ada.base}/search", json={"query": "days of leave", "limit": 1})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["query"] == "days of leave"
    assert "leave" in body["keywords"]
    (passage,) = body["passages"]
    assert (passage["document_id"], passage["version"], passage["text"], passage["ordinal"]) == ("rules.pdf", 7, LEAVE, 0)
    assert (passage["locator"], passage["place"]) == ("p. 3 > Part", {"page": 3})
    assert passage["bm25"] > 0
    assert passage["dense"] > 0
    assert house.ports(KnowledgePorts).index_client.open_count == 0


async def test_search_in_several(house: House, ada: Person, library: Library):
    """Chosen ones, or all one sees."""
    tenant = tenant_of(ada)
    other = (await ada.call("POST", "/knowledge", json={"name": "other"})).json()["id"]
    await library.add(tenant, ada.base, "a", 1, LEAVE)
    await library.add(tenant, other, "b", 1, LEAVE)

    async def found(**body: object) -> set[str]:
        answer = await ada.call("POST", "/knowledge/search", json={"query": "leave"} | body)
        assert answer.status_code == 200, answer.text
        return {passage["document_id"] for passage in answer.json()["passages"]}

    assert await found() == {"a", "b"}
    assert await found(knowledge_base_ids=[other]) == {"b"}


async def test_chunks_by_cursor(house: House, ada: Person, library: Library):
    texts = [f"Paragraph {n}." for n in range(5)]
    await library.add(tenant_of(ada), ada.base, "a", 3, *texts)
    path = f"/knowledge/{ada.base}/documents/a/chunks"
    first = (await ada.call("GET", path, params={"limit": 3})).json()
    assert (first["version"], first["document_id"], [item["text"] for item in first["items"]]) == (3, "a", texts[:3])
    assert all(item["tokens"] and item["locator"] == "Part" and item["headings"] == ["Part"] for item in first["items"])
    rest = (await ada.call("GET", path, params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [item["text"] for item in rest["items"]] == texts[3:]
    assert rest["next_cursor"] is None
    await library.add(tenant_of(ada), ada.base, "a", 4, "New.")
    is_problem(await ada.call("GET", path, params={"limit": 3, "cursor": first["next_cursor"]}), 412, "lost_update")
    is_problem(await ada.call("GET", path, params={"cursor": "nonsense"}), 422, "validation_failed")


async def test_chunks_of_what_nobody_sees_yet(ada: Person):
    await ada.call("PUT", f"/knowledge/{ada.base}/documents/new", json={"text": "x"})
    answer = await ada.call("GET", f"/knowledge/{ada.base}/documents/new/chunks")
    assert (answer.status_code, answer.json()["version"], answer.json()["items"]) == (200, None, [])
    is_problem(await ada.call("GET", f"/knowledge/{ada.base}/documents/none/chunks"), 404, "not_found")


async def test_walls(house: House, ada: Person, bob: Person, library: Library):
    """Another tenant's knowledge base is not there, whatever is asked of it; nor one that nobody shared."""
    await library.add(tenant_of(ada), ada.base, "a", 1, LEAVE)
    query = {"query": "leave"}
    is_problem(await bob.call("POST", f"/knowledge/{ada.base}/search", json=query), 404, "not_found")
    is_problem(await bob.call("POST", "/knowledge/search", json=query | {"knowledge_base_ids": [ada.base]}), 404, "not_found")
    is_problem(await bob.call("GET", f"/knowledge/{ada.base}/documents/a/chunks"), 404, "not_found")
    assert (await bob.call("POST", "/knowledge/search", json=query)).json()["passages"] == []


async def test_what_is_taken_back_on_the_way_is_not_shown(house: House, ada: Person, library: Library, monkeypatch: pytest.MonkeyPatch):
    tenant = tenant_of(ada)
    await library.add(tenant, ada.base, "a", 1, LEAVE)
    ask = house.ports(KnowledgePorts).index_client.ask

    async def slow(*args: object, **words: object) -> object:
        found = await ask(*args, **words)  # type: ignore[arg-type]
        await house.ports(Core).visibility.record_withdrawal(key_of(house, ada, "a"), 2)
        return found

    monkeypatch.setattr(house.ports(KnowledgePorts).index_client, "ask", slow)
    assert (await ada.call("POST", f"/knowledge/{ada.base}/search", json={"query": "leave"})).json()["passages"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"query": ""}, "query"),
        ({"query": " \n"}, "query"),
        ({"query": "x" * 8_001}, "query"),
        ({"limit": 0}, "limit"),
        ({"limit": 51}, "limit"),
        ({"dense_min": 1.5}, "dense_min"),
        ({"tenant": "other"}, "tenant"),
    ],
)
async def test_what_is_no_search(ada: Person, change: dict[str, object], field: str):
    answer = await ada.call("POST", f"/knowledge/{ada.base}/search", json={"query": "x"} | change)
    problem = is_problem(answer, 422, "validation_failed")
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_nobody_answers(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch):
    """503 with a time to come back, and nothing left behind."""
    monkeypatch.setattr(house.ports(KnowledgePorts).index_client._requests._tail, "_take", lambda *_: None)
    monkeypatch.setattr(index_client.IndexClient.ask, "__kwdefaults__", {"timeout_s": 0.3})
    answer = await ada.call("POST", f"/knowledge/{ada.base}/search", json={"query": "x"})
    is_problem(answer, 503, "index_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert house.ports(KnowledgePorts).index_client.open_count == 0


async def test_who_leaves_is_forgotten(house: House, monkeypatch: pytest.MonkeyPatch):
    """A cancelled question leaves nothing behind."""
    monkeypatch.setattr(house.ports(KnowledgePorts).index_client._requests._tail, "_take", lambda *_: None)
    asking = asyncio.create_task(
        house.ports(KnowledgePorts).index_client.ask(
            Search(query="x", knowledge_base_ids=(), limit=1), request_id=str(uuid.uuid4()), tenant="t", traceparent=""
        )
    )
    await asyncio.sleep(0.05)
    assert house.ports(KnowledgePorts).index_client.open_count == 1
    asking.cancel()
    await asyncio.wait([asking])
    assert house.ports(KnowledgePorts).index_client.open_count == 0


async def test_problems_of_agents_are_raised_as_what_they_are():
    with pytest.raises(Unavailable) as outage:
        index_client._result(Answer(request_id="r", problem=Unavailable("index_unavailable", "gone", retry_after_s=7).problem()))
    assert (outage.value.code, outage.value.retry_after_s) == ("index_unavailable", 7)
    with pytest.raises(Refused) as refusal:
        index_client._result(Answer(request_id="r", problem=Refused("validation_failed", "no").problem()))
    assert refusal.value.code == "validation_failed"
