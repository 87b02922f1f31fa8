"""Documents of every kind under every death: all end whole or named, what is counted agrees, and no search sees what it must not."""

import asyncio
import json
import os
import signal
from collections import Counter
from typing import Any

import aiohttp
import pytest

from claw_client import Client
from tests.support import file_kinds
from tests.support.found_passages import chunks, search
from tests.system.conftest import records

TERMINAL = {"indexed", "unchanged", "failed", "deleted"}
BULK = 2_000
SEARCHERS = 20


async def upload(client: Client, file: file_kinds.File) -> None:
    form = aiohttp.FormData()
    form.add_field("document_id", file.name)
    form.add_field("file", file.data, filename=file.name, content_type="application/octet-stream")
    async with client.session.post(f"{client.documents}/upload", data=form, headers=client.headers) as answer:
        assert answer.status == 202, await answer.text()


async def listed(client: Client) -> dict[str, dict[str, Any]]:
    """Every document of the knowledge base as the API lists it."""
    found: dict[str, dict[str, Any]] = {}
    cursor = ""
    while True:
        async with client.session.get(client.documents, params={"limit": 100, "cursor": cursor}, headers=client.headers) as answer:
            page = await answer.json()
        found.update((item["document_id"], item) for item in page["items"])
        if not page["next_cursor"]:
            return found
        cursor = page["next_cursor"]


async def settled(client: Client, count: int, timeout_s: float) -> dict[str, dict[str, Any]]:
    """The list once every one of ``count`` documents has come to an end."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = await listed(client)
            if len(found) == count and all(item["state"] in TERMINAL for item in found.values()):
                return found
            await asyncio.sleep(1)


@pytest.mark.timeout(300)
async def test_all_of_it_arrives_whatever_dies_on_the_way(up, owner, upstream):
    """30 files of ten kinds at once by HTTP, 2,000 notes by Kafka, five workers killed: everything ends, once, and the counts agree."""
    mixed = file_kinds.mixed(3)
    sent = [await upstream.send("claw.inbox.default.v1", note(owner.knowledge_base, n), f"note-{n}".encode()) for n in range(BULK)]
    await asyncio.gather(*sent, *(upload(owner, file) for file in mixed))
    for component in ("documents", "tables", "documents", "knowledge", "documents"):
        before = up.process(component)
        os.kill(before.pid, signal.SIGKILL)
        await up.restarted(component, before)
        await asyncio.sleep(0.5)
    found = await settled(owner, BULK + len(mixed), 200)

    for file in mixed:
        item = found[file.name]
        if file.code:
            assert (item["state"], item["problem"]["code"]) == ("failed", file.code), file.name
            assert item["problem"]["remedy"] and item["problem"]["title_zh"] and item["problem"]["remedy_zh"]  # noqa: PT018
        else:
            assert item["state"] == "indexed", (file.name, item)
            assert file.says in " ".join(chunk["text"] for chunk in await chunks(owner, file.name)), file.name
            assert file.name in {hit["document_id"] for hit in await search(owner, file.says)}, file.name
    assert Counter(item["state"] for item in found.values()) == {"indexed": BULK + 24, "failed": 6}

    told: dict[str, Any] = {}
    for record in await records(up, "claw.documents.progressed.v1"):
        if record.value is None:  # of a document that another module erased
            continue
        event = json.loads(record.value)
        if event["data"]["knowledge_base_id"] == owner.knowledge_base:
            told[event["data"]["document_id"]] = event["data"]
    assert {name: data["state"] for name, data in told.items()} == {name: item["state"] for name, item in found.items()}
    for n in range(0, BULK, 97):
        name = f"note-{n}"
        assert len(await chunks(owner, name)) == found[name]["chunks"] == told[name]["chunks"]


def note(knowledge_base: str, n: int) -> bytes:
    said = {
        "knowledge_base_id": knowledge_base,
        "title": f"Note {n}",
        "text": f"Note {n}: the ferry number {n} leaves at {n % 24} o'clock.",
    }
    return json.dumps({"specversion": "1.0", "id": str(n), "source": "/test", "type": "note", "data": said}).encode()


async def test_no_search_sees_two_versions_or_a_deleted_one(owner):
    """A document is replaced 15 times and then deleted while 20 clients search without a pause."""
    seen: list[tuple[float, set[int], int]] = []
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def searching() -> None:
        while not stop.is_set():
            began = loop.time()
            hits = [hit for hit in await search(owner, "harbour lantern", 10) if hit["document_id"] == "harbour"]
            seen.append((began, {hit["version"] for hit in hits}, len(hits)))

    def text(version: int) -> str:
        return "\n\n".join(f"# Part {part}\n\n" + f"The harbour lantern, edition {version}. " * 40 for part in range(6))

    first = await owner.submit("harbour", text(0), media_type="text/markdown")
    await owner.wait_indexed("harbour", version=first["version"])
    acknowledged: list[tuple[float, int]] = []
    searchers = [asyncio.create_task(searching()) for _ in range(SEARCHERS)]
    try:
        for edition in range(1, 16):
            accepted = await owner.submit("harbour", text(edition), media_type="text/markdown")
            await owner.wait_indexed("harbour", version=accepted["version"])
            acknowledged.append((loop.time(), accepted["version"]))
        async with owner.session.delete(f"{owner.documents}/harbour", headers=owner.headers) as answer:
            assert answer.status == 204
        gone = loop.time()
        await asyncio.sleep(1)
    finally:
        stop.set()
        await asyncio.gather(*searchers)
    assert all(len(versions) <= 1 for _, versions, _ in seen)
    assert all(versions for began, versions, _ in seen if began < acknowledged[0][0])  # never out of sight meanwhile
    for began, versions, _ in seen:
        newest = max((version for at, version in acknowledged if at <= began), default=first["version"])
        assert not versions or min(versions) >= newest
        assert not versions or began < gone
    assert sum(1 for began, _, _ in seen if began >= gone) > SEARCHERS


async def test_a_version_that_fails_leaves_the_one_before(owner):
    """The old version answers until the new one works, and the status says both."""
    first = file_kinds.File("report.docx", file_kinds.word("The granary of Alva holds nine tonnes."), "The granary of Alva")
    await upload(owner, first)
    item = (await settled(owner, 1, 60))["report.docx"]
    await upload(owner, file_kinds.File("report.docx", first.data[:600]))
    async with asyncio.timeout(60):
        while (now := (await listed(owner))["report.docx"])["state"] != "failed":
            await asyncio.sleep(0.2)
    assert now["problem"]["code"] == "document_unreadable"
    assert now["visible_version"] == item["version"] < now["version"]
    assert "nine tonnes" in (await search(owner, "granary of Alva"))[0]["text"]


async def test_the_same_again_is_no_work(up, owner):
    text = "The quarry of Sorn closed in 1911. " * 30
    first = await owner.submit("quarry", text)
    await owner.wait_indexed("quarry", version=first["version"])
    again = await owner.submit("quarry", text)
    async with asyncio.timeout(30):
        while (item := (await listed(owner))["quarry"])["version"] < again["version"] or item["state"] == "queued":
            await asyncio.sleep(0.1)
    assert (item["state"], item["visible_version"], item["chunks"]) == ("unchanged", first["version"], 1)
    queued = [json.loads(each.value)["data"] for each in await records(up, "claw.documents.queued.express.v1") if each.value]
    assert sum(each["document"]["document_id"] == "quarry" for each in queued) == 1
    assert (await search(owner, "quarry of Sorn"))[0]["version"] == first["version"]
