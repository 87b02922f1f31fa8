"""The express lane: at most 64 documents of a tenant, in one bounded Redis set per tenant.

Documents from the API take it while there is a place; the others, and all from inboxes, go to bulk and are not counted.
"""

from adapters.redis.client import RedisClient, Script

EXPRESS_MAX = 64  # documents of one tenant
ENTRY_TTL_S = 3_600  # a document whose worker died stops counting after this

# KEYS set; ARGV member, seconds until it is forgotten, largest size. Replies 1 when the member is in the set.
_ENTER = Script("""
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 1 end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
""")


class Express:
    """``key`` is ``tenant/kb/document``; every method raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    async def enter(self, tenant: str, key: str, version: int) -> bool:
        """Whether this version may take the express lane; the same again for a repeat while it is under way."""
        return bool(await _ENTER(self._redis, (self._set_key(tenant),), (f"{version}/{key}", ENTRY_TTL_S, EXPRESS_MAX)))

    async def leave(self, tenant: str, key: str, version: int) -> None:
        """This version was indexed, failed or was dropped; a repeat does nothing."""
        await self._redis.execute_command("ZREM", self._set_key(tenant), f"{version}/{key}")

    async def is_full(self, tenant: str) -> bool:
        """Whether the tenant's next document will take bulk, as far as is known before it is dispatched."""
        return int(await self._redis.execute_command("ZCARD", self._set_key(tenant))) >= EXPRESS_MAX

    def _set_key(self, tenant: str) -> str:
        return f"{self._prefix}:express:{{{tenant}}}"
