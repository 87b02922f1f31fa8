"""Refused records of the inbox over HTTP: the tenant's own, for whoever may read its documents, and nobody else's."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from api.core import Core
from api.documents.refusals import view_refusal
from domain.documents.topics import DOCUMENTS_SUBMITTED, inbox_topic
from schemas import ids
from schemas.errors import Refused
from streams.dead_letters.reader import DeadLetter
from streams.dead_letters.writer import dead_letter_headers, write_dead_letter
from streams.log.delivery import Delivery
from streams.log.outgoing import LogOffset
from tests.support.api_people import colleague, tenant_of
from tests.support.api_process import House, Person

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="session")]
AT_MS = 1_790_000_000_123


async def refuse(
    house: House, topic: str, value: bytes | None, *, key: bytes | None = b"k-1", code: str = "event_malformed", **headers: bytes
) -> str:
    """What the worker writes of a refused record; the id of its dead letter."""
    prefix = house.settings.kafka.topic_prefix
    delivery = Delivery(LogOffset(prefix + topic, 3, 5), key, value, AT_MS, headers)
    problem = Refused(code, "data.text: give exactly one of text, content_base64, url").problem()
    written = dead_letter_headers(delivery, agent="admit", problem=problem, error="Refused", attempts=1, traceparent="")
    place = await write_dead_letter(house.ports(Core).publisher, prefix, delivery, written)
    return f"{place.partition}-{place.offset}"


def event(subject: str = "", **data: object) -> bytes:
    return json.dumps({"specversion": "1.0", "id": "e-1", "source": "/crm", "type": "t", "subject": subject, "data": data}).encode()


async def listed(person: Person, query: str = "") -> dict[str, Any]:
    answer = await person.call("GET", f"/inbox/refusals{query}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_tenant_sees_its_refused_records(house: House, ada: Person, bob: Person, dead_letters: None) -> None:
    """Place, time, names, cause and remedy; page by page; only of the inbox, and never another tenant's."""
    tenant, inbox = tenant_of(ada), inbox_topic(tenant_of(ada)).name
    await refuse(house, inbox, event("handbook"))
    await refuse(house, inbox, b"x", ce_id=b"e-2", ce_subject=b"by-header", key=b"\xff", code="document_type_unsupported")
    newest = await refuse(house, inbox, None, key=None)
    await refuse(house, inbox_topic(tenant_of(bob)).name, event("secret"))
    await refuse(house, DOCUMENTS_SUBMITTED.name, b"{}", key=ids.document_key(tenant, ada.base, "d").encode())
    first = await listed(ada, "?limit=2")
    rest = await listed(ada, f"?limit=2&cursor={first['next_cursor']}")
    none, binary, structured = first["items"] + rest["items"]
    assert rest["next_cursor"] is None
    assert (none["id"], none["key"], none["subject"], none["document_id"]) == (newest, None, "", "")
    assert (binary["key"], binary["subject"], binary["event_id"], binary["document_id"]) == ("\ufffd", "by-header", "e-2", "by-header")
    assert (structured["topic"], structured["partition"], structured["offset"]) == (inbox, 3, 5)
    assert (structured["key"], structured["subject"], structured["event_id"]) == ("k-1", "handbook", "e-1")
    assert datetime.fromisoformat(structured["written_at"]) == datetime.fromtimestamp(AT_MS / 1000, UTC)
    assert datetime.fromisoformat(structured["refused_at"]) > datetime.fromisoformat(structured["written_at"])
    problem = structured["problem"]
    assert (problem["code"], problem["detail"]) == ("event_malformed", "data.text: give exactly one of text, content_base64, url")
    assert problem["remedy"]
    assert problem["remedy_zh"]
    assert [item["subject"] for item in (await listed(ada, "?code=document_type_unsupported"))["items"]] == ["by-header"]
    assert [item["subject"] for item in (await listed(bob))["items"]] == ["secret"]
    assert (await ada.call("GET", "/inbox/refusals?cursor=nonsense")).status_code == 422
    assert (await ada.call("GET", "/inbox/refusals?limit=101")).status_code == 422


async def test_the_credential_needs_the_scope(house: House, ada: Person, dead_letters: None) -> None:
    assert (await house.client.get("/api/v1/inbox/refusals")).status_code == 401
    for scopes, status in ((["chat", "knowledge:write", "ops"], 403), (["knowledge:read"], 200)):
        key = (await ada.call("POST", "/api-keys", json={"name": "k", "scopes": scopes})).json()["key"]
        answer = await house.client.get("/api/v1/inbox/refusals", headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == status, answer.text


async def test_records_for_somebody_elses_knowledge_base_are_left_out(house: House, ada: Person, dead_letters: None) -> None:
    """Inside a tenant sharing is explicit; an admin, who sees the dead letters too, sees all."""
    inbox, eve, boss = inbox_topic(tenant_of(ada)).name, await colleague(house, ada), await colleague(house, ada, role="admin")
    shared = (await ada.call("POST", "/knowledge", json={"name": "Ours", "sharing": "tenant"})).json()["id"]
    await refuse(house, inbox, event("hers"))
    await refuse(house, inbox, b"not json")
    await refuse(house, inbox, event("ours", knowledge_base_id=shared))
    await refuse(house, inbox, event("nobody's", knowledge_base_id="gone"), code="not_found")
    seen = {name: [item["subject"] for item in (await listed(person))["items"]] for name, person in (("eve", eve), ("boss", boss))}
    assert seen == {"eve": ["nobody's", "ours"], "boss": ["nobody's", "ours", "", "hers"]}


@pytest.mark.parametrize("at_ms", [0, 10**18])
async def test_a_timestamp_that_is_no_time_is_left_out(at_ms: int) -> None:
    letter = DeadLetter(
        partition=0,
        offset=1,
        at=datetime.now(UTC),
        tenant="acme",
        topic=inbox_topic("acme").name,
        original_partition=0,
        original_offset=1,
        original_at_ms=at_ms,
        agent="admit",
        code="code_of_a_later_release",
        detail="why",
        attempts=1,
        key=b"k",
        value=b"[1]",
        value_bytes=3,
        headers={},
    )
    shown = view_refusal("acme", letter)
    assert (shown.written_at, shown.problem.code, shown.problem.detail) == (None, "event_failed", "why")
