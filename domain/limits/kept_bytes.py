"""Bytes that are kept for a day, such as responses behind idempotency keys: summed per account and per tenant by the hour.

What was stored in an hour counts until ``KEPT_H`` hours later, so it counts up to an hour longer than it is kept, and nothing has to be
given back. The sums are gone with Redis, as are the bytes.
"""

from adapters.redis.client import RedisClient, Script
from domain.limits.caps import OWNERS, CapShortage

KEPT_H = 25  # a day, and the hour in which it began
HOUR_S = 3_600

# KEYS sums of the account, of the tenant; ARGV now in s ("" = the server's), bytes, life in s, cap of the account, of the tenant (0 = no
# cap). Replies {0, 0}, or {1 the account / 2 the tenant has not enough left, bytes in use}.
_ADD = Script(f"""
local now = tonumber(ARGV[1]) or tonumber(redis.call('TIME')[1])
local hour = math.floor(now / {HOUR_S})
for i = 1, 2 do
  local used, sums = 0, redis.call('HGETALL', KEYS[i])
  for j = 1, #sums, 2 do
    if tonumber(sums[j]) <= hour - {KEPT_H} then redis.call('HDEL', KEYS[i], sums[j]) else used = used + sums[j + 1] end
  end
  local limit = tonumber(ARGV[3 + i])
  if limit > 0 and used + ARGV[2] > limit then return {{i, used}} end
end
for i = 1, 2 do
  redis.call('HINCRBY', KEYS[i], hour, ARGV[2])
  redis.call('EXPIRE', KEYS[i], ARGV[3])
end
return {{0, 0}}
""")


class KeptBytes:
    """Methods raise Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis, self._prefix = redis, prefix

    async def add(
        self, tenant: str, account_id: str, size: int, *, account_max: int, tenant_max: int, now_s: int | None = None
    ) -> CapShortage | None:
        """Count ``size`` bytes, or whose cap they would exceed; 0 is no cap. ``now_s`` replaces the server's clock."""
        if not account_max and not tenant_max:
            return None
        arguments = ("" if now_s is None else now_s, size, KEPT_H * HOUR_S, account_max, tenant_max)
        lacking, used = await _ADD(self._redis, self._keys(tenant, account_id), arguments)
        return (
            CapShortage("idempotency_bytes", OWNERS[lacking - 1], used, (account_max, tenant_max)[lacking - 1], size) if lacking else None
        )

    async def count(self, tenant: str, now_s: float, account_id: str = "") -> int:
        """The bytes that count for an account, or for a tenant."""
        key = self._keys(tenant, account_id)[0 if account_id else 1]
        sums = await self._redis.execute_command("HGETALL", key)
        pairs = sums.items() if isinstance(sums, dict) else zip(sums[::2], sums[1::2], strict=True)
        oldest = int(now_s // HOUR_S) - KEPT_H
        return sum(int(size) for hour, size in pairs if int(hour) > oldest)

    def _keys(self, tenant: str, account_id: str) -> tuple[str, str]:
        of_tenant = f"{self._prefix}:kept:{{{tenant}}}"
        return f"{of_tenant}:{account_id}", of_tenant
