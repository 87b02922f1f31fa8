"""Which documents are under way, as the reconciler sees them."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.documents import open_documents
from domain.documents.open_documents import OpenDocuments
from tests.support.progress_news import news

pytestmark = pytest.mark.stack


async def test_open_documents_follow_the_news(redis, settings):
    """Any order, any repeat: the last silence counts, and what has arrived is gone."""
    documents, at = OpenDocuments(redis, settings.redis.key_prefix, 4), datetime(2026, 1, 1, tzinfo=UTC)
    key, later = "acme/kb/手册 1", at + timedelta(seconds=5)
    partition = documents.partition_of(key)
    await documents.apply_many([news(key, 3, "parsing", later), news(key, 3, "queued", at), news(key, 4, "queued", at, "express")])
    (silent,) = await documents.find_silent(partition, "bulk", 2**45, 10)
    assert (silent.key, silent.version, silent.queue, silent.tries) == (key, 3, "bulk", 0)
    assert silent.since_ms == int(later.timestamp() * 1000)
    assert await documents.find_silent(partition, "bulk", silent.since_ms, 10) == []
    await documents.mark_requeued(silent, later)
    assert (await documents.find_silent(partition, "bulk", 2**45, 10))[0].tries == 1
    await documents.apply(news(key, 3, "failed", later, "express"))  # a failure does not always know its lane
    await documents.mark_requeued(silent, later)
    assert await documents.find_silent(partition, "bulk", 2**45, 10) == []
    assert [each.version for each in await documents.find_silent(partition, "express", 2**45, 10)] == [4]
    await documents.apply(news(key, -1, "failed", later))
    await documents.remove(key, 4)
    assert await documents.count() == 0


async def test_a_version_that_waits_for_a_retry_is_found_at_its_time(redis, settings):
    """And its silence begins then; afterwards only a later postponement sets the timer again."""
    documents, at = OpenDocuments(redis, settings.redis.key_prefix, 4), datetime(2026, 1, 1, tzinfo=UTC)
    key, due = "acme/kb/手册 1", at + timedelta(seconds=60)
    partition, due_ms = documents.partition_of(key), int(due.timestamp() * 1000)
    waits = news(key, 3, "queued", at, retries=1, retry_at=due)
    await documents.apply_many([waits, news(key, 3, "embedding", at - timedelta(seconds=1)), waits])
    assert await documents.count() == 1
    assert not await documents.find_retries(partition, due_ms)
    assert await documents.find_silent(partition, "bulk", due_ms, 10) == []
    assert await documents.find_retries(partition, due_ms + 1)
    token = await documents.take_over(partition, at)
    claim = {"before_ms": due_ms + 1, "again_at_ms": due_ms + 500, "limit": 10}
    (retry,) = await documents.claim_retries(partition, token, **claim)
    assert (retry.key, retry.version) == (key, 3)
    assert await documents.claim_retries(partition, token, **claim) == [], "the owner has it in hand"
    assert await documents.find_retries(partition, due_ms + 501), "unless the owner died"
    await documents.end_retry(retry)
    assert not await documents.find_retries(partition, 2**45)
    assert [each.version for each in await documents.find_silent(partition, "bulk", 2**45, 10)] == [3], "it is under way"
    await documents.apply(news(key, 3, "queued", due, retries=2, retry_at=due + timedelta(seconds=300)))
    assert await documents.find_retries(partition, 2**45)
    await documents.apply(news(key, 3, "indexed", due))
    assert not await documents.find_retries(partition, 2**45)


async def test_the_books_are_bounded(redis, settings, monkeypatch):
    monkeypatch.setattr(open_documents, "SHARD_MAX", 2)
    documents, at = OpenDocuments(redis, settings.redis.key_prefix, 1), datetime(2026, 1, 1, tzinfo=UTC)
    for version in (1, 2, 3, 1):
        await documents.apply(news("a/b/c", version, "queued", at))
    assert await documents.count() == 2
