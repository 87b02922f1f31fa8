"""Places: what is open now (event streams, WebSocket connections, uploads), counted over all replicas by account and by tenant.

A place is a lease in two sorted sets of Redis, taken in both or in none, and renewed by its process while it is held. A process that dies
stops renewing, so its places are free again within ``LIFE_S``. A Redis that has lost its data has the places back with the next renewal.
With Redis down each process counts by itself, against its share of the caps.
"""

import asyncio
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import NamedTuple

import structlog

from adapters.redis.client import RedisClient, Script
from domain.limits.caps import OWNERS, CapShortage
from schemas.errors import Unavailable
from schemas.settings.caps import CapKind

LIFE_S = 30  # of a place without renewal
RENEW_S = 10.0
RENEWED_MAX = 500  # places of one command: one script must not block Redis

log = structlog.get_logger(__name__)

# KEYS places of the account, of the tenant; ARGV now in s ("" = the server's), place, life in s, cap of the account, of the tenant (0 = no
# cap). Replies {0, 0}, or {1 the account / 2 the tenant has none left, places in use}.
_TAKE = Script("""
local now = tonumber(ARGV[1]) or tonumber(redis.call('TIME')[1])
for i = 1, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  local limit, used = tonumber(ARGV[3 + i]), redis.call('ZCARD', KEYS[i])
  if limit > 0 and used >= limit then return {i, used} end
end
for i = 1, 2 do
  redis.call('ZADD', KEYS[i], now + ARGV[3], ARGV[2])
  redis.call('EXPIRE', KEYS[i], ARGV[3])
end
return {0, 0}
""")
# KEYS as above; ARGV life in s, places...
_RENEW = Script("""
local ends = tonumber(redis.call('TIME')[1]) + ARGV[1]
for i = 1, 2 do
  for j = 2, #ARGV do redis.call('ZADD', KEYS[i], ends, ARGV[j]) end
  redis.call('EXPIRE', KEYS[i], ARGV[1])
end
return 1
""")
# KEYS as above; ARGV places...
_FREE = Script("""
for i = 1, 2 do redis.call('ZREM', KEYS[i], unpack(ARGV)) end
return 1
""")
# KEYS places; ARGV now in s ("" = the server's). Replies how many are in use.
_COUNT = Script("""
local now = tonumber(ARGV[1]) or tonumber(redis.call('TIME')[1])
return redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf')
""")


class Place(NamedTuple):
    """One that is held."""

    kind: CapKind
    tenant: str
    account_id: str
    id: str


class Places:
    """The places that this process holds. ``fell_back`` is called for each decision without Redis; ``replicas`` share the caps then."""

    def __init__(self, redis: RedisClient, prefix: str, *, replicas: int = 1, fell_back: Callable[[], object] = lambda: None) -> None:
        self._redis, self._prefix, self._replicas, self._fell_back = redis, prefix, replicas, fell_back
        self._held: set[Place] = set()
        self._counts: Counter[tuple[str, ...]] = Counter()  # of this process, by kind and owner
        self._frees: set[asyncio.Task[None]] = set()
        self._renewing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to renew what is held."""
        self._renewing = asyncio.create_task(self._renew_regularly(), name="places-renew")

    async def stop(self) -> None:
        """Free everything."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait((self._renewing,))
        for place in tuple(self._held):
            self.free(place)
        if self._frees:
            await asyncio.wait(self._frees)

    async def take(
        self, kind: CapKind, tenant: str, account_id: str, *, account_max: int, tenant_max: int, now_s: int | None = None
    ) -> Place | CapShortage:
        """A place, or whose places are all taken; 0 is no cap. ``now_s`` replaces the server's clock."""
        place = Place(kind, tenant, account_id, secrets.token_hex(8))
        arguments = ("" if now_s is None else now_s, place.id, LIFE_S, account_max, tenant_max)
        try:
            lacking, used = await _TAKE(self._redis, self._keys(place), arguments)
        except Unavailable:
            self._fell_back()
            if (shortage := self._find_local_shortage(place, account_max, tenant_max)) is not None:
                return shortage
        else:
            if lacking:
                return CapShortage(kind, OWNERS[lacking - 1], used, (account_max, tenant_max)[lacking - 1])
        self._held.add(place)
        self._counts.update(_owners_of(place))
        return place

    def free(self, place: Place) -> None:
        """Free a place; a repeat does nothing. With Redis down it expires there."""
        if place not in self._held:
            return
        self._held.discard(place)
        for owner in _owners_of(place):
            self._counts[owner] -= 1
            if not self._counts[owner]:
                del self._counts[owner]
        task = asyncio.get_running_loop().create_task(self._free(place), name="places-free")
        self._frees.add(task)
        task.add_done_callback(self._frees.discard)

    async def count(self, kind: CapKind, tenant: str, account_id: str = "") -> int:
        """The places in use by an account, or by a tenant. Raises Unavailable."""
        account_key, tenant_key = self._keys(Place(kind, tenant, account_id, ""))
        return int(await _COUNT(self._redis, (account_key if account_id else tenant_key,), ("",)))

    async def renew(self) -> None:
        """Renew everything that is held. Raises Unavailable."""
        groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for place in self._held:
            groups[self._keys(place)].append(place.id)
        for keys, found in groups.items():
            for first in range(0, len(found), RENEWED_MAX):
                await _RENEW(self._redis, keys, (LIFE_S, *found[first : first + RENEWED_MAX]))

    async def _renew_regularly(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self.renew()
            except Unavailable:
                log.warning("places_not_renewed", held=len(self._held))

    async def _free(self, place: Place) -> None:
        try:
            await _FREE(self._redis, self._keys(place), (place.id,))
        except Unavailable:
            return

    def _find_local_shortage(self, place: Place, account_max: int, tenant_max: int) -> CapShortage | None:
        caps = zip(OWNERS, _owners_of(place), (account_max, tenant_max), strict=True)
        for owner, key, cap in caps:
            if cap and self._counts[key] >= max(1, cap // self._replicas):
                return CapShortage(place.kind, owner, self._counts[key], max(1, cap // self._replicas))
        return None

    def _keys(self, place: Place) -> tuple[str, str]:
        of_tenant = f"{self._prefix}:places:{{{place.tenant}}}:{place.kind}"
        return f"{of_tenant}:{place.account_id}", of_tenant


def _owners_of(place: Place) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (place.kind, place.tenant, place.account_id), (place.kind, place.tenant)
