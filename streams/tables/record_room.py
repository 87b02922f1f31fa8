"""Room in a record table: at most so many records of one scope, exact under concurrency.

A record counts from its reservation on: the records of the scope and the reservations of those that are not written yet may not exceed the
cap together. A reservation ends with its record, or after ``RESERVED_S``, so the count follows from the log whatever crashed in between.
"""

from typing import Any

from msgspec import Struct

from adapters.redis.client import RedisClient, Script
from streams.tables.record_table import RecordTable

RESERVED_S = 60  # a write under a reservation takes seconds at most

# KEYS index, reservations; ARGV now in s ("" = the server's), id, life in s, most records. Replies {1 reserved / 0 not, records and
# reservations, ids with a reservation...}.
_RESERVE = Script("""
local now = tonumber(ARGV[1]) or tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZREM', KEYS[2], ARGV[2])
local used = redis.call('ZCARD', KEYS[1]) + redis.call('ZCARD', KEYS[2])
if used >= tonumber(ARGV[4]) then return {0, used, unpack(redis.call('ZRANGE', KEYS[2], 0, 999))} end
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return {1, used + 1}
""")


class Room(Struct, frozen=True):
    """Whether there is room for one record more, and how many there are with those that are reserved."""

    granted: bool
    used: int


class RecordRoom:
    """Room in one table; methods raise Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, table: RecordTable[Any]) -> None:
        self._redis, self._table = redis, table

    async def reserve(self, scope: str, id: str, count_max: int, *, now_s: int | None = None) -> Room:  # noqa: A002
        """Reserve room for the record ``id``; one that is there already needs none."""
        keys = self._table.index_key(scope), self._table.reserved_key(scope)
        arguments = ("" if now_s is None else now_s, id, RESERVED_S, count_max)
        granted, used, *reserved = await _RESERVE(self._redis, keys, arguments)
        if granted:
            return Room(granted=True, used=used)
        # a record that was written a moment ago counts twice until its reservation ends
        written = await self._table.get_many(scope, [id, *(each.decode() for each in reserved)])
        if id in written:
            return Room(granted=True, used=used)
        if written:
            await self._redis.execute_command("ZREM", keys[1], *written)
            granted, used, *_ = await _RESERVE(self._redis, keys, arguments)
        return Room(granted=bool(granted), used=used)

    async def release(self, scope: str, id: str) -> None:  # noqa: A002
        """The record was written, or never will be."""
        await self._redis.execute_command("ZREM", self._table.reserved_key(scope), id)

    async def count(self, scope: str) -> int:
        """The records of the scope."""
        return await self._table.count(scope)
