"""What a tenant stores: any order and any repeats of the news give the same sums."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.redis.client import RedisClient
from domain.documents.storage import Storage, StorageTotals
from schemas.documents import DocumentProgressed, Progress

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
