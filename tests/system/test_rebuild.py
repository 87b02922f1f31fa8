"""An index is rebuilt beside the one in use: searches never stop, and what comes meanwhile is in the new one."""

import asyncio
import os
import re
import secrets
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from claw_client import Client
from domain.areas import TOPICS
from domain.retrieval.index_client import IndexClient
from schemas.documents import Shelf
from schemas.requests import CountShelves, ShelfCounts
from streams.clock import SystemClock
from streams.log.publisher import KafkaPublisher
from tests.support.index_readers import Readers, index, search, text, until
from tests.system.conftest import Up, tenant_of

DOCUMENTS = 8


@asynccontextmanager
async def counting(up: Up, tenant: str, knowledge_base: str) -> AsyncIterator[Callable[..., Any]]:
    """``await count(generation)`` asks the index itself."""
    kafka, clock = up.kafka, SystemClock()
    publisher = KafkaPublisher(kafka, TOPICS)
    inquiries = IndexClient(kafka, publisher, clock)
    await publisher.start()
    await inquiries.start()

    async def count(*generations: int) -> tuple[int, ...]:
        ask = CountShelves(knowledge_base_id=knowledge_base, shelves=tuple(Shelf(generation=each) for each in generations))
        trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
        counted = await inquiries.ask(ask, request_id=str(uuid.uuid4()), tenant=tenant, traceparent=trace, timeout_s=20.0)
        assert isinstance(counted, ShelfCounts)
        return counted.points

    try:
        yield count
    finally:
        await inquiries.stop()
        await publisher.stop()


@pytest.fixture
async def library(client: Client) -> Client:
    """Somebody with a few documents."""
    for n in range(DOCUMENTS):
        await client.submit(f"ledger{n}", text(f"ledger{n}"))
    for n in range(DOCUMENTS):
        await client.wait_indexed(f"ledger{n}")
    return client


async def test_another_chunk_size_under_load(up: Up, library: Client) -> None:
    """Every search finds its document all the time, the worker that drives it is killed; what was replaced, deleted and added meanwhile is
    right in the new index; the old one is gone.
    """
    tenant, kb = tenant_of(library), library.knowledge_base
    readers = Readers(library, [f"ledger{n}" for n in range(DOCUMENTS - 1)])
    async with counting(up, tenant, kb) as count:
        (before,) = await count(0)
        async with readers.reading():
            sizes = ("--chunk-tokens", "64", "--chunk-tokens-max", "96", "--timeout", "120")
            building = asyncio.create_task(up.command("rebuild", "index", "--tenant", tenant, "--kb", kb, *sizes))
            newest = 0
            for edition in range(2, 40):
                newest = (await library.submit("ledger0", text("ledger0", edition)))["version"]
                if edition == 3:
                    await library.submit("mill", text("mill"))
                    path = f"{library.documents}/ledger{DOCUMENTS - 1}"
                    async with library.session.delete(path, headers=library.headers) as answer:
                        assert answer.status in (202, 204)
                if edition == 5:
                    killed = up.process("tables")
                    os.kill(killed.pid, signal.SIGKILL)
                await library.wait_indexed("ledger0", version=newest)
                if building.done():
                    break
                await asyncio.sleep(0.3)
            code, printed = await building
        assert code == 0, printed
        await up.restarted("tables", killed)
        assert readers.misses == []
        assert readers.searches > 50
        assert await count(0) == (0,)
        (after,) = await count(1)
    assert re.search(r"\d documents; points: [1-9]\d* in generation 0, [1-9]\d* in generation 1\n", printed), printed
    assert after > 2 * before
    seen = await index(library)
    assert (seen["state"], seen["other"]) == ("steady", None)
    assert (seen["active"]["generation"], seen["active"]["chunk_tokens"], seen["active"]["points"]) == (1, 64, after)
    await library.wait_indexed("ledger0", version=newest)
    versions = {each["version"] for each in await search(library, "sheet about the ledger0") if each["document_id"] == "ledger0"}
    assert versions == {newest}
    assert "mill" in {each["document_id"] for each in await search(library, "sheet about the mill")}
    gone = f"ledger{DOCUMENTS - 1}"
    assert gone not in {each["document_id"] for each in await search(library, f"sheet about the {gone}")}
    await library.submit("later", text("later"))
    await library.wait_indexed("later")
    assert "later" in {each["document_id"] for each in await search(library, "sheet about the later")}


async def test_back_works_while_the_old_one_is_kept(up: Up, library: Client) -> None:
    """Both hold what came since the switch; what is dropped in the end is gone; nobody who searches notices any of it."""
    readers = Readers(library, [f"ledger{n}" for n in range(DOCUMENTS)])
    async with readers.reading(2), counting(up, tenant_of(library), library.knowledge_base) as count:
        asked = await index(library, "POST", "/rebuild", chunk_tokens=64, chunk_tokens_max=96, keep=True)
        assert (asked["state"], asked["other"]["generation"]) == ("building", 1)
        kept = await until(library, lambda seen: seen["state"] == "kept")
        assert (kept["active"]["generation"], kept["other"]["generation"], kept["keep"]) == (1, 0, True)
        assert kept["active"]["points"] > kept["other"]["points"] > 0
        await library.submit("mill", text("mill"))
        await library.wait_indexed("mill")
        back = await index(library, "POST", "/back")
        assert (back["active"]["generation"], back["other"]["generation"]) == (0, 1)
        assert "mill" in {each["document_id"] for each in await search(library, "sheet about the mill")}
        changed = (await library.submit("ledger1", text("ledger1", 2)))["version"]
        await library.wait_indexed("ledger1", version=changed)
        await index(library, "POST", "/drop")
        steady = await until(library, lambda seen: seen["state"] == "steady")
        assert (steady["active"]["generation"], steady["other"]) == (0, None)
        assert await count(1) == (0,)
    assert readers.misses == []
    code, printed = await up.command("rebuild", "status", "--tenant", tenant_of(library), "--kb", library.knowledge_base)
    assert (code, printed.strip()) == (0, f"{library.knowledge_base}: generation 0 is searched (by the settings)")
