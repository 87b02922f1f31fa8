"""The lanes of documents: which queue the next document of a tenant takes.

Documents from the API take ``express`` while their tenant has few in progress there; the others, and all from inboxes, take ``bulk``. Each
lane has so many places per tenant (in express until a document is indexed, in bulk until it is parsed), in one bounded Redis set each. What
finds none waits in the slow queue, on a topic of its own: so the others hold no more of a tenant than workers read ahead, and tenants can
take turns. A tenant whose file ended its parser is in the slow queue with everything, for a while.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, get_args

from prometheus_client import Counter

from adapters.redis.client import Argument, RedisClient, Script
from schemas.documents import DocumentQueue, Lane

EXPRESS_MAX = 64  # documents of one tenant
BULK_MAX = 256
ENTRY_TTL_S = 3_600  # a document whose worker died stops counting after this
FRESH_S = 1.0  # whether a tenant is slowed down is looked up this often
KNOWN_MAX = 10_000  # tenants

SLOWED = Counter("claw_documents_tenants_slowed", "Times a tenant was sent to the slow queue because a file ended its parser.")
QUEUED = Counter("claw_documents_queued", "Documents by the queue they took.", ("queue",))

# KEYS express set, bulk set, flag of a tenant that is slowed down. ARGV seconds until an entry is forgotten, places in express, in bulk,
# then pairs: member, 1 when it may take express. Replies 1 (express), 2 (bulk) or 3 (slow) for each.
_ENTER = Script("""
local now, ttl = tonumber(redis.call('TIME')[1]), tonumber(ARGV[1])
local size, is_full = {}, {}
for lane = 1, 2 do
  redis.call('ZREMRANGEBYSCORE', KEYS[lane], '-inf', now)
  size[lane] = redis.call('ZCARD', KEYS[lane])
end
local slowed, taken = redis.call('EXISTS', KEYS[3]) == 1, {}
for i = 4, #ARGV, 2 do
  local found = 3
  for lane = 1, 2 do
    if found == 3 and redis.call('ZSCORE', KEYS[lane], ARGV[i]) then found = lane end
  end
  if found == 3 and not slowed then
    for lane = (ARGV[i + 1] == '1') and 1 or 2, 2 do
      if found == 3 and size[lane] < tonumber(ARGV[1 + lane]) then
        redis.call('ZADD', KEYS[lane], now + ttl, ARGV[i])
        redis.call('EXPIRE', KEYS[lane], ttl)
        size[lane], found = size[lane] + 1, lane
      end
    end
  end
  taken[#taken + 1] = found
end
return taken
""")


class LaneRequest(NamedTuple):
    """A version that is to be queued. ``key`` is ``tenant/kb/document``; ``awaited``: it came from the API."""

    tenant: str
    key: str
    version: int
    awaited: bool


class Lanes:
    """Every method raises Unavailable("redis_unavailable"). ``slow_s``: how long a tenant is slowed down."""

    def __init__(self, redis: RedisClient, prefix: str, slow_s: float, monotonic_s: Callable[[], float]) -> None:
        self._redis, self._prefix, self._slow_s, self._monotonic_s = redis, prefix, slow_s, monotonic_s
        self._slowed: dict[str, tuple[float, bool]] = {}

    async def enter_many(self, requests: Sequence[LaneRequest]) -> list[DocumentQueue]:
        """The queue of each, in one round trip; the same again for a repeat while it is in progress, unless that was the slow one."""
        tenants: dict[str, list[LaneRequest]] = {}
        for request in requests:
            tenants.setdefault(request.tenant, []).append(request)
        calls: list[tuple[Sequence[str], Sequence[Argument]]] = [
            (
                self._keys(tenant),
                (ENTRY_TTL_S, EXPRESS_MAX, BULK_MAX, *(part for one in own for part in (f"{one.version}/{one.key}", int(one.awaited)))),
            )
            for tenant, own in tenants.items()
        ]
        replies = await _ENTER.run_many(self._redis, calls) if calls else []
        taken = {tenant: iter(reply) for tenant, reply in zip(tenants, replies, strict=True)}
        queues: list[DocumentQueue] = [("express", "bulk", "slow")[next(taken[request.tenant]) - 1] for request in requests]
        for queue in queues:
            QUEUED.labels(queue).inc()
        return queues

    async def leave(self, tenant: str, key: str, version: int, lane: Lane) -> None:
        """This version gives its place back; a repeat does nothing."""
        await self._redis.execute_command("ZREM", self._keys(tenant)[("express", "bulk").index(lane)], f"{version}/{key}")

    async def leave_all(self, tenant: str, key: str, version: int) -> None:
        """The same, whichever lane it took."""
        for lane in get_args(Lane):
            await self.leave(tenant, key, version, lane)

    async def next_queue(self, tenant: str) -> DocumentQueue:
        """The queue of the tenant's next document from the API, as far as is known before it is dispatched."""
        express, bulk, slowed = self._keys(tenant)
        commands: list[tuple[tuple[str, ...], dict[str, str]]] = [(("ZCARD", express), {}), (("ZCARD", bulk), {}), (("EXISTS", slowed), {})]
        in_express, in_bulk, is_slowed = await self._redis.execute_commands(commands)
        if is_slowed or (in_express >= EXPRESS_MAX and in_bulk >= BULK_MAX):
            return "slow"
        return "express" if in_express < EXPRESS_MAX else "bulk"

    async def slow_down(self, tenant: str) -> None:
        """A file of the tenant ended its parser."""
        SLOWED.inc()
        self._slowed.pop(tenant, None)
        if self._slow_s > 0:
            await self._redis.set(self._keys(tenant)[2], 1, px=int(self._slow_s * 1000))

    async def is_slowed(self, tenant: str) -> bool:
        """Whether the tenant is slowed down, as known a second ago."""
        now_s = self._monotonic_s()
        known = self._slowed.get(tenant)
        if known is None or now_s - known[0] > FRESH_S:
            if len(self._slowed) >= KNOWN_MAX:
                self._slowed.clear()
            known = self._slowed[tenant] = (now_s, bool(await self._redis.exists(self._keys(tenant)[2])))
        return known[1]

    def _keys(self, tenant: str) -> tuple[str, str, str]:
        return (
            f"{self._prefix}:express:{{{tenant}}}",
            f"{self._prefix}:bulk:{{{tenant}}}",
            f"{self._prefix}:slowed:{{{tenant}}}",
        )
