"""What a tenant stores: any order and any repeats of the news give the same sums."""

import asyncio
import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.redis.client import RedisClient
from domain.documents.storage import RESERVED_S, RoomRequest, Storage, StorageCaps, StorageTotals
from domain.limits.caps import CapShortage
from schemas.documents import DocumentProgressed, DocumentVersionsKept, KeptVersions, Progress

pytestmark = pytest.mark.stack


def news(document: str, version: int, state: Any, *, size: int = 0, chunks: int = 0, visible: int = -1, tenant: str = "t") -> Any:
    data = Progress(knowledge_base_id="kb", document_id=document, version=version, state=state, bytes=size, chunks=chunks, visible=visible)
    return DocumentProgressed(id="e", source="/", subject="s", time=datetime.now(UTC), tenant=tenant, traceparent="", data=data)


async def test_any_order_and_any_repeat(redis: RedisClient, prefix: str) -> None:
    """Only the newest word of each document counts."""
    events = [
        news("a", 3, "queued", size=10),
        news("a", 3, "indexed", size=10, chunks=2),
        news("a", 5, "indexed", size=30, chunks=4),
        news("b", 1, "indexed", size=7, chunks=1),
        news("b", 2, "deleted"),
    ]
    for n, order in enumerate(itertools.permutations(events)):
        storage = Storage(redis, f"{prefix}:{n}")
        await storage.apply_many([*order, order[n % 5]])
        assert await storage.totals("t") == StorageTotals(documents=1, bytes=30, chunks=4)
    assert await Storage(redis, f"{prefix}:0").totals("other") == StorageTotals()


async def test_failures(redis: RedisClient, prefix: str) -> None:
    """One that has something to show goes on counting; one that never had does not; what was refused at the inbox is no document."""
    storage = Storage(redis, prefix)
    await storage.apply_many([news("a", 9, "failed", size=5, visible=3), news("b", 4, "failed", size=9), news("c", -1, "failed", size=9)])
    assert await storage.totals("t") == StorageTotals(documents=1, bytes=5)


NOW_S = 1_800_000_000
FEW = StorageCaps(account_documents=3, account_bytes=100, tenant_documents=5, tenant_bytes=1_000)


async def test_as_many_documents_at_once_as_the_caps_allow(redis: RedisClient, prefix: str) -> None:
    """Over two replicas and two knowledge bases of one account; then the tenant's cap, of somebody else."""
    replicas = [Storage(redis, prefix) for _ in range(2)]
    found = await asyncio.gather(
        *(replicas[n % 2].reserve(RoomRequest("t", f"kb{n % 2}", f"d{n}", 10, FEW, ("kb0", "kb1"))) for n in range(12))
    )
    assert found.count(None) == 3
    assert set(found) - {None} == {CapShortage("documents", "account", 3, 3, 1)}
    others = [await replicas[0].reserve(RoomRequest("t", "kb9", f"o{n}", 10, FEW, ("kb9",))) for n in range(3)]
    assert others == [None, None, CapShortage("documents", "tenant", 5, 5, 1)]
    assert await replicas[0].totals("t") == StorageTotals(documents=5, bytes=50)
    assert await replicas[0].totals("t", ("kb0", "kb1")) == StorageTotals(documents=3, bytes=30)


async def test_a_new_version_counts_by_what_it_has_more(redis: RedisClient, prefix: str) -> None:
    """A reservation becomes the document's own entry, whatever its progress says; bytes are capped, too."""
    storage = Storage(redis, prefix)
    assert await storage.reserve(RoomRequest("t", "kb", "a", 60, FEW, ("kb",))) is None
    await storage.apply_many([news("a", 1, "queued", size=60), news("a", 1, "indexed", size=60, chunks=2)])
    assert await storage.reserve(RoomRequest("t", "kb", "a", 100, FEW, ("kb",))) is None
    assert await storage.totals("t") == StorageTotals(documents=1, bytes=100, chunks=2)
    assert await storage.reserve(RoomRequest("t", "kb", "b", 1, FEW, ("kb",))) == CapShortage("stored_bytes", "account", 100, 100, 1)
    await storage.apply_many([news("a", 2, "deleted")])
    assert await storage.reserve(RoomRequest("t", "kb", "b", 1, FEW, ("kb",))) is None
    await storage.apply_many([news("b", 3, "failed", size=1)])
    assert await storage.totals("t") == StorageTotals()


def kept(document: str, version: int, size: int) -> DocumentVersionsKept:
    data = KeptVersions(knowledge_base_id="kb", document_id=document, version=version, bytes=size)
    return DocumentVersionsKept(id="e", source="/", subject="s", time=datetime.now(UTC), tenant="t", traceparent="", data=data)


async def test_kept_files_count_but_refuse_no_new_version(redis: RedisClient, prefix: str) -> None:
    """In any order; they leave less room for new documents, and go with their document."""
    for n, order in enumerate(itertools.permutations([kept("a", 3, 70), kept("a", 4, 50), kept("a", 4, 50)])):
        storage = Storage(redis, f"{prefix}:{n}")
        await storage.apply_kept(order)
        assert await storage.totals("t") == StorageTotals(bytes=50)
    await storage.apply_many([news("a", 4, "indexed", size=40, chunks=1)])
    assert await storage.totals("t", ("kb",)) == StorageTotals(documents=1, bytes=90, chunks=1)
    assert await storage.reserve(RoomRequest("t", "kb", "b", 11, FEW, ("kb",))) == CapShortage("stored_bytes", "account", 90, 100, 11)
    assert await storage.reserve(RoomRequest("t", "kb", "a", 101, FEW, ("kb",))) == CapShortage("stored_bytes", "account", 40, 100, 61)
    assert await storage.reserve(RoomRequest("t", "kb", "a", 100, FEW, ("kb",))) is None
    await storage.apply_many([news("a", 5, "deleted")])
    await storage.apply_kept([kept("a", 5, 0), kept("a", 4, 50)])
    assert await storage.totals("t") == StorageTotals()
    assert await storage.reserve(RoomRequest("t", "kb", "b", 100, FEW, ("kb",))) is None


async def test_what_never_reached_the_log_is_taken_back(redis: RedisClient, prefix: str) -> None:
    """At once when it is known, else by its age; a document that was there before is as it was."""
    storage = Storage(redis, prefix)
    await storage.apply_many([news("a", 1, "indexed", size=60, chunks=2)])
    before = await storage.totals("t")
    for document in ("a", "b"):
        assert await storage.reserve(RoomRequest("t", "kb", document, 70 if document == "a" else 20, FEW, ("kb",)), now_s=NOW_S) is None
    await storage.release("t", "kb", "b")
    assert await storage.totals("t") == StorageTotals(documents=1, bytes=70, chunks=2)
    assert await storage.reserve(RoomRequest("t", "kb", "c", 40, FEW, ("kb",)), now_s=NOW_S + RESERVED_S - 1) is not None
    assert await storage.reserve(RoomRequest("t", "kb", "c", 40, FEW, ("kb",)), now_s=NOW_S + RESERVED_S) is None
    await storage.release("t", "kb", "c")
    await storage.release("t", "kb", "c")
    assert await storage.totals("t") == before
