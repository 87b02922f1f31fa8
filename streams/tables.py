"""Record tables: what is now true of each entity, kept in Redis, rebuilt from the log.

Every write carries an *order string*; a record is replaced only by a greater one. So any order of arrival and any number of repeats give
the same record, and who writes first does not matter: the writer itself (to read its own writes) or the projection.
"""

import base64
import binascii
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
import structlog

from adapters.redis import Argument, Client, Script
from schemas.errors import FieldError, Refused

T = TypeVar("T")

TOMBSTONE_MS = 30 * 86_400_000  # a deletion outlives every record of it on the log (delete.retention.ms), so no late write brings it back
ORDER_DIGITS = 19  # of the largest offset Kafka has
PAGE_MAX = 1_000  # records of one page
PAGE_ROUNDS_MAX = 8  # looks past records that are gone from under their index entry
CLOSE_BATCH = 500  # records removed per command: one command must not hold Redis up

_MEMBER = re.compile(rb"[0-9a-f]{16}.{1,1000}", re.DOTALL)

log = structlog.get_logger(__name__)

# KEYS record, index, closed; ARGV order, rank, id, JSON ("" = tombstone), life in ms (0 = for ever), life of a tombstone in ms.
# A record is "order rank JSON"; the index is a sorted set of rank and id in one member, all of one score, so that a page can start
# exactly behind any entry, even one that is gone.
_PUT = Script("""
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
local old = redis.pcall('GET', KEYS[1])
if type(old) == 'string' then
  local order, rank = string.match(old, '^([%d.]+) (%x*) ')
  if order and #order == #ARGV[1] and ARGV[1] <= order then return 0 end
  if rank and rank ~= '' and (rank ~= ARGV[2] or ARGV[4] == '') then redis.call('ZREM', KEYS[2], rank .. ARGV[3]) end
end
if ARGV[4] == '' then
  redis.call('SET', KEYS[1], ARGV[1] .. '  ', 'PX', ARGV[6])
  return 1
end
local record = ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[4]
redis.call('ZADD', KEYS[2], 0, ARGV[2] .. ARGV[3])
if ARGV[5] == '0' then
  redis.call('SET', KEYS[1], record)
else
  redis.call('SET', KEYS[1], record, 'PX', ARGV[5])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
return 1
""")

# KEYS index, record; ARGV member: the entry of a record that has expired goes, unless the record came back meanwhile.
_TIDY = Script("""
if redis.call('EXISTS', KEYS[2]) == 0 then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0
""")


def order_of(*parts: int) -> str:
    """An order string: the parts from most to least significant, each >= 0. Compare only strings of the same number of parts."""
    if not parts or min(parts) < 0:
        raise ValueError(f"an order needs parts that are not negative: {parts}")
    return ".".join(f"{part:0{ORDER_DIGITS}d}" for part in parts)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some records in order; ``next_cursor`` is "" at the end."""

    items: Sequence[T]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Put(Generic[T]):
    """One call of ``RecordTable.put``."""

    scope: str
    id: str
    value: T | None
    order: str
    rank: float = 0.0


class RecordTable(Generic[T]):
    """Records of one kind, addressed by (scope, id), listed by scope.

    ``scope`` is what is listed together and lies on one Redis node, such as ``tenant/user``. Every method raises
    Unavailable("redis_unavailable"). An entry that cannot be decoded reads as missing and is logged.
    """

    def __init__(self, redis: Client, prefix: str, name: str, type: type[T], retention_s: float | None = None) -> None:  # noqa: A002
        self.name = name
        self._redis = redis
        self._prefix = prefix
        self._decode = msgspec.json.Decoder(type).decode
        self._encode = msgspec.json.Encoder().encode
        self._life_ms = int(retention_s * 1000) if retention_s is not None else 0

    async def put(self, scope: str, id: str, value: T | None, *, order: str, rank: float = 0.0) -> bool:  # noqa: A002
        """Set the record if ``order`` is greater than its present one; True if it was set. None leaves a tombstone.

        ``rank`` is the place in listings; equal ranks are listed by id.
        """
        return bool(await _PUT(self._redis, *self._call(Put(scope, id, value, order, rank))))

    async def put_many(self, puts: Sequence["Put[T]"]) -> None:
        """Several in one round trip, in order."""
        await _PUT.many(self._redis, [self._call(each) for each in puts])

    def _call(self, put: "Put[T]") -> tuple[tuple[str, ...], tuple[Argument, ...]]:
        json = b"" if put.value is None else self._encode(put.value)
        keys = (self._record(put.scope, put.id), self._index(put.scope), self._closed(put.scope))
        return keys, (put.order, _sortable(put.rank), put.id, json, self._life_ms, TOMBSTONE_MS)

    async def get(self, scope: str, id: str) -> T | None:  # noqa: A002
        """The record, or None."""
        return self._read(scope, id, await self._redis.execute_command("GET", self._record(scope, id)))

    async def get_many(self, scope: str, ids: Sequence[str]) -> dict[str, T]:
        """Those of ``ids`` that exist."""
        found: dict[str, T] = {}
        for start in range(0, len(ids), PAGE_MAX):
            some = ids[start : start + PAGE_MAX]
            raw = await self._redis.execute_command("MGET", *(self._record(scope, each) for each in some))
            values = ((each, self._read(scope, each, entry)) for each, entry in zip(some, raw, strict=True))
            found.update({each: value for each, value in values if value is not None})
        return found

    async def list(self, scope: str, *, limit: int, cursor: str = "", newest_first: bool = True) -> Page[T]:
        """At most ``limit`` records (1 to 1,000) after ``cursor``; a record that keeps its rank is seen exactly once whatever is
        inserted meanwhile. Raises Refused("validation_failed") for a cursor that is not one of ours.
        """
        limit = max(1, min(limit, PAGE_MAX))
        after = _member_of(cursor) if cursor else b""
        page: Page[T] = Page([], "")
        for _ in range(PAGE_ROUNDS_MAX):
            wanted = limit - len(page.items)
            members = await self._members(scope, after, wanted + 1, newest_first=newest_first)
            some, more = members[:wanted], len(members) > wanted
            after = some[-1] if some else after
            page = Page([*page.items, *await self._present(scope, some)], _cursor(after) if more else "")
            if not more or len(page.items) == limit:
                break
        return page

    async def count(self, scope: str) -> int:
        """How many records the scope has; with a retention this may count some that have just expired."""
        return int(await self._redis.execute_command("ZCARD", self._index(scope)))

    async def close(self, scope: str) -> None:
        """Remove every record of the scope for good: until tombstones expire no write is accepted, whatever its order."""
        await self._redis.execute_command("SET", self._closed(scope), b"1", "PX", TOMBSTONE_MS)
        while members := await self._redis.execute_command("ZRANGE", self._index(scope), 0, CLOSE_BATCH - 1):
            await self._redis.execute_command("UNLINK", *(self._record(scope, _id(member)) for member in members))
            await self._redis.execute_command("ZREM", self._index(scope), *members)

    async def _members(self, scope: str, after: bytes, count: int, *, newest_first: bool) -> Sequence[bytes]:
        bounds: tuple[Argument, ...]
        if newest_first:
            bounds = (b"(" + after if after else b"+", b"-", "BYLEX", "REV")
        else:
            bounds = (b"(" + after if after else b"-", b"+", "BYLEX")
        found: Sequence[bytes] = await self._redis.execute_command("ZRANGE", self._index(scope), *bounds, "LIMIT", 0, count)
        return found

    async def _present(self, scope: str, members: Sequence[bytes]) -> Sequence[T]:
        if not members:
            return []
        raw = await self._redis.execute_command("MGET", *(self._record(scope, _id(member)) for member in members))
        items = []
        for member, entry in zip(members, raw, strict=True):
            if entry is None:
                await _TIDY(self._redis, (self._index(scope), self._record(scope, _id(member))), (member,))
                continue
            value = self._read(scope, _id(member), entry)
            if value is not None:
                items.append(value)
        return items

    def _read(self, scope: str, id: str, entry: bytes | None) -> T | None:  # noqa: A002
        if entry is None:
            return None
        parts = entry.split(b" ", 2)
        if len(parts) == 3 and not parts[2]:  # noqa: PLR2004
            return None
        try:
            return self._decode(parts[2])
        except (IndexError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("record_undecodable", table=self.name, scope=scope, id=id, error=str(error))
            return None

    def _record(self, scope: str, id: str) -> str:  # noqa: A002
        return f"{self._prefix}:record:{{{self.name}:{scope}}}:{id}"

    def _index(self, scope: str) -> str:
        return f"{self._prefix}:index:{{{self.name}:{scope}}}"

    def _closed(self, scope: str) -> str:
        return f"{self._prefix}:closed:{{{self.name}:{scope}}}"


def _sortable(rank: float) -> str:
    """16 hex digits that compare as text like the number: its bits, turned so that negative ones come first."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", rank + 0.0))
    return f"{bits ^ 0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else bits | 1 << 63:016x}"


def _id(member: bytes) -> str:
    return member[16:].decode(errors="replace")


def _cursor(member: bytes) -> str:
    return base64.urlsafe_b64encode(member).decode().rstrip("=")


def _member_of(cursor: str) -> bytes:
    try:
        member = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        member = b""
    if not _MEMBER.fullmatch(member):
        error = FieldError("cursor", "is not a cursor that a list gave out", "leave it out to start from the first page")
        raise Refused("validation_failed", "The cursor cannot be read.", errors=(error,))
    return member
