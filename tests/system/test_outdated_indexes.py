"""An installation whose index was built by another embedding: it is searched as it is, and replaced without a pause."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from adapters.embedders import multilingual, wordllama
from adapters.index.port import index_name
from claw_client import Client
from ops.stack.launch import PROJECT, stack
from tests.support.index_readers import Readers, index, search, text, until
from tests.system.conftest import Up

DOCUMENTS = 8
BEFORE, AFTER = index_name(wordllama.NAME), index_name(multilingual.NAME)
NOTES = {
    "leave": "员工每年享有十五天带薪休假。",
    "canteen": "食堂每天中午十二点开始供应午餐。",
    "parking": "停车场位于地下二层，周末关闭。",
}
QUESTION = "How many days of annual leave does an employee get?"


@asynccontextmanager
async def installation(home: Path, **settings: str) -> AsyncIterator[tuple[Up, aiohttp.ClientSession]]:
    """The stack in ``home`` until the block ends; a start after another one finds what that left."""
    given = {"CLAW_LIMIT_ENABLED": "false"} | {f"CLAW_RETRIEVAL_{name.upper()}": value for name, value in settings.items()}
    async with stack(home, given, show=True) as running, aiohttp.ClientSession(base_url=running.url) as session:
        yield Up(running.url, home, given), session


async def doctor(up: Up) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.cli", "doctor"), cwd=PROJECT, env=up.environ, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    (line,) = [line for line in printed.decode().splitlines() if " indexes " in line]
    return process.returncode or 0, line


@pytest.mark.timeout(400)  # four starts of the stack
async def test_an_index_of_another_embedding_is_searched_and_replaced(tmp_path: Path) -> None:
    """Every search finds its document: before the rebuild, during it and after it; and what comes meanwhile is in the new index."""
    names = [f"ledger{n}" for n in range(DOCUMENTS)]
    async with installation(tmp_path, embedding="wordllama") as (up, session):
        client = owner = await Client.register(session, "owner@example.org", "a long test passphrase")
        for name in names:
            await client.submit(name, text(name))
        for name, note in NOTES.items():
            await client.submit(name, note)
        for name in (*names, *NOTES):
            await client.wait_indexed(name)
        before = await index(client)
        assert before["active"]["outdated_index"] is None
    async with installation(tmp_path, rebuild_automatically="false") as (up, session):
        client = Client(session, owner.headers, owner.knowledge_base)
        seen = await index(client)
        assert (seen["state"], seen["active"]["outdated_index"]) == ("steady", BEFORE)
        assert seen["active"]["points"] == before["active"]["points"]
        status, line = await doctor(up)
        assert (status, BEFORE in line) == (1, True), line
        await client.submit("mill", text("mill"))
        await client.wait_indexed("mill")
        readers = Readers(client, [*names, "mill"])
        async with readers.reading(1):
            await asyncio.sleep(2)
        assert readers.misses == []
    async with installation(tmp_path) as (up, session):
        client = Client(session, owner.headers, owner.knowledge_base)
        readers = Readers(client, [*names, "mill"])
        async with readers.reading(2):
            await client.submit("dike", text("dike"))
            await client.wait_indexed("dike")
            after = await until(client, lambda seen: seen["state"] == "steady" and seen["active"]["generation"] == 1)
            await asyncio.sleep(1)
        assert readers.misses == []
        assert readers.searches > 20
        assert after["active"]["outdated_index"] is None
        assert after["active"]["points"] > before["active"]["points"]
        assert (await search(client, QUESTION))[0]["document_id"] == "leave"
        assert "dike" in {each["document_id"] for each in await search(client, "sheet about the dike")}
        assert "as the settings say" in (await doctor(up))[1]
    async with installation(tmp_path) as (up, session):
        client = Client(session, owner.headers, owner.knowledge_base)
        assert (await search(client, QUESTION))[0]["document_id"] == "leave"
        assert [folder.name for folder in (tmp_path / "index").iterdir()] == [AFTER]
