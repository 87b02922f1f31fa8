"""The audit log over HTTP: what was done is there once its response is; admins see their tenant, operators all; files hold no formulas."""

import asyncio
import csv
import io
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from api.core import Core
from api.http.ports import HttpPorts
from domain.audit.entries import audit_entry
from schemas.audit import Actor
from schemas.errors import Unavailable
from tests.support.api_people import colleague, promoted
from tests.support.api_process import House, Person, opened, with_limits
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def audit(person: Person, **query: Any) -> list[dict[str, Any]]:
    answer = await person.call("GET", "/audit", params={"limit": 100} | query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def invalidate(person: Person, tag: str) -> None:
    headers = {"user-agent": "tests/1\t(x)", "x-request-id": f"r-{tag}"}
    answer = await person.call("POST", "/cache/invalidate", json={"tag": tag}, headers=headers)
    assert answer.status_code == 200, answer.text


async def plant(house: House, tenant: str, at: datetime, **fields: Any) -> str:
    entry_id = str(uuid.uuid4())
    wanted: dict[str, Any] = {"action": "sample.plant", "actor": Actor(kind="anonymous")} | fields
    entry = audit_entry(id=entry_id, tenant=tenant, at=at, source="/claw/test", traceparent="", **wanted)
    await house.ports(Core).publisher.publish(entry)
    return entry_id


async def test_who_did_what_from_where(house: House, ada: Person, bob: Person) -> None:
    """At once, in full, in the tenant of who did it alone; a page goes on where the one before ended."""
    tenant = await promoted(house, ada, "admin")
    await promoted(house, bob, "admin")
    for tag in ("kb/1", "kb/2", "kb/3"):
        await invalidate(ada, tag)
    items = await audit(ada, action="cache.")
    assert [item["target"] for item in items] == ["kb/3", "kb/2", "kb/1"]
    first = items[0]
    assert first["actor"] == {"kind": "person", "account_id": ada.user["id"], "key_id": "", "role": "admin"}
    assert first["detail"] == {"by": "tag"}
    assert (first["action"], first["outcome"], first["tenant"]) == ("cache.invalidate", "accepted", tenant)
    assert (first["address"], first["user_agent"], first["request_id"]) == ("127.0.0.1", "tests/1 (x)", "r-kb/3")
    page = (await ada.call("GET", "/audit", params={"action": "cache.", "limit": 2})).json()
    rest = (await ada.call("GET", "/audit", params={"action": "cache.", "limit": 2, "cursor": page["next_cursor"]})).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == [item["id"] for item in items]
    assert await audit(bob, action="cache.") == []


async def test_filters(house: House, ada: Person) -> None:
    """By action, actor, outcome and time; times need a zone and an order."""
    tenant, now = await promoted(house, ada, "admin"), datetime.now(UTC)
    old = await plant(house, tenant, now - timedelta(days=3), outcome="refused")
    new = await plant(house, tenant, now, actor=Actor(kind="key", account_id="a", key_id="k"), action="sample_two.plant")
    for query, found in (
        ({}, [new, old]),
        ({"action": "sample."}, [old]),
        ({"actor": "k"}, [new]),
        ({"actor": "a"}, [new]),
        ({"outcome": "refused"}, [old]),
        ({"from": (now - timedelta(days=1)).isoformat()}, [new]),
        ({"to": (now - timedelta(days=1)).isoformat()}, [old]),
        ({"from": (now + timedelta(days=1)).isoformat()}, []),
    ):
        assert [item["id"] for item in await audit(ada, **{"action": "sample"} | query)] == found, query
    is_problem(await ada.call("GET", "/audit", params={"from": "2026-11-01T00:00:00"}), 422, "validation_failed")
    is_problem(await ada.call("GET", "/audit", params={"from": now.isoformat(), "to": now.isoformat()}), 422, "validation_failed")
    is_problem(await ada.call("GET", "/audit", params={"cursor": "nonsense"}), 422, "validation_failed")


async def test_who_may_read(house: House, ada: Person, bob: Person) -> None:
    """Admins their tenant, operators every tenant and the installation when they ask for it; users nothing."""
    tenant = await promoted(house, ada, "admin")
    is_problem(await (await colleague(house, ada)).call("GET", "/audit"), 403, "forbidden")
    is_problem(await ada.call("GET", "/audit", params={"all": True}), 403, "forbidden")
    is_problem(await ada.call("GET", "/audit/export", params={"all": True}), 403, "forbidden")
    theirs, installation = await plant(house, tenant, datetime.now(UTC)), await plant(house, "-", datetime.now(UTC))
    await promoted(house, bob, "operator")
    assert {theirs, installation}.isdisjoint(item["id"] for item in await audit(bob))
    assert {theirs, installation} <= {item["id"] for item in await audit(bob, all=True)}


async def test_a_file(house: House, ada: Person) -> None:
    """All entries a line each; what a stranger wrote is no formula in a spreadsheet; the export is an entry itself."""
    tenant = await promoted(house, ada, "admin")
    planted = await plant(house, tenant, datetime.now(UTC), user_agent='=HYPERLINK("x"),\n2', detail={"name": "a;b"})
    answer = await ada.call("GET", "/audit/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    lines = [msgspec.json.decode(line) for line in answer.text.splitlines()]
    assert [line["action"] for line in lines][:2] == ["audit.export", "sample.plant"]
    assert lines == await audit(ada)
    answer = await ada.call("GET", "/audit/export", params={"format": "csv", "action": "sample."})
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert (row["id"], row["user_agent"], row["detail"]) == (planted, '\'=HYPERLINK("x"), 2', "name=a;b")


async def test_what_cannot_be_recorded_is_not_accepted(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request fails visibly, and its repeat is one entry; a refusal waits for no log."""
    await promoted(house, ada, "admin")
    publisher, key = house.ports(Core).publisher, {"idempotency-key": uuid.uuid4().hex}

    async def refuse(_: Any) -> None:
        raise Unavailable("kafka_unavailable")

    with monkeypatch.context() as away:
        away.setattr(publisher, "publish", refuse)
        is_problem(await ada.call("POST", "/cache/invalidate", json={"tag": "kb/1"}, headers=key), 503, "kafka_unavailable")
    for _ in range(2):
        answer = await ada.call("POST", "/cache/invalidate", json={"tag": "kb/1"}, headers=key)
        assert answer.status_code == 200
    assert len(await audit(ada, action="cache.")) == 1


async def test_a_refusal_comes_by_itself(house: House, ada: Person) -> None:
    """Beside the request, within a moment."""
    tenant = await promoted(house, ada, "admin")
    entry = audit_entry(
        *("session.create", Actor(kind="anonymous")),
        id=str(uuid.uuid4()),
        tenant=tenant,
        at=datetime.now(UTC),
        source="/claw/test",
        traceparent="",
        outcome="refused",
    )
    house.ports(HttpPorts).audit.put(entry)
    async with asyncio.timeout(10):
        while not await audit(ada, outcome="refused"):
            await asyncio.sleep(0.05)


async def test_limits_are_on_the_log_of_the_installation(api_settings: Any) -> None:
    """Rules, lists and resets, with their reasons."""
    async with opened(with_limits(api_settings)) as house:
        person = await house.person()
        await promoted(house, person)
        entry = {"kind": "cidr", "value": "203.0.113.0/24", "reason": "flood"}
        for method, path, body in (
            ("PUT", "/rate-limits/rules", {"rules": None, "reason": "back to normal"}),
            ("PUT", "/rate-limits/denylist", entry),
            ("DELETE", "/rate-limits/denylist", entry | {"reason": "over"}),
            ("POST", "/rate-limits/reset", {"kind": "address", "value": "203.0.113.7", "reason": "asked"}),
        ):
            answer = await person.call(method, path, json=body)
            assert answer.is_success, answer.text
        items = await audit(person, all=True, action="rate_limit", actor=person.user["id"])
        assert [(item["action"], item["target"], item["detail"].get("reason")) for item in items] == [
            ("rate_limit.reset", "address/203.0.113.7", "asked"),
            ("rate_limit_access.remove", "deny/cidr/203.0.113.0/24", "over"),
            ("rate_limit_access.add", "deny/cidr/203.0.113.0/24", "flood"),
            ("rate_limit_rules.change", "rate_limits.rules", "back to normal"),
        ]
        assert {item["tenant"] for item in items} == {"-"}
