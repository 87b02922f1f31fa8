"""The cache through the API: the index is asked once, nothing is served that is no longer true, and admins see all of it."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from api.core import Core
from api.knowledge.ports import KnowledgePorts
from tests.support.api_people import key_of, promoted, tenant_of
from tests.support.api_process import House, Person, opened, read_metrics
from tests.support.index_library import Library
from tests.support.problems import is_problem
from tests.support.query_agent import working

pytestmark = pytest.mark.asyncio(loop_scope="session")
CLIENTS = 20
VERSIONS = 8


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def library(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Library]:
    async with working(house, tmp_path_factory.mktemp("index")) as at_work:
        yield at_work


@pytest.fixture
def asked(house: House, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the index was asked."""
    asked: list[object] = []
    ask = house.ports(KnowledgePorts).index_client.ask

    async def counted(what: Any, **words: Any) -> Any:
        asked.append(what)
        return await ask(what, **words)

    monkeypatch.setattr(house.ports(KnowledgePorts).index_client, "ask", counted)
    return asked


async def search(person: Person, query: str, house: House | None = None) -> list[dict[str, Any]]:
    client = (house or person.house).client
    answer = await client.post(f"/api/v1/knowledge/{person.base}/search", headers=person.headers, json={"query": query})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["passages"])


async def test_a_search_is_asked_once_until_something_changes(house: House, ada: Person, library: Library, asked: list[object]):
    tenant = tenant_of(ada)
    await library.add(tenant, ada.base, "a", 1, "The lighthouse is red.")
    first = await search(ada, "lighthouse")
    assert await search(ada, "lighthouse") == first
    assert len(asked) == 1
    await library.add(tenant, ada.base, "b", 2, "Another lighthouse is blue.")
    assert {each["document_id"] for each in await search(ada, "lighthouse")} == {"a", "b"}
    await house.ports(Core).visibility.record_withdrawal(key_of(house, ada, "b"), 3)
    assert {each["document_id"] for each in await search(ada, "lighthouse")} == {"a"}


async def test_a_page_of_a_document_is_asked_once_per_version(house: House, ada: Person, library: Library, asked: list[object]):
    tenant, path = tenant_of(ada), f"/knowledge/{ada.base}/documents/a/chunks"
    await library.add(tenant, ada.base, "a", 1, "One.", "Two.")
    pages = [(await ada.call("GET", path, params={"limit": 1})).json() for _ in range(3)]
    assert pages[0] == pages[1] == pages[2]
    assert len(asked) == 1
    await house.ports(Core).visibility.record_withdrawal(key_of(house, ada, "a"), 2)
    is_problem(await ada.call("GET", path, params={"limit": 1}), 404, "not_found")
    is_problem(await ada.call("GET", path, params={"limit": 1, "cursor": pages[0]["next_cursor"]}), 412, "lost_update")


async def test_from_its_change_on_no_replica_finds_the_old_text(house: House, ada: Person, library: Library):
    """Twenty clients search on two replicas while versions come; who asks after a version was acknowledged finds it or a newer one."""
    tenant, acknowledged, over, seen = tenant_of(ada), 0, False, 0
    await library.add(tenant, ada.base, "price", 0, "The crossing costs number 0 euros.")

    async def client(replica: House) -> None:
        nonlocal seen
        while not over:
            known = acknowledged
            for passage in await search(ada, "What does the crossing cost?", replica):
                said = re.search(r"number (\d+)", passage["text"])
                assert said is not None
                assert int(said[1]) >= known
                seen += 1

    async with opened(house.settings) as other, asyncio.TaskGroup() as group:
        for n in range(CLIENTS):
            group.create_task(client((house, other)[n % 2]))
        for version in range(1, VERSIONS + 1):
            await library.add(tenant, ada.base, "price", version, f"The crossing costs number {version} euros.")
            acknowledged = version
            before = seen
            while seen < before + CLIENTS:
                await asyncio.sleep(0.01)
        over = True


async def test_admins_see_how_much_it_helps(house: House, ada: Person, library: Library):
    tenant = await promoted(house, ada)
    await library.add(tenant, ada.base, "a", 1, "The lighthouse is red.")
    for _ in range(4):
        await search(ada, "lighthouse")
    await ada.call("GET", "/conversations")
    stats = (await ada.call("GET", "/cache/stats")).json()
    by_name = {item["name"]: item for item in stats["items"]}
    assert (by_name["retrieval"]["hit"], by_name["retrieval"]["miss"], by_name["retrieval"]["hit_rate"]) == (3, 1, 0.75)
    assert by_name["retrieval"]["entries"] == 1
    assert by_name["user_conversations"]["miss"] == 1
    assert by_name["embeddings"]["hit_rate"] is None
    scenarios = {item["name"]: item for item in (await ada.call("GET", "/cache/scenarios")).json()["items"]}
    assert (scenarios["ai_response"]["served_by"], scenarios["ai_response"]["life_s"]) == ("cache", 86_400)
    assert (scenarios["user_profile"]["served_by"], scenarios["user_profile"]["life_s"]) == ("table", None)
    health = (await ada.call("GET", "/cache/health")).json()
    assert (health["status"], health["entries"]["retrieval"]) == ("up", 1)
    assert 'claw_cache_lookups_total{outcome="hit",scenario="retrieval"}' in await read_metrics(house)


async def test_admins_list_and_take_back_their_own(house: House, ada: Person, bob: Person, library: Library, asked: list[object]):
    """Entry by entry, by prefix, by scenario, by tag; another tenant's stay."""
    for person in (ada, bob):
        tenant = await promoted(house, person)
        await library.add(tenant, person.base, "a", 1, "The lighthouse is red.", "It is high.")
        for query in ("lighthouse", "red", "high"):
            await search(person, query)
        await person.call("GET", f"/knowledge/{person.base}/documents/a/chunks")
    keys = await listed(ada, limit=1)
    assert keys == sorted(keys, key=lambda key: (key.split("/")[0] != "document_content", key))
    assert [key.split("/")[:2] for key in keys] == [["document_content", ada.base]] + 3 * [["retrieval", ada.base]]
    assert await listed(ada, prefix=f"retrieval/{ada.base}/") == keys[1:]
    assert await listed(ada, prefix="retrieval/nothing") == []
    assert (await ada.call("DELETE", f"/cache/keys/{keys[1]}")).status_code == 204
    is_problem(await ada.call("DELETE", f"/cache/keys/{keys[1]}"), 404, "not_found")
    assert await listed(ada) == [keys[0], *keys[2:]]
    assert await taken_back(ada, prefix=f"document_content/{ada.base}/") == 1
    assert await taken_back(ada, tag=f"kb/{ada.base}") is None
    asked.clear()
    for query in ("lighthouse", "red", "high"):
        await search(ada, query)
    assert len(asked) == 3
    assert await taken_back(ada, scenario="retrieval") is None
    await search(ada, "red")
    assert len(asked) == 4
    for query in ("lighthouse", "red", "high"):
        await search(bob, query)
    assert len(asked) == 4


async def listed(person: Person, **query: Any) -> list[str]:
    """All keys, page by page."""
    found: list[str] = []
    while True:
        answer = await person.call("GET", "/cache/keys", params=query)
        assert answer.status_code == 200, answer.text
        found += [item["key"] for item in answer.json()["items"]]
        query["cursor"] = answer.json()["next_cursor"]
        if query["cursor"] is None:
            return found


async def taken_back(person: Person, **what: str) -> int | None:
    answer = await person.call("POST", "/cache/invalidate", json=what)
    assert answer.status_code == 200, answer.text
    entries: int | None = answer.json()["entries"]
    return entries


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "scenario"),
        ({"tag": "a", "scenario": "retrieval"}, "scenario"),
        ({"scenario": "everything"}, "scenario"),
        ({"scenario": "user_profile"}, "scenario"),
        ({"prefix": "retrieval"}, "prefix"),
        ({"prefix": "user_profile/x"}, "prefix"),
        ({"prefix": ""}, "prefix"),
    ],
)
async def test_what_is_no_invalidation(house: House, ada: Person, body: dict[str, str], field: str):
    await promoted(house, ada)
    problem = is_problem(await ada.call("POST", "/cache/invalidate", json=body), 422, "validation_failed")
    assert problem["errors"][0]["field"] == field
    is_problem(await ada.call("GET", "/cache/keys", params={"prefix": "x"}), 422, "validation_failed")
    is_problem(await ada.call("GET", "/cache/keys", params={"cursor": "x"}), 422, "validation_failed")
    is_problem(await ada.call("DELETE", "/cache/keys/x"), 422, "validation_failed")


async def test_nobody_else_sees_it(house: House, ada: Person):
    routes = [("GET", f"/cache/{what}") for what in ("stats", "scenarios", "keys", "health", f"warmup/{uuid.uuid4()}")]
    routes += [("DELETE", "/cache/keys/retrieval/x"), ("POST", "/cache/invalidate"), ("POST", "/cache/warmup")]
    for method, path in routes:
        is_problem(await ada.call(method, path, json={"scenario": "retrieval"}), 403, "forbidden")
        assert (await house.client.request(method, f"/api/v1{path}")).status_code == 401


async def warmed(person: Person, body: dict[str, Any]) -> dict[str, Any]:
    """Its last report."""
    answer = await person.call("POST", "/cache/warmup", json=body)
    assert answer.status_code == 202, answer.text
    async with asyncio.timeout(20):
        while (view := (await person.call("GET", answer.headers["location"].removeprefix("/api/v1"))).json())["state"] == "running":
            await asyncio.sleep(0.02)
    return dict(view)


async def test_a_warm_up_asks_before_anybody_waits(house: House, ada: Person, bob: Person, library: Library, asked: list[object]):
    """From a list, or from what was used within the hour; its progress can be followed, by its tenant only."""
    tenant = await promoted(house, ada)
    await library.add(tenant, ada.base, "a", 1, "The lighthouse is red.")
    searches = [{"query": query, "knowledge_base_ids": [ada.base]} for query in ("lighthouse", "red")]
    view = await warmed(ada, {"scenario": "retrieval", "searches": searches})
    assert (view["state"], view["total"], view["done"], view["failed"]) == ("done", 2, 2, 0)
    asked.clear()
    assert await search(ada, "lighthouse")
    assert asked == []
    await taken_back(ada, scenario="retrieval")
    view = await warmed(ada, {"scenario": "retrieval"})
    assert (view["total"], view["done"]) == (2, 2)
    asked.clear()
    await search(ada, "red")
    assert asked == []
    documents = [{"knowledge_base_id": ada.base, "document_id": name} for name in ("a", "none")]
    view = await warmed(ada, {"scenario": "document_content", "documents": documents})
    assert (view["state"], view["done"], view["failed"]) == ("done", 1, 1)
    asked.clear()
    assert (await ada.call("GET", f"/knowledge/{ada.base}/documents/a/chunks")).json()["items"]
    assert asked == []
    await promoted(house, bob)
    is_problem(await bob.call("GET", f"/cache/warmup/{view['id']}"), 404, "not_found")
    is_problem(await ada.call("POST", "/cache/warmup", json={"scenario": "ai_response"}), 422, "validation_failed")
    lock = f"{house.settings.redis.key_prefix}:cache-warmup:{{{tenant}}}"
    await house.ports(Core).redis.execute_command("SET", lock, "another", "EX", 60)
    is_problem(await ada.call("POST", "/cache/warmup", json={"scenario": "retrieval"}), 409, "warmup_running")
    await house.ports(Core).redis.execute_command("DEL", lock)
