"""Storage totals of each tenant: documents, their bytes and chunks, summed from the progress of documents.

The sum changes in one script with the document's entry, and an entry is replaced only by later progress, so any order of arrival and any
repeat give the same. A document counts with its newest version, until it is deleted or fails without a visible version.
"""

from collections.abc import Sequence

from msgspec import Struct

from adapters.redis.client import Argument, RedisClient, Script
from domain.documents.records import has_version, progress_order
from schemas.documents import DocumentProgressed

# KEYS entries, totals; ARGV member, order, documents, bytes, chunks. An entry is "order documents bytes chunks".
_UPDATE = Script("""
local old = redis.call('HGET', KEYS[1], ARGV[1])
local order, documents, bytes, chunks = string.match(old or '', '^(%S+) (%d+) (%d+) (%d+)$')
if order and ARGV[2] <= order then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5])
redis.call('HINCRBY', KEYS[2], 'documents', ARGV[3] - (documents or 0))
redis.call('HINCRBY', KEYS[2], 'bytes', ARGV[4] - (bytes or 0))
redis.call('HINCRBY', KEYS[2], 'chunks', ARGV[5] - (chunks or 0))
return 1
""")


class StorageTotals(Struct, frozen=True, kw_only=True):
    """The sums of one tenant."""

    documents: int = 0
    bytes: int = 0
    chunks: int = 0


class Storage:
    """Every method raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis, self._prefix = redis, prefix

    async def apply_many(self, events: Sequence[DocumentProgressed]) -> None:
        """Apply the progress of several documents, in one round trip."""
        calls = [self._call(event) for event in events if has_version(event)]
        if calls:
            await _UPDATE.run_many(self._redis, calls)

    async def totals(self, tenant: str) -> StorageTotals:
        """The totals of the tenant now."""
        documents, size, chunks = await self._redis.execute_command("HMGET", self._key(tenant, "totals"), "documents", "bytes", "chunks")
        return StorageTotals(documents=int(documents or 0), bytes=int(size or 0), chunks=int(chunks or 0))

    def _call(self, event: DocumentProgressed) -> tuple[tuple[str, ...], tuple[Argument, ...]]:
        progress = event.data
        gone = progress.state == "deleted" or (progress.state == "failed" and progress.visible < 0)
        counts = (0, 0, 0) if gone else (1, progress.bytes, progress.chunks)
        member = f"{progress.knowledge_base_id}/{progress.document_id}"
        return (self._key(event.tenant, "entries"), self._key(event.tenant, "totals")), (member, progress_order(progress), *counts)

    def _key(self, tenant: str, part: str) -> str:
        return f"{self._prefix}:storage:{{{tenant}}}:{part}"
