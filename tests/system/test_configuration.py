"""Configuration changed while a stack runs: every process takes it, the next question shows it, and a secret is nowhere."""

import asyncio
import json
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from benchmarks.stub_process import launch_stub_provider, stub_model
from claw_client import Client
from claw_client.events import events
from tests.system.conftest import PASSWORD, OwnStack, Up, log_in_operator, records

CANARY = "sk-canary-9d3c5b"
EVERYWHERE_S = 1.0  # the promise; measured by `make bench BENCH=configs`
BUSY = 10  # times as long on a machine that does other things


@pytest.fixture
async def operator(up: Up, session: aiohttp.ClientSession) -> AsyncIterator[dict[str, str]]:
    """The headers of an operator; what was changed is reset."""
    headers = await log_in_operator(up, session)
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
    assert await completion_tokens(client) == 2
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


async def test_a_staged_value_outlives_its_process_and_is_rolled_back_by_its_guard(up: Up, client: Client, operator: dict[str, str]):
    """In the worker that retrieves, whose steps take longer than the guard allows; the others keep the value from before."""
    for number in range(3):
        await client.submit(f"ferry-{number}", f"The ferry number {number} to Hooge crosses the strait in {20 + number} minutes.")
        await client.wait_indexed(f"ferry-{number}")
    metric = {"name": "claw_agent_step_seconds", "labels": {"agent": "retrieve"}}
    guard = json.dumps({"metric": metric, "threshold": 0, "observations_min": 2})
    code, printed = await up.command("config", "stage", "retrieval.passages", "1", "--worker", "knowledge", "--guard", guard)
    assert code == 0, printed

    async def staged() -> dict[str, bool]:
        shown = await propagation(client.session, operator)
        return {each["component"]: each["staged"] for each in shown["processes"] if each["revision"] == shown["revision"]}

    everywhere = {"api": False, "knowledge": True, "chat": False, "documents": False, "tables": False}
    async with asyncio.timeout(BUSY * EVERYWHERE_S):
        while await staged() != everywhere:
            await asyncio.sleep(0.05)
    before = up.process("knowledge")
    os.kill(before.pid, signal.SIGKILL)
    await up.restarted("knowledge", before)
    await up.ready()
    assert await count_passages(client) == 1
    assert await count_passages(client) <= 3  # the second step that the guard sees; it may be rolled back by now
    async with asyncio.timeout(2 * BUSY * EVERYWHERE_S):
        while any((await staged()).values()):
            await asyncio.sleep(0.05)
    code, printed = await up.command("config", "history", "retrieval.passages")
    assert (code, "guard" in printed.splitlines()[0], "claw_agent_step_seconds" in printed.splitlines()[0]) == (0, True, True), printed
    assert await count_passages(client) > 1


async def test_models_and_log_level_change_in_running_workers_and_outlive_the_api(own_stack: OwnStack, tmp_path: Path):
    """On a stack whose environment names no model: another name, then a fallback for one that fails, answer the next question; and both
    can be chosen as soon as they are there.
    """
    async with launch_stub_provider() as provider:
        settings = {name: value for name, value in stub_model(provider.url, "").items() if value} | {"CLAW_CACHE_ANSWERS": "provider"}
        async with own_stack(tmp_path / "home", settings) as (up, session):
            client = await Client.register(session, f"{uuid.uuid4().hex}@example.org", PASSWORD)

            operator = await log_in_operator(up, session)

            async def change(**values: str) -> None:
                for name, value in values.items():
                    path = f"/api/v1/configs/{name.replace('__', '.')}"
                    async with session.put(path, json={"value": value}, headers=operator) as answer:
                        assert answer.status == 200, await answer.text()

            async def say(key: str, value: str) -> bool:
                """Whether the chat worker logs this change at info, once it has taken it."""
                await change(**{key.replace(".", "__"): value})
                async with asyncio.timeout(BUSY * EVERYWHERE_S):
                    while not (await propagation(session, operator, key))["in_force"]:
                        await asyncio.sleep(0.05)
                await asyncio.sleep(0.2)  # on its way into the file
                return f'"key":"{key}"' in (tmp_path / "home" / "logs" / "chat.log").read_text(encoding="utf-8")

            await change(model__name="stub?tokens=3")
            assert await answering_model(client, "stub?tokens=3") < BUSY * EVERYWHERE_S
            await change(model_second__base_url=provider.url, model_second__name="stub?tokens=4", model_second__provider="openai")
            await check_choice(client, "stub?tokens=3", "stub?tokens=4")
            await change(model__name="stub?fault=401")
            assert await answering_model(client, "stub?tokens=4") < BUSY * EVERYWHERE_S
            heard = await ask(client, await client.create_conversation(mode="assistant", model="stub?fault=401"), "Who else?")
            assert heard["model"] == "stub?tokens=4"  # stands in for the chosen one
            assert not await say("node.log_level", "error")
            assert not await say("model.reasoning_effort", "low")
            assert await say("node.log_level", "info")
            before = up.process("api")
            os.kill(before.pid, signal.SIGKILL)
            await up.restarted("api", before)
            await up.ready()
            async with session.get("/api/v1/configs/model.name/history", headers=operator) as answer:
                assert [each["revision"] for each in (await answer.json())["items"]] == [2, 1]
            assert await answering_model(client, "stub?tokens=4") < BUSY * EVERYWHERE_S


async def check_choice(client: Client, first: str, second: str) -> None:
    """Two conversations and a question are answered by the models that they name, and share no cached answer."""
    async with client.session.get("/api/v1/models", headers=client.headers) as answer:
        assert [(each["name"], each["default"]) for each in (await answer.json())["items"]] == [(first, True), (second, False)]
    question = f"Who are you {uuid.uuid4().hex}?"

    async def heard(of_conversation: str, model: str = "") -> tuple[str, bool]:
        conversation = await client.create_conversation(mode="assistant", model=of_conversation)
        completed = await ask(client, conversation, question, model)
        return completed["model"], completed["cached"]

    async with asyncio.timeout(BUSY * EVERYWHERE_S):
        while (await heard(second))[0] != second:  # until the chat worker has it, too
            await asyncio.sleep(0.05)
    assert [await heard(first), await heard(first), await heard(second), await heard(first, second)] == [
        (first, False),
        (first, True),
        (second, True),
        (second, True),
    ]


async def ask(client: Client, conversation: str, question: str, model: str = "") -> dict[str, Any]:
    """The data of ``completed``."""
    async with client.ask(conversation, question, model=model) as answer:
        sent = [each async for each in events(answer.content)]
    assert sent[-1].name == "completed", sent[-1]
    return dict(sent[-1].data)


async def answering_model(client: Client, name: str) -> float:
    """Seconds until this model answers; fails after a while."""
    began_s, conversation = time.monotonic(), await client.create_conversation(mode="assistant")
    while True:
        async with client.ask(conversation, "Who are you?") as answer:
            ended = [sent.data async for sent in events(answer.content) if sent.name in {"completed", "failed"}]
        if ended[0].get("model") == name:
            return time.monotonic() - began_s
        assert time.monotonic() - began_s < BUSY * EVERYWHERE_S, ended


async def count_passages(client: Client) -> int:
    """Of the passages that an answer is made from."""
    conversation = await client.create_conversation()
    async with client.ask(conversation, "How long does the ferry to Hooge take?") as answer:
        async for sent in events(answer.content):
            if sent.name == "retrieved":
                return len(sent.data["passages"])
    raise AssertionError("the stream ended before it said what was retrieved")


async def completion_tokens(client: Client) -> int:
    """Of an answer."""
    conversation = await client.create_conversation()
    async with client.ask(conversation, "How long does the ferry to Hooge take?") as answer:
        async for sent in events(answer.content):
            if sent.name == "completed":
                return int(sent.data["usage"]["completion_tokens"])
    raise AssertionError("the answer was not completed")


async def propagation(session: aiohttp.ClientSession, headers: dict[str, str], key: str = "retrieval.passages") -> dict[str, Any]:
    async with session.get(f"/api/v1/configs/{key}/propagation", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return dict(json.loads(await answer.read()))
