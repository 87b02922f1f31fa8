"""API keys: what tells a damaged one from a revoked one, where one may be used, its last use, and its rotation."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from adapters.secrets.tokens import AccessTokens
from api.core import Core
from api.http.identity import Identities
from domain.accounts.key_uses import MINUTE_S, KeyUses
from domain.accounts.topics import CREDENTIALS_CHANGED
from ops.commands import invitations
from ops.commands.admins import grant_role
from ops.commands.keys import create_key
from schemas.errors import Refused
from schemas.records import Credential, CredentialChanged
from schemas.settings import AuthSettings, Settings
from schemas.settings.section import Secret
from streams.log.outgoing import Outgoing
from tests.api.http.test_audit_refusals import refusals
from tests.support.api_people import promoted, tenant_of
from tests.support.api_process import House, Person, lose, opened, with_limits
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def make(person: Person, **body: Any) -> dict[str, Any]:
    answer = await person.call("POST", "/api-keys", json={"name": "k"} | body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def use(house: House, key: str, path: str = "/knowledge", **headers: str) -> httpx.Response:
    return await house.client.get(f"/api/v1{path}", headers={"authorization": f"Bearer {key}"} | headers)


async def rotate(person: Person, key_id: str, overlap_s: int, key: str = "") -> dict[str, Any]:
    headers = {"idempotency-key": key} if key else {}
    answer = await person.call("POST", f"/api-keys/{key_id}/rotate", json={"overlap_s": overlap_s}, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_damaged_key_is_told_apart_from_a_revoked_one(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a look-up, and before anything is asked of Redis; one of before there was a checksum is still valid."""
    made = await make(ada)
    key = made["key"]
    table, looked_up = house.ports(Core).read_models.credentials, list[str]()
    get = table.get

    async def count(scope: str, key_id: str) -> Credential | None:
        looked_up.append(key_id)
        return await get(scope, key_id)

    monkeypatch.setattr(table, "get", count)
    for damaged in (key[:-1], key[:-6], key[:50], key[:-1] + ("A" if key[-1] != "A" else "B"), key[:7] + "0" + key[7:], "claw_x"):
        problem = is_problem(await use(house, damaged), 401, "api_key_malformed")
        assert (problem["title_zh"], looked_up) == ("API 密钥不完整或有误", [])
    assert (await use(house, f"claw_{UUID(made['id']).hex}_{key[44:]}")).status_code == 200
    await ada.call("DELETE", f"/api-keys/{made['id']}")
    assert "revoked" in is_problem(await use(house, key), 401, "unauthenticated")["detail"]
    assert looked_up


async def test_a_key_is_refused_from_elsewhere(api_settings: Settings) -> None:
    """By the address that trusted proxies forward; ranges are stored in one form, and what is none is named."""
    async with opened(with_limits(api_settings, trusted_proxies="127.0.0.0/8")) as house:
        person = await house.person()
        made = await make(person, addresses=["203.0.113.7/24", "203.0.113.0/24", "2001:db8::1"])
        assert made["addresses"] == ["203.0.113.0/24", "2001:db8::1/128"]
        for address, status in (
            ("203.0.113.200", 200),
            ("2001:db8::1", 200),
            ("::ffff:203.0.113.9", 200),
            ("203.0.114.1", 403),
            ("2001:db8::2", 403),
        ):
            answer = await use(house, made["key"], **{"x-forwarded-for": address})
            assert answer.status_code == status, address
            if status == 403:
                assert address in is_problem(answer, 403, "address_not_allowed")["detail"]
        is_problem(await use(house, made["key"]), 403, "address_not_allowed")
        await promoted(house, person, "admin")
        await asyncio.sleep(1.1)
        entry = (await refusals(person, 3))[-1]  # somebody may have a copy of the key
        assert (entry["actor"]["key_id"], entry["address"], entry["detail"]["code"]) == (made["id"], "203.0.114.1", "address_not_allowed")
        answer = await person.call("POST", "/api-keys", json={"name": "k", "addresses": ["10.0.0.0/8", "x", "10.0.0.0/33"]})
        assert [error["field"] for error in is_problem(answer, 422, "validation_failed")["errors"]] == ["addresses[1]", "addresses[2]"]


async def test_a_refusal_names_the_missing_scope_and_a_key_has_no_more_rights_than_its_account(house: House, ada: Person) -> None:
    """A user's key with the scope ops is a user's; an admin's loses with the account what the account loses."""
    reader = await make(ada, scopes=["knowledge:read"])
    problem = is_problem(
        await house.client.post("/api/v1/knowledge", json={"name": "x"}, headers={"authorization": f"Bearer {reader['key']}"}),
        403,
        "forbidden",
    )
    assert "knowledge:write" in problem["detail"]
    ops = await make(ada, scopes=["ops"])
    assert "role admin" in is_problem(await use(house, ops["key"], "/users"), 403, "forbidden")["detail"]
    await promoted(house, ada, "admin")
    await asyncio.sleep(1.1)
    assert (await use(house, ops["key"], "/users")).status_code == 200
    assert "ops" in is_problem(await use(house, reader["key"], "/users"), 403, "forbidden")["detail"]


async def test_the_last_use_is_shown(house: House, ada: Person) -> None:
    """In the list, of one key, and to nobody else; written once a minute, by all processes together."""
    used, unused = await make(ada), await make(ada)
    for _ in range(3):
        await use(house, used["key"])
    async with asyncio.timeout(5):
        while (shown := (await ada.call("GET", f"/api-keys/{used['id']}")).json())["last_used_at"] is None:
            await asyncio.sleep(0.02)
    items = {item["id"]: item["last_used_at"] for item in (await ada.call("GET", "/api-keys")).json()["items"]}
    assert items == {used["id"]: shown["last_used_at"], unused["id"]: None}
    core, prefix = house.ports(Core), house.settings.redis.key_prefix
    credential = await core.read_models.credentials.get(used["id"], used["id"])
    assert credential is not None
    start, one, other = core.clock.now() + timedelta(seconds=MINUTE_S), KeyUses(core.redis, prefix), KeyUses(core.redis, prefix)
    for process, after_s, due, written_at_s in ((one, 5, True, 5), (one, 30, False, 5), (other, 30, True, 5), (one, 66, True, 66)):
        at = start + timedelta(seconds=after_s)
        assert process.is_due(credential, at) is due
        if due:
            await process.write(credential, at)
        stored = (await one.read(credential.tenant, [used["id"]]))[used["id"]]
        assert abs((stored - start).total_seconds() - written_at_s) < 1.5


@pytest.mark.parametrize("derived", [False, True])
async def test_a_rotation_has_an_overlap(house: House, ada: Person, derived: bool) -> None:
    """The new secret at once, the old one until the end, a second old one never; the key stays the same key."""
    headers = {"idempotency-key": uuid.uuid4().hex} if derived else {}
    made = (await ada.call("POST", "/api-keys", json={"name": "k"}, headers=headers)).json()
    second = await rotate(ada, made["id"], 600)
    assert second["id"] == made["id"]
    assert second["key"] != made["key"]
    assert [(await use(house, each["key"])).status_code for each in (made, second)] == [200, 200]
    third = await rotate(ada, made["id"], 600)
    assert [(await use(house, each["key"])).status_code for each in (made, second, third)] == [401, 200, 200]
    await end_overlap(house, made["id"])
    assert "rotated" in is_problem(await use(house, second["key"]), 401, "unauthenticated")["detail"]
    fourth = await rotate(ada, made["id"], 0)
    assert [(await use(house, each["key"])).status_code for each in (third, fourth)] == [401, 200]
    assert fourth["previous_until"] is None
    core = house.ports(Core)
    other = Identities(AccessTokens(AuthSettings(secret=Secret("rotated-" * 5))), core.read_models, core.clock)
    if derived:
        with pytest.raises(Refused, match="signing secret changed"):
            await other.authenticate(f"Bearer {fourth['key']}")
    else:
        assert (await other.authenticate(f"Bearer {fourth['key']}")).key_id == made["id"]


async def end_overlap(house: House, key_id: str) -> None:
    core = house.ports(Core)
    present = await core.read_models.credentials.get(key_id, key_id)
    assert present is not None
    assert present.previous is not None
    past = msgspec.structs.replace(present, previous=msgspec.structs.replace(present.previous, until=core.clock.now()))
    event = CredentialChanged(
        id=str(uuid.uuid4()), source="/claw/test", subject=key_id, time=core.clock.now(), tenant=past.tenant, traceparent="", data=past
    )
    await core.records.change(Outgoing(CREDENTIALS_CHANGED, event))
    await asyncio.sleep(1.1)


async def test_a_repeated_rotation_has_the_same_secret(house: House, ada: Person) -> None:
    """Stored nowhere; a repeat of one that another followed is refused, and changes nothing; the secret ends with the signing secret."""
    made = await make(ada)
    first = await rotate(ada, made["id"], 600, "one")
    assert await rotate(ada, made["id"], 600, "one") == first
    second = await rotate(ada, made["id"], 600, "two")
    await lose(house, "idempotency:*")
    answer = await ada.call("POST", f"/api-keys/{made['id']}/rotate", json={"overlap_s": 600}, headers={"idempotency-key": "one"})
    is_problem(answer, 410, "deleted_since")
    assert [(await use(house, each["key"])).status_code for each in (made, first, second)] == [401, 200, 200]
    core = house.ports(Core)
    other = Identities(AccessTokens(AuthSettings(secret=Secret("rotated-" * 5))), core.read_models, core.clock)
    for each in (first, second):
        with pytest.raises(Refused, match="signing secret changed"):
            await other.authenticate(f"Bearer {each['key']}")


async def test_a_key_is_renamed(house: House, ada: Person, bob: Person) -> None:
    """By its account alone, with an ETag; everything of keys is on the audit log, no secret of them."""
    made = await make(ada)
    path = f"/api-keys/{made['id']}"
    first = await ada.call("GET", path)
    assert "key" not in first.json()
    renamed = await ada.call("PATCH", path, json={"name": "nightly"}, headers={"if-match": first.headers["etag"]})
    assert renamed.json() == first.json() | {"name": "nightly"}
    is_problem(await ada.call("PATCH", path, json={"name": "x"}, headers={"if-match": first.headers["etag"]}), 412, "lost_update")
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"name": "x"}),
        ("POST", f"{path}/rotate", {}),
        ("DELETE", path, None),
    ):
        is_problem(await bob.call(method, where, json=body), 404, "not_found")
    rotated = await rotate(ada, made["id"], 60)
    await ada.call("DELETE", path)
    await promoted(house, ada, "admin")
    await asyncio.sleep(1.1)
    answer = await ada.call("GET", "/audit", params={"action": "api_key."})
    assert [item["action"] for item in answer.json()["items"]] == ["api_key.revoke", "api_key.rotate", "api_key.change", "api_key.create"]
    assert {item["target"] for item in answer.json()["items"]} == {made["id"]}
    assert all(each["key"][44:] not in answer.text for each in (made, rotated))


async def test_keys_of_the_operators_command_have_a_checksum(house: House) -> None:
    """And an entry on the audit log of their tenant, as every command of the operator has."""
    tenant = f"t{uuid.uuid4().hex[:12]}"
    key = await create_key(house.settings, tenant, "made by a test")
    await invitations.create(house.settings, f"{tenant}@example.com", 1)
    assert (await use(house, key)).status_code == 200
    is_problem(await use(house, key[:-1]), 401, "api_key_malformed")
    operator = await house.person()
    await promoted(house, operator)
    await grant_role(house.settings, operator.email, "operator")
    items = (await operator.call("GET", "/audit", params={"all": True, "limit": 100})).json()["items"]
    commands = {(item["action"], item["tenant"]) for item in items if item["actor"]["kind"] == "command"}
    assert {("invitation.create", "-"), ("account.change", tenant_of(operator))} <= commands
    (entry,) = [item for item in items if item["tenant"] == tenant]
    assert (entry["actor"]["kind"], entry["detail"]["name"]) == ("command", "made by a test")
    assert entry["detail"]["user"]
