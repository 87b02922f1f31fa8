"""Erasure on the whole stack: a member of an organisation goes with everything, although the worker that erases is killed."""

import asyncio
import json
import os
import signal
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from claw_client import Client, events
from tests.system.conftest import promote

PASSWORD = "a long test passphrase"
CANARY = "heliotrope canary"
SOON_S = 90.0


async def post(client: Client, path: str, **body: Any) -> dict[str, Any]:
    async with client.session.post(f"/api/v1{path}", json=body, headers=client.headers) as answer:
        assert answer.ok, await answer.text()
        return dict(await answer.json())


async def colleagues(up: Any, session: aiohttp.ClientSession) -> tuple[Client, Client, str]:
    """An admin and a member of one organisation, and the member's address."""
    email, invited = (f"{uuid.uuid4().hex}@example.org" for _ in range(2))
    boss = await Client.register(session, email, PASSWORD)
    await promote(up, session, email, boss.headers, "admin")
    invitation = (await post(boss, "/organisation/invitations"))["invitation"]
    body = {"email": invited, "password": PASSWORD, "name": "Heliotrope Lovelace", "invitation": invitation}
    async with session.post("/api/v1/auth/register", json=body) as answer:
        assert answer.status == 201, await answer.text()
        member = await Client.with_token(session, (await answer.json())["access_token"])
    return boss, member, invited


async def erasure(session: aiohttp.ClientSession, link: str, *states: str) -> dict[str, Any]:
    """The erasure once it is in one of these states."""
    async with asyncio.timeout(SOON_S):
        while True:
            async with session.get(link) as answer:
                if (found := dict(await answer.json()))["state"] in states:
                    return found
            await asyncio.sleep(0.1)


@pytest.mark.timeout(300)  # the start of the stack included
async def test_a_member_goes_with_everything(up, session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """Documents, an answer, a key, a webhook, a session; the checker finds what is left, and the certificate says what expires."""
    boss, member, email = await colleagues(up, session)
    async with session.get("/api/v1/users/me", headers=member.headers) as answer:
        account = (await answer.json())["id"]
    await member.submit("plan", f"The {CANARY} has 25 days of leave.")
    await member.wait_indexed("plan")
    async with member.ask(await member.create_conversation(), f"How many days has the {CANARY}?") as answer:
        assert [each.name async for each in events(answer.content)][-1] == "completed"
    await post(member, "/api-keys", name=CANARY)
    await post(member, "/webhooks", url="http://127.0.0.1:9/hook")
    shared = await post(boss, "/knowledge", name="Ours", sharing="tenant")

    accepted = await post(member, "/users/me/erasure", password=PASSWORD)
    os.kill(up.process("documents").pid, signal.SIGKILL)
    async with session.get("/api/v1/users/me", headers=member.headers) as answer:
        assert answer.status == 401
    await member.session.put(f"{member.documents}/late", json={"text": CANARY}, headers=member.headers)  # refused
    found = await erasure(session, accepted["link"], "interim", "final")
    places = {each["place"]: each for each in found["certificate"]["statement"]["places"]}
    assert (found["state"], found["final_by"] is not None) == ("interim", True)
    assert {name: each["left"] for name, each in places.items() if each["left"]} == {}
    assert (places["vector index"]["before"] > 0, places["claw.accounts.changed.v1"]["before"] > 0) == (True, True)
    assert places["claw.chats.asked.v1"]["expiring"] > 0

    certificate = tmp_path / "certificate.json"
    certificate.write_text(json.dumps(found))
    assert email not in certificate.read_text()
    assert CANARY not in certificate.read_text()
    code, key = await up.command("erasure", "key")
    assert code == 0
    code, printed = await up.command("erasure", "verify", str(certificate), "--key", key.strip().splitlines()[-1])
    assert (code, "valid: account" in printed) == (0, True), printed
    code, printed = await up.command("erasure", "check", "--account", account, "--term", CANARY)
    assert (code, ", 0 left" in printed) == (0, True), printed

    async with session.get(f"/api/v1/knowledge/{shared['id']}", headers=boss.headers) as answer:
        assert answer.status == 200
    async with session.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD}) as answer:
        assert answer.status == 401
    async with session.get("/api/v1/organisation/members", headers=boss.headers) as answer:
        assert account not in await answer.text()
    code, printed = await up.command("rebuild", "tables", "--table", "accounts", "--table", "messages", "--table", "conversations")
    assert code == 0, printed
    async with session.get("/api/v1/organisation/members", headers=boss.headers) as answer:
        assert account not in await answer.text()
