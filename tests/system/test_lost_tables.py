"""Redis loses its data under the whole stack: readiness says so, nothing that exists is called absent, and it comes back by itself."""

import asyncio
import os
import signal
import time

import aiohttp
import pytest

from claw_client import Client, events
from tests.support.pdf_writer import Page, pdf
from tests.system.conftest import Up

HONEST_S_MAX = 3.0  # until readiness says it
BACK_S_MAX = 20.0  # until everything is as before; about 4 s on an idle machine


@pytest.mark.timeout(240)
async def test_a_redis_that_comes_back_empty(up: Up, client: Client):
    """Killed, and its file is gone: a running reply ends for its reader, the key and the document are known, and what was said stays."""
    await client.submit("mill", "The windmill of Nebel was built in 1771 and ground grain until 1963.")
    await client.wait_indexed("mill")
    versions = [await _upload(client, "boat", pdf(Page().text(50, 700, f"The boat leaves at {hour} in the morning."))) for hour in (6, 7)]
    conversation = await client.create_conversation()
    async with client.session.post("/api/v1/api-keys", json={"name": "mill"}, headers=client.headers) as made:
        key = {"Authorization": f"Bearer {(await made.json())['key']}"}
    document = f"{client.documents}/mill"
    seen: list[str] = []
    async with asyncio.timeout(90), client.ask(conversation, "When was the windmill of Nebel built?") as answer:
        async for sent in events(answer.content):
            seen.append(sent.name)
            if sent.name == "accepted":
                stream = f"/api/v1/conversations/{conversation}/replies/{sent.data['reply_id']}/stream"
            if sent.name == "delta" and seen.count("delta") == 1:  # a busy machine says the rest in one
                (up.home / "redis" / "appendonly.aof").unlink()
                os.kill(up.process("redis").pid, signal.SIGKILL)
                watching = asyncio.create_task(_watch(client, document, key))
    assert seen[-1] == "completed", seen
    told, statuses, back_s = await watching
    assert told <= HONEST_S_MAX
    assert statuses <= {200, 503}, "and never 401 or 404"
    assert back_s <= BACK_S_MAX
    async with client.session.get(f"{client.documents}/boat/versions", headers=client.headers) as answer:
        kept = [(each["version"], each["state"]) for each in (await answer.json())["items"]]
    assert kept == [(versions[1], "present"), (versions[0], "replaced")]
    async with client.session.get(stream, headers=client.headers) as answer:
        assert answer.status == 200
        assert [sent.name async for sent in events(answer.content)][-1] == "completed"
    roles: list[str] = []
    async with asyncio.timeout(5):  # what ended while Redis was away, the projector brings
        while roles != ["assistant", "user"]:
            async with client.session.get(f"/api/v1/conversations/{conversation}/messages", headers=client.headers) as found:
                roles = sorted(each["role"] for each in (await found.json())["items"])
    _, printed = await up.command("doctor")
    assert "as the log describes them" in printed
    async with client.session.delete(document, headers=client.headers) as answer:
        assert answer.status in {202, 204}
    await up.ready()


async def _upload(client: Client, document: str, data: bytes) -> int:
    """Its version, once it is searchable."""
    form = aiohttp.FormData({"document_id": document})
    form.add_field("file", data, filename=f"{document}.pdf", content_type="application/pdf")
    async with client.session.post(f"{client.documents}/upload", data=form, headers=client.headers) as answer:
        version = int((await answer.json())["version"])
    await client.wait_indexed(document, version=version)
    return version


async def _watch(client: Client, document: str, key: dict[str, str]) -> tuple[float, set[int], float]:
    """Ask all the time: the seconds until readiness named the tables, all statuses meanwhile, the seconds until all is well."""
    began, told, statuses = time.monotonic(), None, set[int]()
    while True:
        async with client.session.get("/readyz") as answer:
            ready = await answer.json()
        if told is None and "tables" in ready["down"]:
            told = time.monotonic() - began
        for path, headers in ((document, client.headers), (document, key), ("/api/v1/users/me", key)):
            async with client.session.get(path, headers=headers) as answer:
                statuses.add(answer.status)
        if told is not None and ready["status"] == "ready" and answer.status == 200:
            return told, statuses, time.monotonic() - began
        assert time.monotonic() - began < 60, ready
        await asyncio.sleep(0.05)
