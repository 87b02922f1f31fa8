"""Configuration changed while a stack runs: every process takes it, the next question shows it, and a secret is nowhere."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from claw_client import Client
from claw_client.events import events
from tests.system.conftest import Up, records

PASSWORD = "a long test passphrase"
CANARY = "sk-canary-9d3c5b"
EVERYWHERE_S = 1.0  # the promise; measured by `make bench BENCH=configs`
BUSY = 10  # times as long on a machine that does other things


@pytest.fixture
async def operator(up: Up, session: aiohttp.ClientSession) -> AsyncIterator[dict[str, str]]:
    """The headers of an operator; what was changed is reset."""
    email = f"{uuid.uuid4().hex}@example.org"
    code, printed = await up.command("admin", "create", email, "--password-stdin", typed=f"{PASSWORD}\n")
    assert code == 0, printed
    async with session.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD}) as answer:
        headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
    yield headers
    for key in ("retrieval.passages", "model.max_tokens", "model_third.api_key"):
        async with session.delete(f"/api/v1/configs/{key}", headers=headers) as answer:
            assert answer.status == 200


async def test_a_change_reaches_every_process_and_shows_in_the_next_answer(up: Up, client: Client, operator: dict[str, str]):
    for number in range(3):
        await client.submit(f"ferry-{number}", f"The ferry number {number} to Hooge crosses the strait in {20 + number} minutes.")
        await client.wait_indexed(f"ferry-{number}")
    assert await count_passages(client) > 1
    async with up.replica() as url, aiohttp.ClientSession(base_url=url) as other:
        code, printed = await up.command("config", "set", "retrieval.passages", "0")
        assert (code, "retrieval.passages" in printed) == (1, True), printed
        before = await propagation(other, operator)
        body = {"value": 1, "reason": "short answers"}
        began_s = time.monotonic()
        async with client.session.put("/api/v1/configs/retrieval.passages", json=body, headers=operator) as answer:
            assert answer.status == 200, await answer.text()
        while not (shown := await propagation(other, operator))["in_force"]:
            assert time.monotonic() - began_s < BUSY * EVERYWHERE_S, shown
        assert {each["component"] for each in shown["processes"]} == {"api", "knowledge", "chat", "documents", "tables"}
        assert len(shown["processes"]) == 6
        assert shown["revision"] == before["revision"] + 1
    assert await count_passages(client) == 1
    code, printed = await up.command("config", "set", "model.max_tokens", "2")
    assert (code, printed) == (0, "model.max_tokens is at revision 1\n")
    async with asyncio.timeout(BUSY * EVERYWHERE_S):
        while not (await propagation(client.session, operator, "model.max_tokens"))["in_force"]:
            await asyncio.sleep(0.05)
    assert await finish_reason(client) == "length"
    code, printed = await up.command("config", "history", "retrieval.passages")
    assert (code, "short answers" in printed.splitlines()[0]) == (0, True), printed
    code, printed = await up.command("config", "set", "node.log_level", "error")
    assert (code, "CLAW_LOG_LEVEL is set in the environment of api (1 process), chat (1 process)" in printed) == (1, True), printed


async def test_a_sensitive_value_is_in_no_record_and_no_log(up: Up, operator: dict[str, str]):
    """Nor on a command line: it comes from standard input."""
    code, printed = await up.command("config", "set", "model_third.api_key", CANARY)
    assert (code, "--stdin" in printed, CANARY in printed) == (2, True, False), printed
    code, printed = await up.command("config", "set", "model_third.api_key", "--stdin", typed=f"{CANARY}\n")
    assert code == 0, printed
    for arguments in (("get",), ("get", "model_third.api_key", "--json"), ("history", "model_third.api_key"), ("export",)):
        code, told = await up.command("config", *arguments)
        assert code == 0, told
        printed += told
    async with asyncio.timeout(BUSY * EVERYWHERE_S), aiohttp.ClientSession(base_url=up.url) as session:
        while not (await propagation(session, operator, "model_third.api_key"))["in_force"]:
            await asyncio.sleep(0.05)
    logs = [path.read_text(errors="replace") for path in up.home.rglob("*.log*") if path.is_file()]
    assert any("model_third.api_key" in text for text in logs)
    written = [record.value or b"" for topic in ("changed", "recorded") for record in await records(up, f"claw.configs.{topic}.v1")]
    assert any(b"model_third.api_key" in value for value in written)
    for text in (printed, *logs, *(value.decode() for value in written)):
        assert CANARY not in text


async def count_passages(client: Client) -> int:
    """Of the passages that an answer is made from."""
    conversation = await client.create_conversation()
    async with client.ask(conversation, "How long does the ferry to Hooge take?") as answer:
        async for sent in events(answer.content):
            if sent.name == "retrieved":
                return len(sent.data["passages"])
    raise AssertionError("the stream ended before it said what was retrieved")


async def finish_reason(client: Client) -> str:
    """Of an answer."""
    conversation = await client.create_conversation()
    async with client.ask(conversation, "How long does the ferry to Hooge take?") as answer:
        async for sent in events(answer.content):
            if sent.name == "completed":
                return str(sent.data["finish_reason"])
    raise AssertionError("the answer was not completed")


async def propagation(session: aiohttp.ClientSession, headers: dict[str, str], key: str = "retrieval.passages") -> dict[str, Any]:
    async with session.get(f"/api/v1/configs/{key}/propagation", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return dict(json.loads(await answer.read()))
