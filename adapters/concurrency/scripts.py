"""The scripts of a concurrency limit. Permits are a sorted set, holder -> end of its lease; waiters are another one, holder -> turn (by
priority, then by arrival); a third says until when a waiter is believed to be there. Times are microseconds of Redis' own clock.

Whoever asks takes a place only if there is one for everybody before it, too. So a free place waits for the first in the queue for at
most as long as its mark lives, and a process that died or was paused holds up nobody for longer.
"""

from collections.abc import Sequence

from msgspec import Struct

from adapters.redis.client import Argument, RedisClient, Script

# KEYS permits, queue, marks. ARGV now ("" = the server's), limit, lease, mark, then of the caller: holder, priority, reserve.
# Replies 1 when the permit is taken (or was), else 0: the holder is in the queue.
_ACQUIRE = Script("""
local now, limit, lease, mark = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local holder, priority, reserve = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local function number(value) return string.format('%.0f', value) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', number(now))
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', number(now))) do
  redis.call('ZREM', KEYS[2], gone)
  redis.call('ZREM', KEYS[3], gone)
end
local turn = number(priority * 3000000000000000 + now)
local before = redis.call('ZRANK', KEYS[2], holder) or redis.call('ZCOUNT', KEYS[2], '-inf', turn)
local has = redis.call('ZSCORE', KEYS[1], holder)
if has or redis.call('ZCARD', KEYS[1]) + before + reserve < limit then
  redis.call('ZADD', KEYS[1], number(now + lease), holder)
  redis.call('PEXPIRE', KEYS[1], number(math.ceil(lease / 1000) * 2))
  redis.call('ZREM', KEYS[2], holder)
  redis.call('ZREM', KEYS[3], holder)
  return 1
end
redis.call('ZADD', KEYS[2], 'NX', turn, holder)
redis.call('ZADD', KEYS[3], number(now + mark), holder)
redis.call('PEXPIRE', KEYS[2], number(math.ceil(mark / 1000) * 2))
redis.call('PEXPIRE', KEYS[3], number(math.ceil(mark / 1000) * 2))
return 0
""")

# KEYS permits. ARGV now, limit, lease, then holders. An expired permit is renewed when no other caller took it. Replies a 1 per
# holder that has its permit, else 0.
_RENEW = Script("""
local now, limit, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local until_us = string.format('%.0f', now + lease)
local kept, missing = {}, {}
for i = 4, #ARGV do
  kept[i - 3] = 1
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('ZADD', KEYS[1], until_us, ARGV[i])
  else
    missing[#missing + 1] = i
  end
end
if #missing > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
  for _, i in ipairs(missing) do
    if redis.call('ZCARD', KEYS[1]) < limit then
      redis.call('ZADD', KEYS[1], until_us, ARGV[i])
    else
      kept[i - 3] = 0
    end
  end
end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil(lease / 1000) * 2))
return kept
""")

# KEYS permits, queue, marks. ARGV holder.
_RELEASE = Script("""
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
""")


class PermitRequest(Struct, frozen=True):
    """A caller that needs a permit. ``reserve``: how many it leaves to others."""

    holder: str
    priority: int
    reserve: int


class Permits:
    """The permits of one concurrency limit in Redis. ``now_us``: microseconds for tests, "" for Redis' own clock. All raise Unavailable."""

    def __init__(self, redis: RedisClient, keys: str, *, limit: int, lease_us: int, mark_us: int) -> None:
        self._redis = redis
        self._keys = tuple(f"{keys}:{part}" for part in ("permits", "queue", "marks"))
        self._limit, self._lease_us, self._mark_us = limit, lease_us, mark_us

    async def acquire(self, asks: Sequence[PermitRequest], now_us: int | str = "") -> list[bool]:
        """The callers that have a permit now; the others are in the queue. One round trip."""
        calls: list[tuple[Sequence[str], Sequence[Argument]]] = [
            (self._keys, (now_us, self._limit, self._lease_us, self._mark_us, ask.holder, ask.priority, ask.reserve)) for ask in asks
        ]
        return [reply == 1 for reply in await _ACQUIRE.run_many(self._redis, calls)]

    async def renew(self, holders: Sequence[str], now_us: int | str = "") -> list[bool]:
        """The holders that still have their permit."""
        replies = await _RENEW(self._redis, self._keys[:1], (now_us, self._limit, self._lease_us, *holders))
        return [reply == 1 for reply in replies]

    async def release(self, holder: str) -> None:
        """Give the permit back, or leave the queue."""
        await _RELEASE(self._redis, self._keys, (holder,))
