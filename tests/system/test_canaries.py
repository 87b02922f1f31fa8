"""Every secret setting of the stack is a canary (``conftest.py``), and so are the sensitive values of live configuration that are set here:
none shows itself anywhere.
"""

import asyncio
import json
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.children.memory import list_children
from claw_client import Client, events
from domain.areas import TOPICS
from ops.commands.topics import broker_name
from ops.stack.credentials import read_credentials
from ops.stack.launch import launch
from schemas.settings import WORKER_GROUPS
from tests.system.conftest import CANARIES, Up, log_in_operator, records

CONFIGURED = {"model_third.api_key": "canary-of-the-live-configuration-9d3c5b"}
ECHO = "benchmarks.stub_provider"  # with a key of its own it refuses ours, and quotes it
SOON_S = 30.0


@pytest.mark.timeout(180)
async def test_no_secret_shows_itself(up: Up, client: Client, session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """In no log, event, metric, response, backup, command line or environment of a program that is not ours; not even when a provider
    quotes the key that it refuses.
    """
    operator = await log_in_operator(up, session)
    async with launch([sys.executable, "-m", ECHO, "--port", "0", "--key", "another"], "listening ", os.environ) as provider:
        try:
            told = await configure(up, session, operator, provider.url)
            told["a reply that failed"] = await fail_to_answer(client)
        finally:
            for name in ("provider", "base_url", "name", "api_key"):
                async with session.delete(f"/api/v1/configs/model_third.{name}", headers=operator) as answer:
                    told[f"DELETE {name}"] = await answer.text()
    told |= await read_metrics(up, session, operator) | await back_up(up, tmp_path)
    code, told["doctor"] = await up.command("doctor")
    assert code == 0, told["doctor"]
    told |= {str(path): path.read_text(errors="replace") for path in up.home.rglob("*.log*") if path.is_file()}
    assert any('"event":"model_call_failed"' in text and "***" in text for text in told.values()), "the provider's words are in a log"
    for record in await records(up, *(broker_name(up.kafka, topic) for topic in TOPICS)):  # inboxes are written by others, who damage them
        told[f"{record.topic} {record.partition} {record.offset}"] = (record.value or b"").decode(errors="replace")
    told |= dict(read_processes(up))
    canaries = CANARIES | CONFIGURED | passwords_of(up)
    assert [(where, name) for where, text in told.items() for name, canary in canaries.items() if canary in text] == []


def passwords_of(up: Up) -> dict[str, str]:
    """Of the embedded servers."""
    credentials = read_credentials(up.home)
    assert credentials is not None
    return {"password of Kafka": credentials.kafka.reveal()}


async def configure(up: Up, session: aiohttp.ClientSession, operator: dict[str, str], url: str) -> dict[str, str]:
    """A fallback with a canary as its key; everything that shows configuration."""
    told = {}
    for name, value in {"base_url": url, "name": "stub", "provider": "openai"}.items():
        async with session.put(f"/api/v1/configs/model_third.{name}", json={"value": value}, headers=operator) as answer:
            told[name] = await answer.text()
            assert answer.status == 200, told[name]
    (key, canary) = next(iter(CONFIGURED.items()))
    code, told["set"] = await up.command("config", "set", key, "--stdin", typed=f"{canary}\n")
    assert code == 0, told["set"]
    for arguments in (("get",), ("get", key, "--json"), ("history", key), ("export",)):
        code, told[" ".join(arguments)] = await up.command("config", *arguments)
        assert code == 0, told
    for method, path, body in (
        ("GET", "/configs?limit=100", None),
        ("GET", f"/configs/{key}/history", None),
        ("POST", "/configs/export", {}),
        ("PUT", f"/configs/{key}", {"value": f"{canary}\n"}),
        ("POST", "/configs/import", {"values": {key: [canary]}}),
    ):
        async with session.request(method, f"/api/v1{path}", json=body, headers=operator) as answer:
            told[f"{method} {path}"] = await answer.text()
            assert answer.status in {200, 201, 422}, told
    async with asyncio.timeout(SOON_S):
        while True:
            async with session.get(f"/api/v1/configs/{key}/propagation", headers=operator) as answer:
                if (await answer.json())["in_force"]:
                    return told
            await asyncio.sleep(0.05)


async def fail_to_answer(client: Client) -> str:
    """What a stream says when the model failed and the fallback refuses its key."""
    conversation = await client.create_conversation(mode="assistant")
    async with client.ask(conversation, "Who are you? [[fault=401]]") as answer:
        sent = [each async for each in events(answer.content)]
    assert sent[-1].name == "failed", sent
    return json.dumps([each.data for each in sent])


async def read_metrics(up: Up, session: aiohttp.ClientSession, operator: dict[str, str]) -> dict[str, str]:
    told = {}
    urls = {"/metrics": operator} | {f"http://{up.process(group).where}/metrics": {} for group in WORKER_GROUPS}
    for url, headers in urls.items():
        async with session.get(url, headers=headers) as answer:
            told[url] = await answer.text()
            assert "claw_" in told[url]
    return told


async def back_up(up: Up, folder: Path) -> dict[str, str]:
    """What the commands print, and every byte of the backup."""
    told, path = {}, folder / "backup.tar"
    for arguments in ((str(path),), ("verify", str(path))):
        code, told[f"backup {arguments[0]}"] = await up.command("backup", *arguments)
        assert code == 0, told
    with tarfile.open(path) as archive:
        told["names in the backup"] = "\n".join(archive.getnames())
    return told | {"the backup": path.read_bytes().decode("latin-1")}


def read_processes(up: Up) -> Iterator[tuple[str, Any]]:
    """Command lines of all processes of the stack, and environments of those that are not ours or read what strangers write."""
    state = up.state
    ours = {state.supervisor.pid, *(state.components[name].pid for name in (*WORKER_GROUPS, "api"))}
    found = [state.supervisor.pid]
    for pid in found:  # which grows meanwhile
        found += list_children(pid)
    assert len(found) > len(ours) + 2
    for pid in found:
        try:
            command, environ = (Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace") for name in ("cmdline", "environ"))
        except OSError:  # it has ended
            continue
        yield f"command line of {pid}", command
        if pid not in ours and "ops.stack.fork_server" not in command:
            yield f"environment of {command}", environ
