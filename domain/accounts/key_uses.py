"""When API keys were last used, to the minute. It lives in Redis alone: a use is no change of the key, and worth no record on the log."""

from collections.abc import Sequence
from datetime import UTC, datetime

from adapters.redis.client import RedisClient, Script
from schemas.errors import Unavailable
from schemas.records import Credential

MINUTE_S = 60  # at most one write of a key in this time, over all processes
KEPT_S = 400 * 86_400  # after the last use of any key of the tenant
KEYS_MAX = 20_000  # whose last write this process remembers

# KEYS uses of the tenant's keys; ARGV key id, now in s, MINUTE_S, KEPT_S.
_USE = Script("""
local used = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) - used < tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
""")


class KeyUses:
    """One hash per tenant: the second of the last use by key id."""

    def __init__(self, redis: RedisClient, key_prefix: str) -> None:
        self._redis, self._prefix = redis, key_prefix
        self._written: dict[str, float] = {}

    def is_due(self, credential: Credential, now: datetime) -> bool:
        """Whether a use now is to be written: this process wrote none of this key within a minute."""
        now_s = now.timestamp()
        if now_s - self._written.get(credential.id, 0.0) < MINUTE_S:
            return False
        self._written.pop(credential.id, None)
        self._written[credential.id] = now_s
        if len(self._written) > KEYS_MAX:
            self._written.pop(next(iter(self._written)))
        return True

    async def write(self, credential: Credential, now: datetime) -> None:
        """The key is used now. With Redis down that is forgotten."""
        try:
            await _USE(self._redis, (self._key(credential.tenant),), (credential.id, int(now.timestamp()), MINUTE_S, KEPT_S))
        except Unavailable:
            return

    async def read(self, tenant: str, key_ids: Sequence[str]) -> dict[str, datetime]:
        """The last uses of these keys of one tenant; keys that were not used are missing. Raises Unavailable("redis_unavailable")."""
        if not key_ids:
            return {}
        found = await self._redis.execute_command("HMGET", self._key(tenant), *key_ids)
        return {key_id: datetime.fromtimestamp(int(at), UTC) for key_id, at in zip(key_ids, found, strict=True) if at is not None}

    async def forget(self, tenant: str, key_id: str) -> None:
        """The key was revoked."""
        try:
            await self._redis.execute_command("HDEL", self._key(tenant), key_id)
        except Unavailable:
            return

    def _key(self, tenant: str) -> str:
        return f"{self._prefix}:key-uses:{tenant}"
