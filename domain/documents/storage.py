"""Storage totals of each tenant and knowledge base: documents, their bytes and chunks, summed from the progress of documents.

The sums change in one script with the document's entry, and an entry is replaced only by later progress, so any order of arrival and any
repeat give the same. A document counts with its newest version, until it is deleted or fails without a visible version.

The kept files of a document's replaced versions have an entry of their own, which changes when another version is kept. They count as
stored bytes and leave less room for new documents, but never refuse a new version of a document that is there: for that only the files of
present versions count.

A document that is about to be submitted is counted before that, in the script that compares the sums with the caps: so caps are exact
however many documents arrive at once, anywhere. Progress of the document replaces that provisional entry; without any it is taken back
after ``RESERVED_S``.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from adapters.redis.client import Argument, RedisClient, Script
from domain.documents.records import has_version, progress_order
from domain.limits.caps import OWNERS, CapShortage
from schemas.documents import DocumentProgressed, DocumentVersionsKept
from schemas.settings.caps import CapKind
from streams.tables.record_table import order_of

RESERVED_S = 3_600  # from a submission to its first progress: the dispatcher may be down for a while
UNDONE_MAX = 50  # provisional entries that one script takes back

# Functions of the scripts. An entry is "order documents bytes chunks"; one without a version has the order "0", below any of a version.
_FUNCTIONS = """
local function parse(entry)
  local order, documents, bytes, chunks = string.match(entry or '', '^(%S+) (%d+) (%d+) (%d+)$')
  return order, tonumber(documents or 0), tonumber(bytes or 0), tonumber(chunks or 0)
end
local function add(base, documents, bytes, chunks)
  for _, suffix in ipairs({'', '/' .. base}) do
    redis.call('HINCRBY', KEYS[2], 'documents' .. suffix, documents)
    redis.call('HINCRBY', KEYS[2], 'bytes' .. suffix, bytes)
    redis.call('HINCRBY', KEYS[2], 'chunks' .. suffix, chunks)
  end
end
local function forget(member)
  redis.call('HDEL', KEYS[3], member)
  redis.call('ZREM', KEYS[4], member)
end
local function undo(member)
  local before = redis.call('HGET', KEYS[3], member)
  if not before then return end
  forget(member)
  local order, documents, bytes, chunks = parse(redis.call('HGET', KEYS[1], member))
  local old_order, old_documents, old_bytes, old_chunks = parse(before)
  if not order or order ~= (old_order or '0') then return end
  if old_order then redis.call('HSET', KEYS[1], member, before) else redis.call('HDEL', KEYS[1], member) end
  add(string.match(member, '^[^/]*'), old_documents - documents, old_bytes - bytes, old_chunks - chunks)
end
"""
# KEYS entries, totals, provisional, ends; ARGV member, order, documents, bytes, chunks.
_UPDATE = Script(
    _FUNCTIONS
    + """
local order, documents, bytes, chunks = parse(redis.call('HGET', KEYS[1], ARGV[1]))
if order and ARGV[2] <= order then return 0 end
forget(ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. ARGV[5])
add(string.match(ARGV[1], '^[^/]*'), ARGV[3] - documents, ARGV[4] - bytes, ARGV[5] - chunks)
return 1
"""
)
# KEYS as above; ARGV member, order, bytes.
_UPDATE_KEPT = Script(
    _FUNCTIONS
    + """
local order, _, bytes = parse(redis.call('HGET', KEYS[1], ARGV[1]))
if order and ARGV[2] <= order then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' 0 ' .. ARGV[3] .. ' 0')
local base, more = string.match(ARGV[1], '^[^/]*'), ARGV[3] - bytes
add(base, 0, more, 0)
redis.call('HINCRBY', KEYS[2], 'kept', more)
redis.call('HINCRBY', KEYS[2], 'kept/' .. base, more)
return 1
"""
)
# KEYS as above; ARGV now in s ("" = the server's), member, bytes, life in s, most documents and bytes of the account, of the tenant
# (0 = any number), knowledge bases of the account... Replies {0, 0, 0}, or {place of the cap among the four, in use, wanted}.
_RESERVE = Script(
    _FUNCTIONS
    + f"""
local now = tonumber(ARGV[1]) or tonumber(redis.call('TIME')[1])
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, {UNDONE_MAX})) do undo(old) end
local member, entry = ARGV[2], redis.call('HGET', KEYS[1], ARGV[2])
local order, documents, bytes, chunks = parse(entry)
local wanted = {{1 - documents, ARGV[3] - bytes}}
local used = {{0, 0, 0, 0}}
for i = 9, #ARGV do
  local sums = redis.call('HMGET', KEYS[2], 'documents/' .. ARGV[i], 'bytes/' .. ARGV[i], 'kept/' .. ARGV[i])
  used[1], used[2] = used[1] + (sums[1] or 0), used[2] + (sums[2] or 0) - (documents > 0 and sums[3] or 0)
end
local sums = redis.call('HMGET', KEYS[2], 'documents', 'bytes', 'kept')
used[3], used[4] = tonumber(sums[1] or 0), (sums[2] or 0) - (documents > 0 and sums[3] or 0)
for i = 1, 4 do
  local limit, more = tonumber(ARGV[4 + i]), wanted[(i - 1) % 2 + 1]
  if limit > 0 and more > 0 and used[i] + more > limit then return {{i, used[i], more}} end
end
redis.call('HSETNX', KEYS[3], member, entry or '-')
redis.call('ZADD', KEYS[4], now + ARGV[4], member)
redis.call('HSET', KEYS[1], member, (order or '0') .. ' 1 ' .. ARGV[3] .. ' ' .. chunks)
add(string.match(member, '^[^/]*'), wanted[1], wanted[2], 0)
return {{0, 0, 0}}
"""
)
# KEYS as above; ARGV member.
_RELEASE = Script(_FUNCTIONS + "undo(ARGV[1]) return 1")


class StorageTotals(Struct, frozen=True, kw_only=True):
    """The sums of one tenant, or of some of its knowledge bases."""

    documents: int = 0
    bytes: int = 0
    chunks: int = 0


class StorageCaps(NamedTuple):
    """Most documents and bytes of an account and of its tenant; 0 is no cap."""

    account_documents: int = 0
    account_bytes: int = 0
    tenant_documents: int = 0
    tenant_bytes: int = 0


class RoomRequest(NamedTuple):
    """Room for a document of ``size`` bytes; a version of one that is there counts by what it has more. ``base_ids``: all knowledge bases
    of the account.
    """

    tenant: str
    base_id: str
    document_id: str
    size: int
    caps: StorageCaps
    base_ids: Sequence[str]

    @property
    def member(self) -> str:
        """The document's entry."""
        return f"{self.base_id}/{self.document_id}"


class Storage:
    """Every method raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis, self._prefix = redis, prefix

    async def apply_many(self, events: Sequence[DocumentProgressed]) -> None:
        """Apply the progress of several documents, in one round trip."""
        calls = [self._call(event) for event in events if has_version(event)]
        if calls:
            await _UPDATE.run_many(self._redis, calls)

    async def apply_kept(self, events: Sequence[DocumentVersionsKept]) -> None:
        """Apply the kept versions of several documents, in one round trip."""
        calls = [
            (
                self._keys(each.tenant),
                (f"{each.data.knowledge_base_id}/{each.data.document_id}/kept", order_of(each.data.version), each.data.bytes),
            )
            for each in events
        ]
        if calls:
            await _UPDATE_KEPT.run_many(self._redis, calls)

    async def totals(self, tenant: str, base_ids: Sequence[str] | None = None) -> StorageTotals:
        """The totals of the tenant now, or of these knowledge bases of it."""
        suffixes = [""] if base_ids is None else [f"/{base_id}" for base_id in base_ids]
        if not suffixes:
            return StorageTotals()
        fields = [f"{what}{suffix}" for suffix in suffixes for what in ("documents", "bytes", "chunks")]
        found = [max(0, int(each or 0)) for each in await self._redis.execute_command("HMGET", self._keys(tenant)[1], *fields)]
        return StorageTotals(documents=sum(found[::3]), bytes=sum(found[1::3]), chunks=sum(found[2::3]))

    async def reserve(self, request: "RoomRequest", *, now_s: int | None = None) -> CapShortage | None:
        """Count a document that is about to be submitted, or the cap that it would exceed."""
        return (await self.reserve_many([request], now_s=now_s))[0]

    async def reserve_many(self, requests: Sequence["RoomRequest"], *, now_s: int | None = None) -> list[CapShortage | None]:
        """The same for several, one after the other, in one round trip."""
        at = "" if now_s is None else now_s
        calls = [(self._keys(each.tenant), (at, each.member, each.size, RESERVED_S, *each.caps, *each.base_ids)) for each in requests]
        return [_shortage(each.caps, *reply) for each, reply in zip(requests, await _RESERVE.run_many(self._redis, calls), strict=True)]

    async def release(self, tenant: str, base_id: str, document_id: str) -> None:
        """The document did not reach the log. Nothing happens once it has made progress."""
        await _RELEASE(self._redis, self._keys(tenant), (f"{base_id}/{document_id}",))

    def _call(self, event: DocumentProgressed) -> tuple[tuple[str, ...], tuple[Argument, ...]]:
        progress = event.data
        gone = progress.state == "deleted" or (progress.state == "failed" and progress.visible < 0)
        counts = (0, 0, 0) if gone else (1, progress.bytes, progress.chunks)
        member = f"{progress.knowledge_base_id}/{progress.document_id}"
        return self._keys(event.tenant), (member, progress_order(progress), *counts)

    def _keys(self, tenant: str) -> tuple[str, ...]:
        return tuple(f"{self._prefix}:storage:{{{tenant}}}:{part}" for part in ("entries", "totals", "provisional", "ends"))


def _shortage(caps: StorageCaps, place: int, used: int, wanted: int) -> CapShortage | None:
    if not place:
        return None
    kind: CapKind = "documents" if place % 2 else "stored_bytes"
    return CapShortage(kind, OWNERS[(place - 1) // 2], used, caps[place - 1], wanted)
