"""Record tables: the present state of each entity, stored in Redis, rebuilt from the log.

Every write carries an *order string*; a record is replaced only by a greater one. So any order of arrival and any number of repeats give
the same record, whether the writer itself (to read its own writes) or the projection writes first.
"""

import hashlib
import re
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
import structlog

from adapters.redis.client import Argument, RedisClient, Script
from streams.tables.cursor import decode_cursor, encode_cursor, invalid_cursor

T = TypeVar("T")

TOMBSTONE_MS = 30 * 86_400_000  # a deletion outlives every record of it on the log (delete.retention.ms), so no late write brings it back
ORDER_DIGITS = 19  # of the largest offset Kafka has
PAGE_MAX = 1_000  # records of one page
SCAN_BATCH = 100  # records that a filtered list reads at a time
SCAN_MAX = 1_000  # records that one page of a filtered list reads
PAGE_ROUNDS_MAX = 8  # rounds of one page, past index entries whose record has expired
CLOSE_BATCH = 500  # records removed per command: one command must not block Redis
GROUP_MAX = 100  # members of a group that are returned, the first ones
GROUP_CHARS = 16  # of the hash of a group's name: those of one conversation do not collide
CLOSED = -1  # the script's reply for a closed scope

_MEMBER = re.compile(rb"[0-9a-f]{16}.{1,1000}", re.DOTALL)

log = structlog.get_logger(__name__)

# KEYS record, index, closed, groups; ARGV order, rank, id, JSON ("" = tombstone), life in ms (0 = for ever), life of a tombstone in ms,
# group, "1" = the rank never falls. A record is "order rank JSON"; the index is a sorted set of rank and id in one member, all of one
# score, so that a page can start exactly behind any entry, even one that is gone; the groups are another, of group, rank and id.
# Replies 1 = set, 0 = the record is newer, -1 = the scope is closed.
_PUT = Script("""
local seen = redis.call('MGET', KEYS[3], KEYS[1])  -- nothing of a key that is no string
if seen[1] then return -1 end
local old, new = seen[2], ARGV[2]
if old then
  local order, rank = string.match(old, '^([%d.]+) (%x*) ')
  if order and #order == #ARGV[1] and ARGV[1] <= order then return 0 end
  if rank and ARGV[8] == '1' and rank > new then new = rank end
  if rank and rank ~= '' and (rank ~= new or ARGV[4] == '') then
    redis.call('ZREM', KEYS[2], rank .. ARGV[3])
    if ARGV[7] ~= '' then redis.call('ZREM', KEYS[4], ARGV[7] .. rank .. ARGV[3]) end
  end
end
if ARGV[4] == '' then
  redis.call('SET', KEYS[1], ARGV[1] .. '  ', 'PX', ARGV[6])
  return 1
end
local record = ARGV[1] .. ' ' .. new .. ' ' .. ARGV[4]
redis.call('ZADD', KEYS[2], 0, new .. ARGV[3])
if ARGV[7] ~= '' then redis.call('ZADD', KEYS[4], 0, ARGV[7] .. new .. ARGV[3]) end
if ARGV[5] == '0' then
  redis.call('SET', KEYS[1], record)
else
  redis.call('SET', KEYS[1], record, 'PX', ARGV[5])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
return 1
""")

# KEYS record, index; ARGV rank, id, life of a placeholder in ms: what comes before its record leaves one behind, of no order and no JSON.
_RAISE_RANK = Script("""
local old = redis.pcall('GET', KEYS[1])
if old == false then return redis.call('SET', KEYS[1], '0 ' .. ARGV[1] .. ' ', 'PX', ARGV[3]) end
if type(old) ~= 'string' then return 0 end
local order, rank, start = string.match(old, '^([%d.]+) (%x+) ()')
if not order or rank >= ARGV[1] then return 0 end
local json = string.sub(old, start)
if json == '' then return redis.call('SET', KEYS[1], order .. ' ' .. ARGV[1] .. ' ', 'PX', ARGV[3]) end
redis.call('ZREM', KEYS[2], rank .. ARGV[2])
redis.call('ZADD', KEYS[2], 0, ARGV[1] .. ARGV[2])
return redis.call('SET', KEYS[1], order .. ' ' .. ARGV[1] .. ' ' .. json)
""")

# KEYS record, index; ARGV order of the record's last event, id, life of a tombstone in ms. A row of a greater order has another owner.
_REMOVE = Script("""
local old = redis.call('GET', KEYS[1])
local order, rank = string.match(old or '', '^([%d.]+) (%x+) ')
if not order or (#order == #ARGV[1] and order > ARGV[1]) then return 0 end
redis.call('ZREM', KEYS[2], rank .. ARGV[2])
redis.call('SET', KEYS[1], ARGV[1] .. '  ', 'PX', ARGV[3])
return 1
""")

# KEYS index, record; ARGV member: the entry of a record that has expired goes, unless the record came back meanwhile.
_REMOVE_EXPIRED = Script("""
if redis.call('EXISTS', KEYS[2]) == 0 then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0
""")


def order_of(*parts: int) -> str:
    """An order string: the parts from most to least significant, each >= 0. Compare only strings of the same number of parts."""
    if not parts or min(parts) < 0:
        raise ValueError(f"an order needs parts that are not negative: {parts}")
    return ".".join(f"{part:0{ORDER_DIGITS}d}" for part in parts)


@dataclass(frozen=True, slots=True)
class RecordPage(Generic[T]):
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
    group: str = ""


class RecordTable(Generic[T]):
    """Records of one kind, addressed by (scope, id), listed by scope.

    ``scope`` is what is listed together and lies on one Redis node, such as ``tenant/user``. Every method raises
    Unavailable("redis_unavailable"), and reads raise "tables_lost" rather than call a lost record absent. An entry that cannot be decoded
    reads as missing and is logged. ``lifted``: ranks never fall, ``lift`` raises them without a write of the record, and this makes of a
    record what readers see of it at its rank.
    """

    def __init__(
        self,
        redis: RedisClient,
        prefix: str,
        name: str,
        type: type[T],  # noqa: A002
        retention_s: float | None = None,
        lifted: Callable[[T, float], T] | None = None,
    ) -> None:
        self.name = name
        self._redis = redis
        self._prefix = prefix
        self._decode = msgspec.json.Decoder(type).decode
        self._encode = msgspec.json.Encoder().encode
        self._life_ms = int(retention_s * 1000) if retention_s is not None else 0
        self._lifted = lifted

    async def put(self, scope: str, id: str, value: T | None, *, order: str, rank: float = 0.0) -> bool:  # noqa: A002
        """Set the record if ``order`` is greater than its present one; True if it was set. None leaves a tombstone.

        ``rank`` is the place in listings; equal ranks are listed by id.
        """
        return bool(await _PUT(self._redis, *self._call(Put(scope, id, value, order, rank))) == 1)

    async def put_many(self, puts: Sequence["Put[T]"]) -> list["Put[T]"]:
        """Several in one round trip, in order; returns those that were rejected because their scope is closed."""
        replies = await _PUT.run_many(self._redis, [self._call(each) for each in puts])
        return [put for put, reply in zip(puts, replies, strict=True) if reply == CLOSED]

    async def remove_many(self, puts: Sequence["Put[T]"]) -> None:
        """Make tombstones of these rows, unless a row of a greater order is there now: what was put is gone from the log."""
        calls = [
            ((self._record_key(each.scope, each.id), self.index_key(each.scope)), (each.order, each.id, TOMBSTONE_MS)) for each in puts
        ]
        await _REMOVE.run_many(self._redis, calls)

    async def raise_ranks(self, lifts: Sequence[tuple[str, str, float]]) -> None:
        """Raise the ranks of records (scope, id, rank), also if a record comes only after this; a deleted one stays deleted."""
        calls = [
            ((self._record_key(scope, each), self.index_key(scope)), (_encode_rank(rank), each, TOMBSTONE_MS))
            for scope, each, rank in lifts
        ]
        await _RAISE_RANK.run_many(self._redis, calls)

    def _call(self, put: "Put[T]") -> tuple[tuple[str, ...], tuple[Argument, ...]]:
        json = b"" if put.value is None else self._encode(put.value)
        keys = (
            self._record_key(put.scope, put.id),
            self.index_key(put.scope),
            self._scope_closed_key(put.scope),
            self._groups_key(put.scope),
        )
        group, never_falls = _group_hash(put.group) if put.group else "", "1" if self._lifted else ""
        return keys, (put.order, _encode_rank(put.rank), put.id, json, self._life_ms, TOMBSTONE_MS, group, never_falls)

    async def get(self, scope: str, id: str) -> T | None:  # noqa: A002
        """The record, or None."""
        entry = await self._redis.execute_command("GET", self._record_key(scope, id))
        if entry is None:
            await self._redis.confirm_absence()
        return self._read(scope, id, entry)

    async def is_deleted(self, scope: str, id: str) -> bool:  # noqa: A002
        """Whether a deletion of the record is remembered; False for a record that never was."""
        entry = await self._redis.execute_command("GET", self._record_key(scope, id))
        return entry is not None and entry.endswith(b"  ")  # as the script writes a tombstone: an order, no rank, no JSON

    async def get_many(self, scope: str, ids: Sequence[str]) -> dict[str, T]:
        """The records of ``ids`` that exist."""
        found: dict[str, T] = {}
        for start in range(0, len(ids), PAGE_MAX):
            some = ids[start : start + PAGE_MAX]
            raw = await self._redis.execute_command("MGET", *(self._record_key(scope, each) for each in some))
            if None in raw:
                await self._redis.confirm_absence()
            values = ((each, self._read(scope, each, entry)) for each, entry in zip(some, raw, strict=True))
            found.update({each: value for each, value in values if value is not None})
        return found

    async def list(self, scope: str, *, limit: int, cursor: str = "", newest_first: bool = True) -> RecordPage[T]:
        """At most ``limit`` records (1 to 1,000) after ``cursor``; a record that keeps its rank is seen exactly once whatever is
        inserted meanwhile. Raises Refused("validation_failed") for a cursor that no list returned.
        """
        limit = max(1, min(limit, PAGE_MAX))
        page = await self._list(scope, limit, cursor, newest_first=newest_first)
        if not page.items:
            await self._redis.confirm_absence()
        return page

    async def _list(self, scope: str, limit: int, cursor: str, *, newest_first: bool) -> RecordPage[T]:
        after = _decode_member(cursor) if cursor else b""
        page: RecordPage[T] = RecordPage([], "")
        for _ in range(PAGE_ROUNDS_MAX):
            wanted = limit - len(page.items)
            members = await self._members(scope, after, wanted + 1, newest_first=newest_first)
            some, more = members[:wanted], len(members) > wanted
            after = some[-1] if some else after
            page = RecordPage([*page.items, *await self._read_members(scope, some)], encode_cursor(after) if more else "")
            if not more or len(page.items) == limit:
                break
        return page

    async def list_accepted(self, scope: str, accepts: Callable[[T], bool], *, limit: int, cursor: str = "") -> RecordPage[T]:
        """At most ``limit`` records that ``accepts``, the highest rank first, after ``cursor``; cursors as those of ``list``.

        A page reads at most 1,000 records: it may have fewer than ``limit``, or none, and a cursor where more are left to read.
        """
        after, found = _decode_member(cursor) if cursor else b"", list[T]()
        for _ in range(0, SCAN_MAX, SCAN_BATCH):
            members = await self._members(scope, after, SCAN_BATCH + 1, newest_first=True)
            batch, more = members[:SCAN_BATCH], len(members) > SCAN_BATCH
            for member, value in await self._read_entries(scope, batch):
                if accepts(value):
                    found.append(value)
                    if len(found) == limit:
                        return RecordPage(found, encode_cursor(member) if more or member != batch[-1] else "")
            if not more:
                if not found:
                    await self._redis.confirm_absence()
                return RecordPage(found, "")
            after = batch[-1]
        return RecordPage(found, encode_cursor(after))

    async def between(self, scope: str, first: float, end: float, limit: int) -> Sequence[T]:
        """At most ``limit`` records whose rank is at least ``first`` and below ``end``, in order."""
        bounds = b"[" + _encode_rank(first).encode(), b"(" + _encode_rank(end).encode()
        members = await self._redis.execute_command("ZRANGE", self.index_key(scope), *bounds, "BYLEX", "LIMIT", 0, limit)
        return await self._read_members(scope, members)

    async def count(self, scope: str) -> int:
        """The number of records of the scope; with a retention this may count some that have just expired."""
        return int(await self._redis.execute_command("ZCARD", self.index_key(scope)))

    async def ids(self, scope: str) -> tuple[str, ...]:
        """The ids of every record of the scope; for scopes that are known to be small."""
        members = await self._redis.execute_command("ZRANGE", self.index_key(scope), 0, -1)
        return tuple(map(_member_id, members))

    async def group_members(self, scope: str, groups: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The ids that were put into each group, by rank; the first 100."""
        if not groups:
            return {}
        batch = self._redis.pipeline()
        for group in groups:
            start = _group_hash(group).encode()
            batch.execute_command("ZRANGE", self._groups_key(scope), b"[" + start, b"(" + start + b"g", "BYLEX", "LIMIT", 0, GROUP_MAX)
        replies = await batch.execute()
        return {
            group: tuple(_member_id(member[GROUP_CHARS:]) for member in members) for group, members in zip(groups, replies, strict=True)
        }

    async def group_ids(self, scope: str, group: str) -> AsyncIterator[tuple[str, ...]]:
        """All ids that were put into the group, by rank, up to 1,000 at a time."""
        start = _group_hash(group).encode()
        after, end = b"[" + start, b"(" + start + b"g"
        while True:
            members = await self._redis.execute_command("ZRANGE", self._groups_key(scope), after, end, "BYLEX", "LIMIT", 0, PAGE_MAX)
            if members:
                yield tuple(_member_id(member[GROUP_CHARS:]) for member in members)
            if len(members) < PAGE_MAX:
                return
            after = b"(" + members[-1]

    async def trim(self, scope: str, newest: int, keeps: Callable[[T], bool]) -> int:
        """Remove the oldest records of the scope beyond the ``newest``, but those that it ``keeps``, at most 500; returns how many.

        They leave no tombstone: one that is written again is removed again.
        """
        members = await self._redis.execute_command("ZRANGE", self.index_key(scope), 0, -1 - newest)
        members = members[:CLOSE_BATCH]
        if not members:
            return 0
        raw = await self._redis.execute_command("MGET", *(self._record_key(scope, _member_id(member)) for member in members))
        rows = zip(members, (self._read(scope, _member_id(member), entry) for member, entry in zip(members, raw, strict=True)), strict=True)
        old = [member for member, value in rows if value is None or not keeps(value)]
        if old:
            batch = self._redis.pipeline()
            batch.execute_command("UNLINK", *(self._record_key(scope, _member_id(member)) for member in old))
            batch.execute_command("ZREM", self.index_key(scope), *old)
            await batch.execute()
        return len(old)

    async def sweep(self, scope: str) -> int:
        """Remove the entries of the oldest 500 records of the scope that have expired; returns how many."""
        members = await self._redis.execute_command("ZRANGE", self.index_key(scope), 0, CLOSE_BATCH - 1)
        if not members:
            return 0
        raw = await self._redis.execute_command("MGET", *(self._record_key(scope, _member_id(member)) for member in members))
        expired = [member for member, entry in zip(members, raw, strict=True) if entry is None]
        calls = [((self.index_key(scope), self._record_key(scope, _member_id(member))), (member,)) for member in expired]
        return sum(map(int, await _REMOVE_EXPIRED.run_many(self._redis, calls))) if calls else 0

    async def is_closed(self, scope: str) -> bool:
        """Whether the scope is closed: it takes no more records."""
        return bool(await self._redis.execute_command("EXISTS", self._scope_closed_key(scope)))

    async def close(self, scope: str) -> None:
        """Remove every record of the scope for good: until tombstones expire no write is accepted, whatever its order.

        Their ids stay in ``remaining_ids`` until everything else of them is removed. A repeat continues an interrupted call.
        """
        await self._redis.execute_command("SET", self._scope_closed_key(scope), b"1", "PX", TOMBSTONE_MS)
        await self._redis.execute_command("UNLINK", self._groups_key(scope))
        while members := await self._redis.execute_command("ZRANGE", self.index_key(scope), 0, CLOSE_BATCH - 1):
            batch = self._redis.pipeline()
            batch.execute_command("SADD", self._remaining_key(scope), *(_member_id(member) for member in members))
            batch.execute_command("PEXPIRE", self._remaining_key(scope), TOMBSTONE_MS)
            batch.execute_command("UNLINK", *(self._record_key(scope, _member_id(member)) for member in members))
            batch.execute_command("ZREM", self.index_key(scope), *members)
            await batch.execute()

    async def remaining_ids(self, scope: str) -> Sequence[str]:
        """Ids of a closed scope that ``clear_remaining`` has not removed yet, at most 500."""
        ids = await self._redis.execute_command("SRANDMEMBER", self._remaining_key(scope), CLOSE_BATCH)
        return [each.decode() for each in ids]

    async def clear_remaining(self, scope: str, ids: Sequence[str]) -> None:
        """Remove these from ``remaining_ids``: nothing of them is left."""
        await self._redis.execute_command("SREM", self._remaining_key(scope), *ids)

    async def _members(self, scope: str, after: bytes, count: int, *, newest_first: bool) -> Sequence[bytes]:
        bounds: tuple[Argument, ...]
        if newest_first:
            bounds = (b"(" + after if after else b"+", b"-", "BYLEX", "REV")
        else:
            bounds = (b"(" + after if after else b"-", b"+", "BYLEX")
        found: Sequence[bytes] = await self._redis.execute_command("ZRANGE", self.index_key(scope), *bounds, "LIMIT", 0, count)
        return found

    async def _read_members(self, scope: str, members: Sequence[bytes]) -> Sequence[T]:
        return [value for _, value in await self._read_entries(scope, members)]

    async def _read_entries(self, scope: str, members: Sequence[bytes]) -> Sequence[tuple[bytes, T]]:
        """The records of these entries of the index, each with its entry; those that have expired leave the index."""
        if not members:
            return []
        raw = await self._redis.execute_command("MGET", *(self._record_key(scope, _member_id(member)) for member in members))
        items = []
        for member, entry in zip(members, raw, strict=True):
            if entry is None:
                await _REMOVE_EXPIRED(self._redis, (self.index_key(scope), self._record_key(scope, _member_id(member))), (member,))
                continue
            value = self._read(scope, _member_id(member), entry)
            if value is not None:
                items.append((member, value))
        return items

    def _read(self, scope: str, id: str, entry: bytes | None) -> T | None:  # noqa: A002
        if entry is None:
            return None
        parts = entry.split(b" ", 2)
        if len(parts) == 3 and not parts[2]:  # noqa: PLR2004
            return None
        try:
            value = self._decode(parts[2])
            return self._lifted(value, _decode_rank(parts[1])) if self._lifted else value
        except (IndexError, ValueError, struct.error, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("record_undecodable", table=self.name, scope=scope, id=id, error=str(error))
            return None

    def _record_key(self, scope: str, id: str) -> str:  # noqa: A002
        return f"{self._prefix}:record:{{{self.name}:{scope}}}:{id}"

    def index_key(self, scope: str) -> str:
        """The Redis key of the scope's ids, by rank."""
        return f"{self._prefix}:index:{{{self.name}:{scope}}}"

    def reserved_key(self, scope: str) -> str:
        """The Redis key of the reservations of records that are about to be written."""
        return f"{self._prefix}:reserved:{{{self.name}:{scope}}}"

    def _scope_closed_key(self, scope: str) -> str:
        return f"{self._prefix}:closed:{{{self.name}:{scope}}}"

    def _groups_key(self, scope: str) -> str:
        return f"{self._prefix}:groups:{{{self.name}:{scope}}}"

    def _remaining_key(self, scope: str) -> str:
        return f"{self._prefix}:left:{{{self.name}:{scope}}}"


def _encode_rank(rank: float) -> str:
    """16 hex digits that compare as text like the number: its bits, turned so that negative ones come first."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", rank + 0.0))
    return f"{bits ^ 0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else bits | 1 << 63:016x}"


def _decode_rank(digits: bytes) -> float:
    """The number of ``_encode_rank``'s digits; raises ValueError for other text."""
    bits = int(digits, 16)
    (rank,) = struct.unpack(">d", struct.pack(">Q", bits ^ 1 << 63 if bits >> 63 else bits ^ 0xFFFF_FFFF_FFFF_FFFF))
    return float(rank)


def _group_hash(name: str) -> str:
    """A hash of fixed length, so that no group is a prefix of another."""
    return hashlib.sha256(name.encode()).hexdigest()[:GROUP_CHARS]


def _member_id(member: bytes) -> str:
    return member[16:].decode(errors="replace")


def _decode_member(cursor: str) -> bytes:
    member = decode_cursor(cursor)
    if not _MEMBER.fullmatch(member):
        raise invalid_cursor()
    return member
