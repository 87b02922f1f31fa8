"""How many questions a widget's key may put in a day: counted when they are asked, so that no crowd of visitors gets beyond it.

Nothing but this bounds what strangers can spend of the account behind the key. So without Redis, where nobody can count, there are none.
"""

from datetime import UTC, datetime, timedelta

from adapters.redis.client import RedisClient, Script

KEPT_S = 2 * 86_400  # of a day's count, longer than any day lasts on clocks that differ

# KEYS count of the day; ARGV change, limit (0 = no limit), life in s. Replies the count after it, or -1 when there is no room.
_COUNT = Script("""
local used = tonumber(redis.call('GET', KEYS[1]) or '0') + ARGV[1]
if tonumber(ARGV[2]) > 0 and used > tonumber(ARGV[2]) then return -1 end
redis.call('SET', KEYS[1], math.max(0, used), 'EX', ARGV[3])
return used
""")


class QuestionBudget:
    """The questions of a day by key. Methods raise Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis, self._prefix = redis, prefix

    async def take(self, key_id: str, limit: int, now: datetime) -> bool:
        """Count a question; False when ``limit`` were put today already."""
        return int(await _COUNT(self._redis, (self._key(key_id, now),), (1, limit, KEPT_S))) >= 0

    async def give_back(self, key_id: str, now: datetime) -> None:
        """A question that was counted at ``now`` was not put."""
        await _COUNT(self._redis, (self._key(key_id, now),), (-1, 0, KEPT_S))

    def _key(self, key_id: str, now: datetime) -> str:
        return f"{self._prefix}:widget-questions:{key_id}:{now.astimezone(UTC):%Y%m%d}"


def seconds_to_reset(now: datetime) -> int:
    """Until the next day in UTC begins."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1, int((today + timedelta(days=1) - now).total_seconds() + 0.999))
