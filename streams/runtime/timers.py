"""Durable timers: "again at T", kept in Redis and fed from the log.

A timer has an id, a partition and a time. One sorted set per partition (and class, where some entries must not wait behind others) has the
ids by time; it survives every process. What holds:

* **The log is the truth.** Whoever follows a topic calls ``set_many`` with what each event says: a time, or that the timer is off. The
  latest time wins, so events may be applied in any order and more than once. When Redis has lost its data, reading the topic again from
  its beginning sets the same timers; only the count of firings starts again at zero.
* **Fenced by the partition's owner.** ``take_over`` returns a token that is higher than the owner's before; once it is used, ``claim`` with
  a lower one raises Superseded. Given the consumer group's generation or the time, it is higher also when Redis has lost the fence.
* **At least once.** ``claim`` returns due timers and, in the same script, sets them to ``again_at_ms``: if the process dies with them in
  hand, they are due again then. Therefore an effect's id must follow from the timer's id and ``fired``, its count of firings before.
* **Bounded.** A set takes ``entries_max`` ids. Later ones are turned away, which ``set_many`` counts; their next event tries again.

The owner's loop is the caller's: it claims, publishes what is due, and calls ``repeat``, or lets the event it published set the timer off.
Times are milliseconds since the epoch and come by argument: this module has no clock and starts no task.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.redis.client import Argument, RedisClient, Script
from schemas.errors import Superseded

ENTRIES_MAX = 50_000  # of one partition and class: some 10 MB of Redis

# KEYS: a set per class, fired. ARGV: id, ms (empty: off), 1-based number of its class, largest size. Returns 0 when it was turned away.
_SET = Script("""
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[#KEYS], ARGV[1])
  for i = 1, #KEYS - 1 do redis.call('ZREM', KEYS[i], ARGV[1]) end
  return 1
end
local key = KEYS[tonumber(ARGV[3])]
if redis.call('ZCARD', key) >= tonumber(ARGV[4]) and not redis.call('ZSCORE', key, ARGV[1]) then return 0 end
redis.call('ZADD', key, 'GT', ARGV[2], ARGV[1])
return 1
""")

# KEYS: fence. ARGV: floor.
_TAKE_OVER = Script("""
local token = math.max(tonumber(redis.call('GET', KEYS[1]) or '0') + 1, tonumber(ARGV[1]))
redis.call('SET', KEYS[1], string.format('%.0f', token))
return token
""")

# KEYS: set, fired, fence. ARGV: token, due before ms, set to ms, limit. Returns false for an older token, else id, ms, fired of each.
_CLAIM = Script("""
local fence = tonumber(redis.call('GET', KEYS[3]) or '0')
if fence > tonumber(ARGV[1]) then return false end
if fence < tonumber(ARGV[1]) then redis.call('SET', KEYS[3], ARGV[1]) end
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2], 'WITHSCORES', 'LIMIT', 0, ARGV[4])
local claimed = {}
for i = 1, #due, 2 do
  claimed[#claimed + 1] = due[i]
  claimed[#claimed + 1] = due[i + 1]
  claimed[#claimed + 1] = redis.call('HGET', KEYS[2], due[i]) or '0'
  redis.call('ZADD', KEYS[1], 'GT', ARGV[3], due[i])
end
return claimed
""")

# KEYS: set, fired. ARGV: id, ms, firings. Only while the timer is on: it may have been set off meanwhile.
_REPEAT = Script("""
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
""")


@dataclass(frozen=True, slots=True)
class TimerSetting:
    """What the log says of a timer. ``at_ms`` None: it is off, in whichever class it is."""

    partition: int
    id: str
    at_ms: int | None
    kind: int = 0  # index into the classes


def move_settings(partition: int, id: str, at_ms: int | None) -> list[TimerSetting]:  # noqa: A002
    """The settings that make a timer due at this time, earlier or later than it was; None: never.

    A timer only moves forward by itself, so it is set off first. A time that is too early costs its owner a look.
    """
    off = TimerSetting(partition, id, None)
    return [off] if at_ms is None else [off, TimerSetting(partition, id, at_ms)]


def ms_of(at: datetime) -> int:
    """A time as timers have it: milliseconds since the epoch."""
    return int(at.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that is due since ``at_ms`` and has ``fired`` so many times before."""

    partition: int
    id: str
    kind: int
    at_ms: int
    fired: int


class Timers:
    """Timers called ``name``. ``kinds``: classes of timers that are claimed apart. Every method raises Unavailable("redis_unavailable")."""

    def __init__(
        self, redis: RedisClient, prefix: str, name: str, *, kinds: Sequence[str] = ("all",), entries_max: int = ENTRIES_MAX
    ) -> None:
        self._redis, self._base, self._kinds, self._entries_max = redis, f"{prefix}:{name}", tuple(kinds), entries_max

    async def set_many(self, settings: Sequence[TimerSetting]) -> int:
        """Set timers, or set them off, in one round trip; returns how many were turned away because their set is full."""
        if not settings:
            return 0
        answers = await _SET.run_many(self._redis, [self._set_call(setting) for setting in settings])
        return sum(not answer for answer in answers)

    async def take_over(self, partition: int, floor: int) -> int:
        """The token of the partition's new owner, at least ``floor``: called when the partition is assigned, or its lease is taken."""
        return int(await _TAKE_OVER(self._redis, (self._key(partition, "fence"),), (floor,)))

    async def list_due(self, partition: int, before_ms: int, limit: int, *, kind: int = 0) -> list[Timer]:
        """Those due before that time, the longest due first. Claims nothing."""
        key = self._key(partition, self._kinds[kind])
        rows = await self._redis.execute_command("ZRANGEBYSCORE", key, "-inf", f"({before_ms}", "WITHSCORES", "LIMIT", 0, limit)
        if not rows:
            return []
        fired = await self._redis.execute_command("HMGET", self._key(partition, "tries"), *rows[::2])
        triples = zip(rows[::2], rows[1::2], fired, strict=True)
        return [Timer(partition, row.decode(), kind, int(float(at_ms)), int(count or 0)) for row, at_ms, count in triples]

    async def claim(self, partition: int, token: int, *, before_ms: int, again_at_ms: int, limit: int, kind: int = 0) -> list[Timer]:
        """Those due before that time, the longest due first; each is due again at ``again_at_ms`` unless it is repeated or set off.

        Raises Superseded when another owner took the partition over.
        """
        keys = (self._key(partition, self._kinds[kind]), self._key(partition, "tries"), self._key(partition, "fence"))
        flat = await _CLAIM(self._redis, keys, (token, before_ms, again_at_ms, limit))
        if flat is None:
            raise Superseded(f"partition {partition} of {self._base} has another owner")
        triples = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        return [Timer(partition, row.decode(), kind, int(float(at_ms)), int(count)) for row, at_ms, count in triples]

    async def repeat(self, timer: Timer, at_ms: int) -> None:
        """It fired: count that, and let it fire again at ``at_ms``. Nothing happens to one that was set off meanwhile."""
        keys = (self._key(timer.partition, self._kinds[timer.kind]), self._key(timer.partition, "tries"))
        await _REPEAT(self._redis, keys, (timer.id, at_ms, timer.fired + 1))

    async def end(self, timer: Timer) -> None:
        """Set it off in its class alone, and keep its count."""
        await self._redis.execute_command("ZREM", self._key(timer.partition, self._kinds[timer.kind]), timer.id)

    async def count(self, partitions: Sequence[int], *, kinds: Sequence[int] | None = None) -> int:
        """How many timers are on, in these classes or in all."""
        batch = self._redis.pipeline()
        for partition in partitions:
            for kind in self._kinds if kinds is None else [self._kinds[number] for number in kinds]:
                batch.execute_command("ZCARD", self._key(partition, kind))
        return sum(await batch.execute())

    def _set_call(self, setting: TimerSetting) -> tuple[tuple[str, ...], tuple[Argument, ...]]:
        keys = (*(self._key(setting.partition, kind) for kind in self._kinds), self._key(setting.partition, "tries"))
        at_ms = "" if setting.at_ms is None else setting.at_ms
        return keys, (setting.id, at_ms, setting.kind + 1, self._entries_max)

    def _key(self, partition: int, part: str) -> str:
        return f"{self._base}:{{{partition}}}:{part}"
