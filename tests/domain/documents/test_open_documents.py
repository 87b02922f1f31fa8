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


async def test_the_books_are_bounded(redis, settings, monkeypatch):
    monkeypatch.setattr(open_documents, "SHARD_MAX", 2)
    documents, at = OpenDocuments(redis, settings.redis.key_prefix, 1), datetime(2026, 1, 1, tzinfo=UTC)
    for version in (1, 2, 3, 1):
        await documents.apply(news("a/b/c", version, "queued", at))
    assert await documents.count() == 2
