"""Records whose key is not their subject: who wins, what deletes, and what never comes back. Seen from outside, on the real broker."""

import asyncio
import json
import os
import signal
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from adapters.redis.client import connect
from claw_client import Client
from tests.support.found_passages import search
from tests.system.conftest import Up

INBOX = "claw.inbox.default.v1"
WAIT_S = 40


def event(base: str, subject: str, text: str = "") -> bytes:
    data = {"knowledge_base_id": base, "text": text or f"The ferry {subject} lands at noon."}
    written = {"specversion": "1.0", "id": uuid.uuid4().hex, "source": "/crm", "type": "note", "subject": subject, "data": data}
    return json.dumps(written).encode()


def within(owner: Client, **names: str) -> list[tuple[str, bytes]]:
    """Headers of a record without a value: its knowledge base, and names."""
    return [("ce_knowledgebaseid", owner.knowledge_base.encode()), *((f"ce_{name}", value.encode()) for name, value in names.items())]


async def deleted(owner: Client, *documents: str) -> None:
    async with asyncio.timeout(WAIT_S):
        for document in documents:
            while await owner.document(document):
                await asyncio.sleep(0.05)
    found = {passage["document_id"] for passage in await search(owner, "ferry lands at noon", 50)}
    assert not found.intersection(documents)


async def indexed(owner: Client, *documents: str) -> None:
    """``unchanged``: what a late older record could not change."""
    async with asyncio.timeout(WAIT_S):
        for document in documents:
            while (state := (await owner.document(document)).get("state")) not in ("indexed", "unchanged"):
                assert state != "failed"
                await asyncio.sleep(0.05)


async def shown(owner: Client, document: str, text: str) -> None:
    """Until a search finds this text of the document."""
    async with asyncio.timeout(WAIT_S):
        while text not in {passage["text"] for passage in await search(owner, text, 50) if passage["document_id"] == document}:
            await asyncio.sleep(0.1)


async def test_either_name_deletes(owner: Client, upstream: AIOKafkaProducer) -> None:
    """The subject is the id. A record without a value deletes by the key, by the subject as its key, by the header; of several documents
    under one key by the header one, by the key all; by a key that is no text; and only in its knowledge base.
    """
    base, long_key = owner.knowledge_base, (42).to_bytes(8, "big")
    written = {
        b"crm-1": ["by-key"],
        b"crm-2": ["by-subject"],
        b"crm-3": ["one", "two", "three"],
        long_key: ["by-number"],
        b"crm-4": ["moved"],
    }
    for key, subjects in written.items():
        for subject in subjects:
            await upstream.send_and_wait(INBOX, event(base, subject), key)
    await indexed(owner, *(subject for subjects in written.values() for subject in subjects))
    await upstream.send_and_wait(INBOX, event(base, "moved", "The ferry moved lands at one."), b"crm-5")
    await shown(owner, "moved", "The ferry moved lands at one.")  # until then its key is crm-4: the partitions are not read in one order
    assert not await owner.document("crm-1")
    await upstream.send_and_wait(INBOX, None, b"crm-1")  # in the default knowledge base: no document of this one
    await upstream.send_and_wait(INBOX, None, b"crm-4", headers=within(owner))  # not its key any more
    await upstream.send_and_wait(INBOX, None, b"crm-3", headers=within(owner, subject="two"))
    await deleted(owner, "two")
    await indexed(owner, "by-key", "one", "three", "moved")
    await upstream.send_and_wait(INBOX, None, b"crm-1", headers=within(owner))
    await upstream.send_and_wait(INBOX, None, b"by-subject", headers=within(owner))
    await upstream.send_and_wait(INBOX, None, b"crm-3", headers=within(owner))
    await upstream.send_and_wait(INBOX, None, long_key, headers=within(owner))
    await upstream.send_and_wait(INBOX, None, b"crm-5", headers=within(owner))
    await deleted(owner, "by-key", "by-subject", "one", "two", "three", "by-number", "moved")
    await upstream.send_and_wait(INBOX, event(base, "by-key"), b"crm-1")
    await indexed(owner, "by-key")


async def test_the_key_deletes_after_a_restart_a_change_over_http_and_a_rebuild(up: Up, owner: Client, upstream: AIOKafkaProducer) -> None:
    """The worker dies, Redis loses the names, somebody has replaced the document: the log has the key."""
    await upstream.send_and_wait(INBOX, event(owner.knowledge_base, "kept-name"), b"erp/17")
    await indexed(owner, "kept-name")
    version = (await owner.submit("kept-name", "The ferry kept-name lands at two."))["version"]
    await owner.wait_indexed("kept-name", version=version)
    before = up.process("tables")
    os.kill(before.pid, signal.SIGKILL)
    redis = connect(up.redis)
    try:
        scope = f"{{record_keys:default/{owner.knowledge_base}}}"
        lost = [f"{up.redis.key_prefix}:{kind}:{scope}" for kind in ("index", "groups", "record")]
        assert await redis.execute_command("UNLINK", *lost[:2], f"{lost[2]}:kept-name") == 3
    finally:
        await redis.aclose()
    (code, printed), _ = await asyncio.gather(up.command("rebuild", "tables", "--table", "record_keys"), up.restarted("tables", before))
    assert code == 0, printed
    await upstream.send_and_wait(INBOX, None, b"erp/17", headers=within(owner))
    await deleted(owner, "kept-name")


@pytest.fixture
async def late(up: Up) -> AsyncIterator[AIOKafkaProducer]:
    """A producer whose open transaction holds back what it wrote: it is read later than what was written after it."""
    producer = AIOKafkaProducer(**up.connection, transactional_id=f"crm-{uuid.uuid4().hex}")
    await producer.start()
    await producer.begin_transaction()
    yield producer
    await producer.stop()


async def test_a_late_older_record_brings_nothing_back(owner: Client, upstream: AIOKafkaProducer, late: AIOKafkaProducer) -> None:
    """Neither a deleted document nor an older content, and it deletes no newer one; its sender finds all three among the refused."""
    base, name = owner.knowledge_base, uuid.uuid4().hex[:8]
    gone, newer, back = f"gone-{name}", f"newer-{name}", f"back-{name}"
    await upstream.send_and_wait(INBOX, event(base, gone), b"k", partition=1)
    await late.send_and_wait(INBOX, event(base, gone), b"other", partition=0)
    await late.send_and_wait(INBOX, event(base, newer, "The ferry lands yesterday."), b"other", partition=0)
    await late.send_and_wait(INBOX, None, back.encode(), headers=within(owner), partition=0)
    await asyncio.sleep(0.01)  # the broker's clock has milliseconds
    await upstream.send_and_wait(INBOX, None, gone.encode(), headers=within(owner), partition=1)
    for document in (newer, back):
        await upstream.send_and_wait(INBOX, event(base, document), b"k", partition=1)
    await indexed(owner, newer, back)
    await deleted(owner, gone)
    await late.commit_transaction()
    refused = await refused_subjects(owner, 3, gone, newer, back)
    assert sorted(refused) == sorted([gone, newer, back])
    await indexed(owner, newer, back)
    await deleted(owner, gone)
    texts = {passage["document_id"]: passage["text"] for passage in await search(owner, f"ferry {newer} lands", 20)}
    assert texts[newer] == f"The ferry {newer} lands at noon."


async def refused_subjects(owner: Client, count: int, *documents: str) -> Sequence[str]:
    """The documents among these of refused records, once there are so many."""
    async with asyncio.timeout(WAIT_S):
        while True:
            items: list[dict[str, Any]] = (await owner.refused_records(limit=100, code="record_superseded"))["items"]
            found = [item["document_id"] for item in items if item["document_id"] in documents]
            if len(found) == count:
                assert {item["problem"]["code"] for item in items} == {"record_superseded"}
                assert all("partition 1, offset" in item["problem"]["detail"] for item in items)
                return found
            await asyncio.sleep(0.2)
