"""The caps on documents, whichever way they arrive."""

from datetime import UTC, datetime

import pytest

from adapters.redis.client import RedisClient, connect
from domain.document_caps import DocumentCaps, DocumentSize, Owner
from domain.documents.storage import Storage, StorageTotals
from domain.read_models import ReadModels
from schemas.errors import Refused, Unavailable
from schemas.records import Account, AccountChanged, KnowledgeBase, KnowledgeBaseChanged
from schemas.settings import CapSettings, RedisSettings
from streams.clock import SystemClock
from streams.live import Live
from streams.log.outgoing import LogOffset

SETTINGS = CapSettings(free_documents_max=2, pro_documents_max=3, tenant_documents_max=4)
NOW = datetime.now(UTC)


def caps(redis: RedisClient, prefix: str, settings: CapSettings = SETTINGS) -> DocumentCaps:
    return DocumentCaps(Live(settings), Storage(redis, prefix), ReadModels(redis, prefix), SystemClock())


async def add_base(redis: RedisClient, prefix: str, base_id: str) -> None:
    """A knowledge base of an account of tier pro."""
    account = Account(id="ann", tenant="t", email="a@b.c", tier="pro", created_at=NOW)
    base = KnowledgeBase(id=base_id, tenant="t", user_id="ann", name="b", created_at=NOW, updated_at=NOW)
    head = {"id": "e", "source": "/", "subject": "s", "time": NOW, "tenant": "t", "traceparent": ""}
    for event in (AccountChanged(data=account, **head), KnowledgeBaseChanged(data=base, **head)):  # type: ignore[arg-type]
        await ReadModels(redis, prefix).apply(event, LogOffset("x", 0, 1))


@pytest.mark.stack
async def test_inbox_and_api_count_together(redis: RedisClient, prefix: str) -> None:
    """For the account of the knowledge base, by its tier, over all of its bases; for the tenant also without an account."""
    for base in ("kb1", "kb2"):
        await add_base(redis, prefix, base)
    found = caps(redis, prefix)
    await found.reserve_for_inbox([DocumentSize("t", "kb1", "a", 5)])
    await found.reserve(DocumentSize("t", "kb2", "b", 5), Owner("ann", "pro"))
    await found.reserve_for_inbox([DocumentSize("t", "kb2", "c", 5)])
    with pytest.raises(Refused, match=r"3 of 3 documents \(CLAW_CAP_PRO_DOCUMENTS_MAX\)") as refused:
        await found.reserve_for_inbox([DocumentSize("t", "kb1", "d", 5)])
    assert refused.value.code == "documents_full"
    await found.reserve_for_inbox([DocumentSize("t", "kb1", "a", 6)])  # a repeat, or another version
    assert await found.account_totals("t", "ann") == StorageTotals(documents=3, bytes=16)
    await found.reserve_for_inbox([DocumentSize("t", "nobody's", "d", 5)])
    with pytest.raises(Refused, match="CLAW_CAP_TENANT_DOCUMENTS_MAX"):
        await found.reserve_for_inbox([DocumentSize("t", "nobody's", "e", 5)])
    assert (await found.tenant_totals("t")).documents == 4


@pytest.mark.stack
async def test_documents_of_one_batch_are_counted_one_after_the_other(redis: RedisClient, prefix: str) -> None:
    """The first beyond the cap is named; those of others are counted, and once only when all come again one by one."""
    await add_base(redis, prefix, "kb1")
    found, documents = caps(redis, prefix), [DocumentSize("t", "kb1", name, 5) for name in "abcd"]
    batch = [*documents, DocumentSize("u", "kb9", "e", 5)]
    with pytest.raises(Refused, match="3 of 3 documents"):
        await found.reserve_for_inbox(batch)
    refused = []
    for document in batch:
        try:
            await found.reserve_for_inbox([document])
        except Refused:
            refused.append(document.document_id)
    assert refused == ["d"]
    assert await found.account_totals("t", "ann") == StorageTotals(documents=3, bytes=15)
    assert await found.tenant_totals("u") == StorageTotals(documents=1, bytes=5)


async def test_without_redis_an_inbox_goes_on() -> None:
    """It is counted by its progress afterwards; over HTTP nothing goes without Redis anyway."""
    client = connect(RedisSettings(url="redis://127.0.0.1:1", timeout_s=0.2))
    try:
        await caps(client, "x").reserve_for_inbox([DocumentSize("t", "kb", "a", 5)])
        with pytest.raises(Unavailable):
            await caps(client, "x").reserve(DocumentSize("t", "kb", "a", 5), Owner("ann", "free"))
    finally:
        await client.aclose()
