"""How often a model has begun to answer for one reply: the bound on what a reply may cost over all of its attempts.

An answer that breaks off because the log, Redis or the worker fails is generated anew under the next attempt, and each is paid for. Counted
is a call that has brought something; one that fails before costs nothing, and has its own limits. The first try's is not counted: that
would cost every answer two round trips.
"""

from collections import OrderedDict
from contextlib import suppress

from adapters.redis.client import RedisClient, Script
from schemas.errors import Refused, Unavailable

COUNT_S = 86_400  # far longer than an event is delivered again
REMEMBERED = 10_000  # replies of this process, for when Redis is down

# KEYS: count. ARGV: seconds. Returns the count with this call.
COUNT = Script("""
local calls = redis.call('INCR', KEYS[1])
redis.call('EXPIRE', KEYS[1], ARGV[1])
return calls
""")


class AnswerCalls:
    """Counts by reply, in Redis, and in this process while Redis is down. ``calls_max`` of a reply."""

    def __init__(self, redis: RedisClient, prefix: str, calls_max: int) -> None:
        self._redis, self._prefix, self._calls_max = redis, prefix, calls_max
        self._own: OrderedDict[str, int] = OrderedDict()

    async def check(self, tenant: str, reply_id: str) -> None:
        """Raises Refused("answer_attempts_exhausted") when a model has begun to answer for this reply as often as it may."""
        key = self._key(tenant, reply_id)
        calls = self._own.get(key, 0)
        with suppress(Unavailable):  # what this process knows is checked in any case
            calls = max(calls, int(await self._redis.execute_command("GET", key) or 0))
        if calls >= self._calls_max:
            detail = f"The model has begun to answer {calls} times, and each answer broke off before it was stored."
            raise Refused("answer_attempts_exhausted", detail)

    async def count(self, tenant: str, reply_id: str) -> None:
        """A model has begun to answer."""
        key = self._key(tenant, reply_id)
        self._own[key] = self._own.pop(key, 0) + 1
        if len(self._own) > REMEMBERED:
            self._own.popitem(last=False)
        with suppress(Unavailable):
            await COUNT(self._redis, [key], (COUNT_S,))

    def _key(self, tenant: str, reply_id: str) -> str:
        return f"{self._prefix}:answer_calls:{{{tenant}/{reply_id}}}"
