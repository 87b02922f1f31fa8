"""An installation whose index was built by another embedding, which is replaced without a pause, and its second vectors: a document is
found by the table at once, by the encoder after it.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.embedders import multilingual, sentences, wordllama
from adapters.embedders.local import table_folder
from adapters.embedders.query import SECOND_VECTOR
from adapters.index.port import index_name
from claw_client import Client
from schemas.settings import RetrievalSettings
from tests.support.index_readers import Readers, index, search, text, until
from tests.system.conftest import OwnStack, Up

DOCUMENTS = 8
BEFORE, AFTER = index_name(wordllama.NAME), index_name(multilingual.NAME)
NOTES = {
    "leave": "员工每年享有十五天带薪休假。",
    "canteen": "食堂每天中午十二点开始供应午餐。",
    "parking": "停车场位于地下二层，周末关闭。",
}
QUESTION = "How many days of annual leave does an employee get?"


ENCODED_S_MAX = 120.0  # idle priority on a machine that others use


async def doctor(up: Up) -> tuple[int, str]:
    """The exit code, and what is said of the indexes."""
    code, printed = await up.command("doctor")
    (line,) = [line for line in printed.splitlines() if " indexes " in line]
    return code, line


async def submit_all(client: Client, documents: Mapping[str, str]) -> None:
    """And wait until all can be found."""
    for name, content in documents.items():
        await client.submit(name, content)
    for name in documents:
        await client.wait_indexed(name)


class EncodedNotes:
    """What the encoder says of the notes, and what the dense leg of a search says of each document that it finds."""

    def __init__(self, client: Client) -> None:
        encoder = sentences.load(table_folder(RetrievalSettings()))
        question = encoder.embed([QUESTION])[0]
        scores = {name: float((encoder.embed_passages([note])[0] @ question).max()) for name, note in NOTES.items()}
        self.client, self.expected = client, {name: score + SECOND_VECTOR.offset for name, score in scores.items()}

    async def dense(self) -> dict[str, float]:
        return {each["document_id"]: each["dense"] for each in await search(self.client, QUESTION)}

    async def encoded(self) -> set[str]:
        seen = await self.dense()
        return {name for name, score in self.expected.items() if name in seen and seen[name] == pytest.approx(score, abs=2e-3)}

    async def until_encoded(self, *names: str) -> None:
        async with asyncio.timeout(ENCODED_S_MAX):
            while not await self.encoded() >= set(names):
                await asyncio.sleep(0.2)


@pytest.mark.timeout(400)  # four starts of the stack
async def test_an_index_of_another_embedding_is_replaced_and_gets_second_vectors(tmp_path: Path, own_stack: OwnStack) -> None:
    """One installation, started four times, each time with other settings of retrieval."""
    names = [f"ledger{n}" for n in range(DOCUMENTS)]
    async with own_stack(tmp_path, {"CLAW_RETRIEVAL_EMBEDDING": "wordllama"}) as (_, session):
        owner = await Client.register(session, "owner@example.org", "a long test passphrase")
        await submit_all(owner, {name: text(name) for name in names} | {"leave": NOTES["leave"]})
        before = await index(owner)
        assert before["active"]["outdated_index"] is None
    async with own_stack(tmp_path, {"CLAW_RETRIEVAL_REBUILD_AUTOMATICALLY": "false"}) as (up, session):
        await is_searched_as_it_is(up, Client(session, owner.headers, owner.knowledge_base), names, before)
    async with own_stack(tmp_path, {}) as (up, session):
        await is_replaced(up, Client(session, owner.headers, owner.knowledge_base), [*names, "mill"], before)
    async with own_stack(tmp_path, {"CLAW_RETRIEVAL_ENCODER": "multilingual"}) as (_, session):
        assert [folder.name for folder in (tmp_path / "index").iterdir()] == [AFTER]
        await gets_second_vectors(Client(session, owner.headers, owner.knowledge_base))


async def is_searched_as_it_is(up: Up, client: Client, names: list[str], before: dict[str, Any]) -> None:
    """Where a setting forbids its rebuild every search finds its document, and what is new is found, too."""
    seen = await index(client)
    assert (seen["state"], seen["active"]["outdated_index"]) == ("steady", BEFORE)
    assert seen["active"]["points"] == before["active"]["points"]
    await submit_all(client, {"mill": text("mill")})
    readers = Readers(client, [*names, "mill"])
    async with readers.reading(1):
        status, line = await doctor(up)
        await asyncio.sleep(1)
    assert (status, BEFORE in line) == (1, True), line
    assert readers.misses == []


async def is_replaced(up: Up, client: Client, names: list[str], before: dict[str, Any]) -> None:
    """Every search finds its document during the rebuild and after it; and what comes meanwhile is in the new index."""
    readers = Readers(client, names)
    async with readers.reading(2):
        await submit_all(client, {"dike": text("dike")})
        after = await until(client, lambda seen: seen["state"] == "steady" and seen["active"]["generation"] == 1)
        await asyncio.sleep(1)
    assert readers.misses == []
    assert readers.searches > 20
    assert after["active"]["outdated_index"] is None
    assert after["active"]["points"] > before["active"]["points"]
    assert (await search(client, QUESTION))[0]["document_id"] == "leave"
    assert "dike" in {each["document_id"] for each in await search(client, "sheet about the dike")}
    assert "as the settings say" in (await doctor(up))[1]
    assert await EncodedNotes(client).encoded() == set()


async def gets_second_vectors(client: Client) -> None:
    """What is indexed stays searchable without them; scored by the encoder once they are there, in cached searches too; gone with its
    document.
    """
    notes = EncodedNotes(client)
    assert next(iter(await notes.dense())) == "leave"
    await notes.until_encoded("leave")
    await submit_all(client, {name: NOTES[name] for name in ("canteen", "parking")})
    assert set(await notes.dense()) >= set(NOTES)  # at once
    await notes.until_encoded(*NOTES)
    assert max(notes.expected, key=notes.expected.__getitem__) == next(iter(await notes.dense())) == "leave"
    async with client.session.delete(f"{client.documents}/leave", headers=client.headers) as answer:
        assert answer.status == 204, await answer.text()
    async with asyncio.timeout(30):
        while "leave" in await notes.dense():
            await asyncio.sleep(0.1)
    await asyncio.sleep(2)  # whatever was on its way has arrived
    found = set(await notes.dense())
    assert "leave" not in found
    assert found >= {"canteen", "parking"}
