"""The first administrator of an installation, made by its operator: what they may do takes effect, and the log remembers the role."""

import asyncio
import json
import uuid
from typing import Any

import aiohttp
import pytest

from claw_client import Client
from tests.system.conftest import Up, api_process, records

PASSWORD = "a long test passphrase"
RULES = "/api/v1/rate-limits/rules"


async def made(up: Up, email: str, *options: str, typed: str = f"{PASSWORD}\n") -> str:
    """``claw admin create``; what it printed."""
    code, printed = await up.command("admin", "create", email, *options, typed=typed)
    assert code == 0, printed
    return printed


async def logged_in(session: aiohttp.ClientSession, email: str, password: str = PASSWORD) -> dict[str, Any]:
    async with session.post("/api/v1/auth/login", json={"email": email, "password": password}) as answer:
        assert answer.status == 200, await answer.text()
        return dict(await answer.json())


def bearer(session: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {session['access_token']}"}


@pytest.fixture
def email() -> str:
    return f"{uuid.uuid4().hex}@example.org"


async def test_an_administrator_changes_a_rate_rule_that_takes_effect(up: Up, email: str):
    """Made on an installation that limits; in force for somebody else on the other replica as well."""
    assert PASSWORD not in await made(up, email, "--password-stdin", "--name", "Ada")
    limiting = up.environ | {"CLAW_LIMIT_ENABLED": "true"}
    async with api_process(up.forks, limiting) as one, api_process(up.forks, limiting) as other:
        async with aiohttp.ClientSession(base_url=one) as session:
            admin = await logged_in(session, email)
            assert (admin["user"]["role"], admin["user"]["name"]) == ("operator", "Ada")
            somebody = await Client.register(session, f"{uuid.uuid4().hex}@example.org", PASSWORD)
            body = {
                "rules": [{"name": "own", "scope": "route", "rate": 2, "per_s": 3600, "burst": 2, "route": "/users/me"}],
                "reason": "test",
            }
            assert (await put_rules(session, body, somebody.headers))[0] == 403
            assert await put_rules(session, body, bearer(admin)) == (200, 1)
        try:
            async with aiohttp.ClientSession(base_url=other) as session:
                async with asyncio.timeout(10):
                    while await status(session, somebody.headers) != 429:
                        await asyncio.sleep(0.05)
        finally:
            back = {"rules": None, "reason": "the settings' own again"}
            async with aiohttp.ClientSession(base_url=one) as session:
                assert (await put_rules(session, back, bearer(admin)))[0] == 200


async def put_rules(session: aiohttp.ClientSession, body: Any, headers: Any) -> tuple[int, int]:
    """The status, and how many rules there are then."""
    async with session.put(RULES, json=body, headers=headers) as answer:
        return answer.status, len((await answer.json()).get("rules", ()))


async def status(session: aiohttp.ClientSession, headers: Any) -> int:
    async with session.get("/api/v1/users/me", headers=headers) as answer:
        return answer.status


async def test_the_role_is_on_the_log_and_survives_a_rebuild(up: Up, session: aiohttp.ClientSession, email: str):
    await made(up, email, "--password-stdin")
    user = (await logged_in(session, email))["user"]
    said = [
        json.loads(record.value)["data"] for record in await records(up, "claw.accounts.changed.v1") if record.key == user["id"].encode()
    ]
    assert [(each["role"], each["email"]) for each in said] == [("operator", email)]
    for table in ("accounts", "credentials", "knowledge_bases"):
        code, printed = await up.command("rebuild", "tables", "--table", table)
        assert code == 0, printed
    admin = await logged_in(session, email)
    assert admin["user"] == user
    client = await Client.with_token(session, admin["access_token"])
    assert client.knowledge_base == user["default_knowledge_base_id"]
    async with session.get("/api/v1/usage", headers=client.headers) as answer:
        assert answer.status == 200


async def test_somebody_who_registered_is_promoted_with_their_password(up: Up, session: aiohttp.ClientSession, email: str):
    """Without --promote nothing happens but a word of how; repeated it changes nothing; what they logged in with goes on."""
    await Client.register(session, email, "their own passphrase")
    before = await logged_in(session, email, "their own passphrase")
    code, printed = await up.command("admin", "create", email, "--password-stdin", typed=f"{PASSWORD}\n")
    assert (code, "--promote" in printed) == (1, True)
    assert (await logged_in(session, email, "their own passphrase"))["user"]["role"] == "user"
    assert "has the role admin now" in await made(up, email.upper(), "--promote", "--role", "admin")
    assert "has the role operator now" in await made(up, email, "--promote")
    assert "already" in await made(up, email, "--promote")
    assert "already" in await made(up, email, "--password-stdin")
    after = await logged_in(session, email, "their own passphrase")
    assert after["user"] == before["user"] | {"role": "operator"}
    async with asyncio.timeout(5):
        while True:
            async with session.get("/api/v1/usage", headers=bearer(before)) as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0.1)


async def test_a_tenant_that_is_named_is_shared_with_its_keys(up: Up, session: aiohttp.ClientSession, email: str):
    tenant = f"t{uuid.uuid4().hex[:8]}"
    await made(up, email, "--password-stdin", "--tenant", tenant)
    code, key = await up.command("key", "create", "--tenant", tenant)
    assert code == 0, key
    by_key = await Client.with_token(session, key.strip())
    admin = await Client.with_token(session, (await logged_in(session, email))["access_token"])
    assert admin.knowledge_base == by_key.knowledge_base
    async with session.get(RULES, headers=admin.headers) as answer:
        assert (answer.status, "role operator" in (await answer.json())["detail"]) == (403, True)
    code, printed = await up.command("admin", "create", email, "--tenant", "default", "--promote")
    assert (code, tenant in printed) == (1, True)


async def test_what_registration_refuses_is_refused(up: Up, session: aiohttp.ClientSession, email: str):
    """The password is too short; afterwards no account has the address."""
    code, printed = await up.command("admin", "create", email, "--password-stdin", typed="shorty1\n")
    assert (code, "password must be str of length >= 8" in printed) == (2, True), printed
    async with session.post("/api/v1/auth/login", json={"email": email, "password": "shorty1"}) as answer:
        assert answer.status == 401
    code, printed = await up.command("admin", "create", email, typed=f"{PASSWORD}\n")
    assert (code, "--password-stdin" in printed) == (2, True), printed
    code, printed = await up.command("admin", "create", email, "--promote")
    assert (code, "no account has the address" in printed) == (2, True), printed
