"""Conversations and knowledge bases: read your writes, lost updates, pages, walls between tenants."""

import uuid

import pytest

from api.core import Core
from api.http.ports import HttpPorts
from domain.chats.topics import CHATS_ASKED, CONVERSATIONS_CHANGED
from domain.documents.topics import DOCUMENTS_SUBMITTED
from schemas import ids
from schemas.documents import DocumentSubmitted, DocumentWithdrawn
from tests.support.api_people import colleague
from tests.support.api_process import House, Person
from tests.support.problems import is_problem
from tests.support.reply_speaker import all_events, first_event

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_life_of_a_conversation(house: House, ada: Person):
    """Created, read, changed under its ETag, deleted; every step is on the log."""
    created = await ada.call("POST", "/conversations", json={"title": "Leave", "type": "support"})
    conversation = created.json()
    path = f"/conversations/{conversation['id']}"
    assert created.headers["location"] == f"/api/v1{path}"
    assert created.headers["etag"] == '"1"'
    changed = await ada.call("PATCH", path, json={"title": "Rest", "status": "archived"}, headers={"if-match": '"1"'})
    assert changed.headers["etag"] == '"2"'
    assert (changed.json()["title"], changed.json()["type"], changed.json()["status"]) == ("Rest", "support", "archived")
    is_problem(await ada.call("PATCH", path, json={"title": "x"}, headers={"if-match": '"1"'}), 412, "lost_update")
    is_problem(await ada.call("DELETE", path, headers={"if-match": '"1"'}), 412, "lost_update")
    assert (await ada.call("GET", path)).json() == changed.json()
    assert (await ada.call("DELETE", path, headers={"if-match": '"2"'})).status_code == 204
    is_problem(await ada.call("GET", path), 404, "not_found")
    assert conversation["id"] not in (await ada.call("GET", "/conversations")).text
    event = await first_event(house.settings, CONVERSATIONS_CHANGED, conversation["id"])
    assert event.data.title == "Leave"


async def test_pages(ada: Person):
    """Every record once, the last changed first."""
    made = [await ada.conversation(title=str(number)) for number in range(5)]
    seen, cursor = [], ""
    while True:
        page = (await ada.call("GET", "/conversations", params={"limit": 2, "cursor": cursor})).json()
        assert len(page["items"]) <= 2
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
    assert seen == made[::-1]


async def test_same_key_makes_one(ada: Person):
    key = {"idempotency-key": "k1"}
    first = await ada.call("POST", "/conversations", json={"title": "a"}, headers=key)
    second = await ada.call("POST", "/conversations", json={"title": "a"}, headers=key)
    assert (second.status_code, second.json(), second.headers["etag"]) == (201, first.json(), first.headers["etag"])
    is_problem(await ada.call("POST", "/conversations", json={"title": "b"}, headers=key), 409, "idempotency_conflict")
    assert len((await ada.call("GET", "/conversations")).json()["items"]) == 1


async def test_keys_of_others_are_others(ada: Person, bob: Person):
    key = {"idempotency-key": "shared"}
    assert (await ada.call("POST", "/conversations", json={"title": "a"}, headers=key)).status_code == 201
    answer = await bob.call("POST", "/conversations", json={"title": "b"}, headers=key)
    assert (answer.status_code, answer.json()["title"]) == (201, "b")


async def test_life_of_a_knowledge_base(ada: Person):
    created = await ada.call("POST", "/knowledge", json={"name": "Handbook", "sharing": "tenant"})
    assert created.status_code == 201
    base = created.json()
    path = f"/knowledge/{base['id']}"
    changed = await ada.call("PATCH", path, json={"description": "All of it"}, headers={"if-match": created.headers["etag"]})
    assert (changed.json()["name"], changed.json()["description"], changed.json()["revision"]) == ("Handbook", "All of it", 2)
    is_problem(await ada.call("PATCH", path, json={"name": "x"}, headers={"if-match": '"1"'}), 412, "lost_update")
    conversation = await ada.conversation(knowledge_base_ids=[base["id"]])
    assert (await ada.call("DELETE", path)).status_code == 204
    is_problem(await ada.call("GET", path), 404, "not_found")
    is_problem(await ada.call("POST", "/conversations", json={"knowledge_base_ids": [base["id"]]}), 404, "not_found")
    assert (await ada.call("GET", f"/conversations/{conversation}")).status_code == 200


async def test_default_knowledge_base_stays(ada: Person):
    is_problem(await ada.call("DELETE", f"/knowledge/{ada.base}"), 403, "forbidden")


async def test_knowledge_of_another_tenant_is_not_there(ada: Person, bob: Person):
    base = (await ada.call("POST", "/knowledge", json={"name": "Secret", "sharing": "tenant"})).json()["id"]
    for method, path, body in (
        ("GET", f"/knowledge/{base}", None),
        ("PATCH", f"/knowledge/{base}", {"name": "x"}),
        ("DELETE", f"/knowledge/{base}", None),
        ("GET", f"/knowledge/{base}/documents", None),
        ("POST", f"/knowledge/{base}/documents", {"text": "x"}),
        ("PUT", f"/knowledge/{base}/documents/a", {"text": "x"}),
        ("DELETE", f"/knowledge/{base}/documents/a", None),
        ("POST", "/conversations", {"knowledge_base_ids": [base]}),
    ):
        is_problem(await bob.call(method, path, json=body), 404, "not_found")
    assert base not in (await bob.call("GET", "/knowledge")).text


async def test_sharing_is_explicit_inside_a_tenant(house: House, ada: Person):
    """A private base is not there for a colleague; a shared one is read and searched by them, and changed by its owner alone."""
    eve = await colleague(house, ada)
    private = (await ada.call("POST", "/knowledge", json={"name": "Mine"})).json()["id"]
    shared = (await ada.call("POST", "/knowledge", json={"name": "Ours", "sharing": "tenant"})).json()["id"]
    is_problem(await eve.call("GET", f"/knowledge/{private}"), 404, "not_found")
    assert (await eve.call("GET", f"/knowledge/{shared}")).status_code == 200
    assert [base["id"] for base in (await eve.call("GET", "/knowledge")).json()["items"]] == [shared]
    is_problem(await eve.call("POST", f"/knowledge/{shared}/documents", json={"text": "x"}), 403, "forbidden")
    is_problem(await eve.call("PATCH", f"/knowledge/{shared}", json={"sharing": "private"}), 403, "forbidden")
    conversation = await eve.conversation()
    await eve.call("POST", f"/conversations/{conversation}/messages", json={"content": "x"})
    event = await first_event(house.settings, CHATS_ASKED, conversation)
    assert event.data.knowledge_base_ids == (shared,)
    is_problem(await ada.call("GET", f"/conversations/{conversation}"), 404, "not_found")


async def test_deleting_a_knowledge_base_takes_its_documents_back(house: House, ada: Person):
    base = (await ada.call("POST", "/knowledge", json={"name": "Old"})).json()["id"]
    for name in ("a", "b"):
        assert (await ada.call("PUT", f"/knowledge/{base}/documents/{name}", json={"text": "x"})).status_code == 202
    assert (await ada.call("DELETE", f"/knowledge/{base}")).status_code == 204
    tenant = house.ports(HttpPorts).tokens.read(ada.token, house.ports(Core).clock.now()).tenant
    for name in ("a", "b"):
        key = ids.document_key(tenant, base, name)
        assert [type(event) for event in await all_events(house.settings, DOCUMENTS_SUBMITTED, key, 2)] == [
            DocumentSubmitted,
            DocumentWithdrawn,
        ]


async def test_unknown_ids(ada: Person):
    for path in (f"/conversations/{uuid.uuid4()}", f"/knowledge/{uuid.uuid4()}", f"/knowledge/{uuid.uuid4()}/documents/a"):
        is_problem(await ada.call("GET", path), 404, "not_found")
    assert ids.default_knowledge_base("x") != ada.base


async def test_a_knowledge_base_says_how_many_documents_it_has(house: House, ada: Person):
    path = f"/knowledge/{ada.base}"
    assert (await ada.call("GET", path)).json()["documents"] == 0
    for name in "ab":
        assert (await ada.call("PUT", f"{path}/documents/{name}", json={"text": name})).status_code == 202
    assert (await ada.call("GET", path)).json()["documents"] == 2
    assert [base["documents"] for base in (await ada.call("GET", "/knowledge")).json()["items"] if base["id"] == ada.base] == [2]
