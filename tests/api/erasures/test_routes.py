"""Erasures through the API: who may begin one, what proves who they are, what ends at once, and the certificate."""

import base64
import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec.structs import replace

from api.core import Core
from domain.erasures.records import ERASURES
from domain.erasures.topics import ERASURES_CHANGED
from ops.commands import erasure as command
from schemas.erasures import Erasure, ErasureChanged, PlaceResult
from streams.log.outgoing import Outgoing
from tests.support.api_people import colleague, promoted, tenant_of
from tests.support.api_process import PASSWORD, House, Person, lose
from tests.support.problems import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="session")

OWN = "/users/me/erasure"


async def erase(person: Person, path: str = OWN, **body: Any) -> httpx.Response:
    return await person.call("POST", path, json={"password": PASSWORD} | body)


async def row(house: House, erasure_id: str) -> Erasure:
    found = await house.ports(Core).read_models.of(ERASURES).get(erasure_id, erasure_id)
    assert found is not None
    return found


async def test_an_account_is_shut_at_once(house: House, ada: Person) -> None:
    """Its token, its sessions and its key, here as elsewhere; the erasure can be read without any, and has no name."""
    await promoted(house, ada, "admin")
    boss = await colleague(house, ada, role="admin")
    key = (await ada.call("POST", "/api-keys", json={"name": "k"})).json()["key"]
    answer = await erase(ada)
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert (made["state"], made["scope"], made["account_id"]) == ("accepted", "account", ada.user["id"])
    is_problem(await ada.call("GET", "/users/me"), 401, "session_ended")
    is_problem(await house.client.get("/api/v1/users/me", headers={"authorization": f"Bearer {key}"}), 401, "unauthenticated")
    login = await house.client.post("/api/v1/auth/login", json={"email": ada.email, "password": PASSWORD})
    is_problem(login, 401, "login_failed")
    shown = await house.client.get(made["link"])
    assert shown.json() == made
    assert ada.email not in shown.text
    stored = await row(house, made["id"])
    assert ada.email not in stored.sealed_terms
    (entry,) = (await boss.call("GET", "/audit", params={"action": "account.erase"})).json()["items"]
    assert (entry["target"], entry["detail"], entry["outcome"]) == (ada.user["id"], {"erasure": made["id"]}, "accepted")


async def test_a_stolen_token_erases_nothing(house: House, ada: Person) -> None:
    """Neither without the password nor with another; an API key not at all; the owner reads of it on the audit log."""
    for body in ({}, {"password": "another one"}, {"password": "", "confirmation": ada.email}):
        is_problem(await ada.call("POST", OWN, json=body), 403, "erasure_unconfirmed")
    key = (await ada.call("POST", "/api-keys", json={"name": "k", "scopes": ["ops"]})).json()["key"]
    answer = await house.client.post(f"/api/v1{OWN}", json={"password": PASSWORD}, headers={"authorization": f"Bearer {key}"})
    is_problem(answer, 403, "forbidden")
    assert (await ada.call("GET", "/users/me")).status_code == 200
    is_problem(await house.client.get(f"/api/v1/erasures/{uuid.uuid4()}"), 404, "not_found")


async def test_without_a_password_a_fresh_login_counts(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the address of the account, as people have it who log in elsewhere."""

    async def nothing(*_: Any) -> None:
        return None

    monkeypatch.setattr("api.erasures.confirmation.find_password", nothing)
    with monkeypatch.context() as later:
        now = house.ports(Core).clock.now() + timedelta(minutes=11)
        later.setattr(type(house.ports(Core).clock), "now", lambda _self: now)
        is_problem(await ada.call("POST", OWN, json={"confirmation": ada.email}), 403, "erasure_unconfirmed")
    is_problem(await ada.call("POST", OWN, json={"confirmation": "x@example.com"}), 403, "erasure_unconfirmed")
    assert (await ada.call("POST", OWN, json={"confirmation": ada.email.upper()})).status_code == 202


async def test_whoever_is_alone_erases_the_organisation_and_a_last_admin_hands_over(house: House, ada: Person, bob: Person) -> None:
    assert (await erase(bob)).json()["scope"] == "organisation"
    await promoted(house, ada, "admin")
    member = await colleague(house, ada)
    is_problem(await erase(ada), 409, "hand_over_first")
    assert (await ada.call("GET", "/users/me")).status_code == 200
    assert (await ada.call("PATCH", f"/users/{member.user['id']}", json={"role": "admin"})).status_code == 200
    assert (await erase(ada)).json()["scope"] == "account"


async def test_an_admin_erases_members_and_the_organisation(house: House, ada: Person, bob: Person) -> None:
    """Of their own organisation; a repeat has the same erasure, also once the account is gone."""
    await promoted(house, ada, "admin")
    member, path = await colleague(house, ada), f"/users/{bob.user['id']}/erasure"
    is_problem(await erase(ada, path), 404, "not_found")
    path = f"/users/{member.user['id']}/erasure"
    is_problem(await ada.call("POST", path, json={"password": "x"}), 403, "erasure_unconfirmed")
    first = await erase(ada, path)
    assert first.json()["account_id"] == member.user["id"]
    is_problem(await member.call("GET", "/users/me"), 401, "unauthenticated")
    await lose(house, f"record:{{accounts:{member.user['id']}*")
    assert (await erase(ada, path)).json() == first.json()
    is_problem(await erase(ada, "/organisation/erasure", organisation=tenant_of(bob)), 404, "not_found")
    whole = await erase(ada, "/organisation/erasure", organisation=tenant_of(ada))
    assert (whole.json()["scope"], whole.json()["account_id"]) == ("organisation", None)
    operator = bob
    await promoted(house, operator)
    is_problem(await erase(operator, "/organisation/erasure", organisation="default"), 404, "not_found")
    again = await erase(operator, "/organisation/erasure", organisation=tenant_of(ada))
    assert again.json() == whole.json()


async def test_a_certificate_is_verified_without_us(house: House, ada: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As docs/erasure.md says, by the command, and not once it was changed."""
    made = (await erase(ada)).json()
    present, core = await row(house, made["id"]), house.ports(Core)
    now = core.clock.now()
    done = replace(
        present,
        state="interim",
        checked_at=now,
        next_at=now,
        places=(PlaceResult(place="index", kind="index", means="removed", before=3),),
        revision=present.revision + 1,
    )
    event = ErasureChanged(
        id=str(uuid.uuid4()), source="/claw/test", subject=done.id, time=now, tenant=done.tenant, traceparent="", data=done
    )
    await core.records.change(Outgoing(ERASURES_CHANGED, event))
    shown = (await house.client.get(made["link"])).json()
    statement = shown["certificate"]["statement"]
    assert (statement["state"], statement["places"][0]["before"], statement["erasure_id"]) == ("interim", 3, made["id"])
    published = (await house.client.get("/api/v1/erasures/key")).json()["public_key"]
    text = json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signature = shown["certificate"]["signature"]["value"]
    Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(published + "=")).verify(base64.urlsafe_b64decode(signature + "=="), text)
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(shown))
    assert command.verify(file, published) == 0
    assert f"organisation {done.tenant}, interim" in capsys.readouterr().out
    statement["places"][0]["before"] = 0
    file.write_text(json.dumps(shown["certificate"]))
    assert command.verify(file, "") == 1


async def test_an_open_stream_ends_with_its_account(house: House, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.sse.CREDENTIAL_CHECK_S", 0.1)
    async with house.client.stream("GET", "/api/v1/notices/stream", headers=ada.headers) as answer:
        lines = answer.aiter_lines()
        assert (await anext(lines)) != ""
        await erase(ada)
        [line async for line in lines]  # to the end of the stream: else the client's time is up
