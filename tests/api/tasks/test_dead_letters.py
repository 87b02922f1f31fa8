"""Dead letters over HTTP: admins, of their own tenant, and nobody else."""

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from api.core import Core
from domain.accounts.topics import CREDENTIALS_CHANGED
from domain.documents.topics import DOCUMENTS_SUBMITTED, inbox_topic
from ops.commands import topics as administration
from schemas import ids
from schemas.errors import ClawError
from streams.dead_letters.writer import dead_letter_headers, write_dead_letter
from streams.log.delivery import Delivery
from streams.log.outgoing import LogOffset
from tests.support.api_people import promoted
from tests.support.api_process import House, Person

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]


async def buried(house: House, topic: str, key: bytes | None, value: bytes | None, **headers: bytes) -> str:
    prefix = house.settings.kafka.topic_prefix
    delivery = Delivery(LogOffset(prefix + topic, 0, 5), key, value, int(datetime.now(UTC).timestamp() * 1000), headers)
    problem = ClawError("data.text: too long", code="document_too_large").problem()
    said = dead_letter_headers(delivery, agent="admit", problem=problem, error="Refused", attempts=1, traceparent="")
    place = await write_dead_letter(house.ports(Core).publisher, prefix, delivery, said)
    return f"{place.partition}-{place.offset}"


async def listed(person: Person, query: str = "") -> list[dict[str, Any]]:
    answer = await person.call("GET", f"/tasks/dead-letters{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_admins_see_the_letters_of_their_tenant(house: House, ada: Person, bob: Person, dead_letters: None) -> None:
    """Newest first, page by page, with all that is known and not the content; another tenant's are not there."""
    tenant, other = await promoted(house, ada), await promoted(house, bob)
    mine = [await buried(house, inbox_topic(tenant).name, b"k", b"x" * n) for n in range(3)]
    theirs = await buried(house, inbox_topic(other).name, b"k", b"x")
    items = await listed(ada)
    assert [item["id"] for item in items] == mine[::-1]
    first = items[0]
    assert (first["topic"], first["partition"], first["offset"], first["key"]) == (inbox_topic(tenant).name, 0, 5, "k")
    assert (first["agent"], first["code"], first["detail"], first["attempts"]) == ("admit", "document_too_large", "data.text: too long", 1)
    assert first["bytes"] == 2
    assert first["redriven_at"] is None
    assert first["content"] is None
    page = (await ada.call("GET", "/tasks/dead-letters?limit=2")).json()
    rest = (await ada.call("GET", f"/tasks/dead-letters?limit=2&cursor={page['next_cursor']}")).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == mine[::-1]
    assert await listed(ada, "?code=event_malformed") == []
    assert len(await listed(ada, f"?topic={inbox_topic(tenant).name}&code=document_too_large")) == 3
    assert (await ada.call("POST", f"/tasks/dead-letters/{theirs}/redrive")).status_code == 404
    assert (await ada.call("POST", "/tasks/dead-letters/0-99999/redrive")).status_code == 404
    assert (await ada.call("POST", "/tasks/dead-letters/nonsense/redrive")).status_code == 404
    assert (await ada.call("GET", "/tasks/dead-letters?cursor=nonsense")).status_code == 422


async def test_nobody_else_does(house: House, ada: Person, dead_letters: None) -> None:
    """Neither people without the role nor a key without the scope."""
    letter = await buried(house, inbox_topic("default").name, b"k", b"x")
    for method, path in (("GET", "/tasks/dead-letters"), ("POST", f"/tasks/dead-letters/{letter}/redrive")):
        assert (await ada.call(method, path)).status_code == 403
        assert (await house.client.request(method, f"/api/v1{path}")).status_code == 401
    boss = await house.person()
    await promoted(house, boss)
    for scopes, status in ((["chat", "knowledge:write"], 403), (["ops"], 200)):
        key = (await boss.call("POST", "/api-keys", json={"name": "k", "scopes": scopes})).json()["key"]
        answer = await house.client.get("/api/v1/tasks/dead-letters", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == status, answer.text


async def test_the_content_when_it_is_asked_for(house: House, ada: Person, dead_letters: None) -> None:
    """Text as text, bytes as base64, no value as none, a long one cut; never that of a topic of credentials."""
    tenant = await promoted(house, ada)
    name = inbox_topic(tenant).name
    await buried(house, name, b"k", "正文".encode(), ce_id=b"1")
    await buried(house, name, b"k", b"\xff\x00")
    await buried(house, name, b"k", None)
    await buried(house, name, b"k", "字".encode() * 30_000)
    await buried(house, CREDENTIALS_CHANGED.name, b"k", msgspec.json.encode({"tenant": tenant, "data": {"secret_hash": "s"}}))
    secret, long, none, binary, text = [item["content"] for item in await listed(ada, "?content=true")]
    assert secret is None
    assert long["truncated"]
    assert set(long["text"]) == {"字"}
    assert (none["null"], none["text"]) == (True, "")
    assert base64.b64decode(binary["base64"]) == b"\xff\x00"
    assert (text["text"], text["headers"], text["null"]) == ("正文", {"ce_id": "1"}, False)


async def test_one_is_sent_again_once(house: House, ada: Person, dead_letters: None) -> None:
    tenant = await promoted(house, ada)
    base = ids.default_knowledge_base(tenant)
    key = ids.document_key(tenant, base, "d")
    await administration.apply(house.settings.kafka, (inbox_topic(tenant),))
    try:
        letter = await buried(house, inbox_topic(tenant).name, b"d", b"not json")
        done = await ada.call("POST", f"/tasks/dead-letters/{letter}/redrive")
        assert done.status_code == 200, done.text
        assert (done.json()["outcome"], done.json()["partition"], done.json()["offset"]) == ("redriven", 0, 0)
        assert (await listed(ada))[0]["redriven_at"]
        again = (await ada.call("POST", f"/tasks/dead-letters/{letter}/redrive")).json()
        assert (again["outcome"], again["offset"]) == ("already_redriven", None)
        late = await buried(house, DOCUMENTS_SUBMITTED.name, key.encode(), b"{}")
        await house.ports(Core).visibility.record_submission(key, 900)
        answer = (await ada.call("POST", f"/tasks/dead-letters/{late}/redrive")).json()
        assert answer["outcome"] == "superseded"
        assert "900" in answer["detail"]
    finally:
        await administration.delete(house.settings.kafka, (inbox_topic(tenant),))


async def test_they_are_grouped_and_sent_again_together(house: House, ada: Person, bob: Person, dead_letters: None) -> None:
    """By cause; a dry run counts the outcomes and sends nothing; each is sent once, as many as are asked for; another tenant's are not."""
    tenant, other = await promoted(house, ada), await promoted(house, bob)
    name = inbox_topic(tenant).name
    await administration.apply(house.settings.kafka, (inbox_topic(tenant), inbox_topic(other)))
    try:
        written = [await buried(house, name, f"k{n}".encode(), b"not json") for n in range(3)]
        await buried(house, inbox_topic(other).name, b"k", b"not json")
        gone = await buried(house, "claw.inbox.nobody.v1", f"{tenant}/x".encode(), msgspec.json.encode({"tenant": tenant}))
        found = (await ada.call("GET", "/tasks/dead-letters/groups")).json()
        (group,) = [each for each in found["groups"] if each["topic"] == name]
        assert (group["code"], group["agent"], group["letters"], group["redriven"]) == ("document_too_large", "admit", 3, 0)
        assert (group["examples"], found["complete"]) == (written[::-1], True)
        assert gone not in group["examples"]
        body = {"topic": name, "code": "document_too_large"}
        dry = (await ada.call("POST", "/tasks/dead-letters/redrive", json=body | {"dry_run": True})).json()
        assert (dry["matched"], dry["outcomes"], dry["remaining"]) == (3, {"redriven": 3}, 0)
        some = (await ada.call("POST", "/tasks/dead-letters/redrive", json=body | {"limit": 2})).json()
        assert (some["outcomes"], some["remaining"]) == ({"redriven": 2}, 1)
        rest = (await ada.call("POST", "/tasks/dead-letters/redrive", json=body)).json()
        assert (rest["outcomes"], rest["remaining"]) == ({"already_redriven": 2, "redriven": 1}, 0)
        found = (await ada.call("GET", f"/tasks/dead-letters/groups?topic={name}")).json()
        assert [each["redriven"] for each in found["groups"]] == [3]
        none = (await ada.call("POST", "/tasks/dead-letters/redrive", json={"code": "event_malformed"})).json()
        assert (none["matched"], none["outcomes"]) == (0, {})
    finally:
        await administration.delete(house.settings.kafka, (inbox_topic(tenant), inbox_topic(other)))
