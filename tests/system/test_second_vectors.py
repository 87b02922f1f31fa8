"""The second vector through the whole stack: found by the table at once, by the encoder after it, and gone with its document."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from adapters.embedders import sentences
from adapters.embedders.local import table_folder
from adapters.embedders.query import SECOND_VECTOR
from claw_client import Client
from ops.stack.launch import stack
from schemas.settings import RetrievalSettings
from tests.support.index_readers import search

NOTES = {
    "leave": "员工每年享有十五天带薪休假。",
    "canteen": "食堂每天中午十二点开始供应午餐。",
    "parking": "停车场位于地下二层，周末关闭。",
}
QUESTION = "How many days of annual leave does an employee get?"
ENCODED_S_MAX = 120.0  # idle priority on a machine that others use


async def dense(client: Client) -> dict[str, float]:
    """What the dense leg says of each document that the search finds."""
    found: list[dict[str, Any]] = await search(client, QUESTION)
    return {each["document_id"]: each["dense"] for each in found}


@pytest.mark.timeout(400)  # two starts of the stack
async def test_second_vectors_follow_the_documents(tmp_path: Path) -> None:
    """Searchable without them; scored by the encoder once they are there, in cached searches too; gone with their document."""
    encoder = sentences.load(table_folder(RetrievalSettings()))
    question = encoder.embed([QUESTION])[0]
    expected = {name: float((encoder.embed_passages([text])[0] @ question).max()) + SECOND_VECTOR.offset for name, text in NOTES.items()}

    def is_encoded(seen: dict[str, float], name: str) -> bool:
        return name in seen and seen[name] == pytest.approx(expected[name], abs=2e-3)

    async def until_encoded(client: Client, *names: str) -> None:
        async with asyncio.timeout(ENCODED_S_MAX):
            while not all(is_encoded(seen, name) for seen in [await dense(client)] for name in names):
                await asyncio.sleep(0.5)

    given = {"CLAW_LIMIT_ENABLED": "false"}
    async with stack(tmp_path, given, show=True) as up, aiohttp.ClientSession(base_url=up.url) as session:
        client = owner = await Client.register(session, "owner@example.org", "a long test passphrase")
        await client.submit("leave", NOTES["leave"])
        await client.wait_indexed("leave")
        assert not is_encoded(await dense(client), "leave")
    given["CLAW_RETRIEVAL_ENCODER"] = "multilingual"
    async with stack(tmp_path, given, show=True) as up, aiohttp.ClientSession(base_url=up.url) as session:
        client = Client(session, owner.headers, owner.knowledge_base)
        await until_encoded(client, "leave")
        for name in ("canteen", "parking"):
            await client.submit(name, NOTES[name])
        for name in ("canteen", "parking"):
            await client.wait_indexed(name)
        assert set(await dense(client)) == set(NOTES)  # at once
        await until_encoded(client, *NOTES)
        assert max(expected, key=expected.__getitem__) == next(iter(await dense(client))) == "leave"
        async with session.delete(f"{client.documents}/leave", headers=client.headers) as answer:
            assert answer.status == 202, await answer.text()
        async with asyncio.timeout(30):
            while "leave" in await dense(client):
                await asyncio.sleep(0.1)
        await asyncio.sleep(2)  # whatever was on its way has arrived
        assert set(await dense(client)) == {"canteen", "parking"}
