"""Key leases: one worker at a time handles a key, also during a rebalance, and each takeover has a higher *attempt*.

The attempt is a fencing token, not a count: the time in milliseconds, and above every earlier attempt at the event that Redis knows. Work
on one reply may take several events, one after the other, and Redis may be lost in between; time orders them all. It is Redis's time, one
clock for all workers; with Redis down the worker's own. A holder that cannot reach Redis goes on; when a newer holder shows up, ``lost`` is
set. Whatever a holder does again it does under an attempt of its own (``advance``).
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from adapters.redis.client import RedisClient, Script
from adapters.redis.lease import release_lease
from schemas.errors import Superseded, Unavailable
from streams.clock import Clock
from streams.log.outgoing import LogOffset
from streams.runtime.metrics import WorkerMetrics

ATTEMPT_TTL_S = 86_400  # far longer than an event is delivered again
POLL_S_MIN, POLL_S_MAX = 0.05, 1.0  # between two tries of a waiting worker, growing
UNRELEASED_LEASES = 20  # lives of a lease for which one is remembered: Redis may have stood still, and its clock with it
RENEWALS_AT_ONCE = 32  # renewals in flight together: half of a process's Redis connections

# KEYS: lease, attempt. ARGV: holder, lease ms, attempt ttl s, take it by force, a holder that has ended, the beginning of this worker's and
# its predecessors' holders ('': there are none), that of its own. Returns the attempt, or 0 when it is held.
ACQUIRE = Script("""
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] and holder ~= ARGV[5] and ARGV[4] == '0' then
  local line, own = ARGV[6], ARGV[7]
  local by_predecessor = line ~= '' and string.sub(holder, 1, #line) == line and string.sub(holder, 1, #own) ~= own
  if not by_predecessor then return 0 end
end
local time = redis.call('TIME')
local attempt = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], string.format('%.0f', attempt), 'EX', ARGV[3])
return attempt
""")

# KEYS: lease, attempt. ARGV: holder, lease ms, own attempt, attempt ttl s. Returns the next attempt, 0 when another worker has the lease or
# had it meanwhile, and 1 when it was the holder's throughout.
ADVANCE = Script("""
local holder, known = redis.call('GET', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or '0')
if holder ~= ARGV[1] and (holder or known > tonumber(ARGV[3])) then return {0, 0} end
local time = redis.call('TIME')
local attempt = math.max(math.max(known, tonumber(ARGV[3])) + 1, time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], string.format('%.0f', attempt), 'EX', ARGV[4])
return {attempt, holder == ARGV[1] and 1 or 0}
""")

# KEYS: lease, attempt. ARGV: holder, lease ms, own attempt, attempt ttl s. A lease that expired (Redis was down) and that no other
# worker took is taken back. Returns 1 while the holder has it.
RENEW = Script("""
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
if holder or tonumber(redis.call('GET', KEYS[2]) or '0') > tonumber(ARGV[3]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4])
return 1
""")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Unreleased:
    """A lease that Redis was not there to take back."""

    holder: str
    until_s: float  # in monotonic time


@dataclass(slots=True, eq=False)
class KeyLease:
    """A key that this worker holds. ``lost`` is set once another worker has it: the work must stop."""

    keys: tuple[str, str]
    holder: str
    attempt: int
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    released: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # a renewal that overtakes the release would take the lease back


class KeyLeases:
    """The leases of one worker. ``worker`` names it; ``lease_s`` is the life of a lease, renewed at a third of it.

    ``instance`` names it and its predecessors, of which none is alive any more: what they held is free. "": nothing is known of them.

    ``wait_s_max``: a holder that renews longer than this counts as hanging; its lease is taken by force, which fencing makes safe.
    """

    def __init__(
        self,
        redis: RedisClient,
        *,
        prefix: str,
        worker: str,
        lease_s: float,
        wait_s_max: float,
        clock: Clock,
        metrics: WorkerMetrics,
        instance: str = "",
    ) -> None:
        self._redis, self._prefix = redis, prefix
        self._line = f"{instance}#" if instance else ""
        self._worker = f"{self._line}{worker}"
        self._lease_s, self._wait_s_max = lease_s, wait_s_max
        self._clock, self._metrics = clock, metrics
        self._held: dict[KeyLease, str] = {}  # to the agent's name
        self._unreleased: dict[str, _Unreleased] = {}
        self._serial = 0
        self._renewer: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def hold(self, agent: str, key: bytes | None, place: LogOffset) -> AsyncIterator[KeyLease]:
        """The lease on ``key`` (an event without a key is its own); waits for the holder to end, to expire, or to be hanging."""
        lease = await self._acquire(agent, key, place)
        self._held[lease] = agent
        if self._renewer is None or self._renewer.done():
            self._renewer = asyncio.create_task(self._renew_all(), name="lease-renewer")
        try:
            yield lease
        finally:
            del self._held[lease]
            if not lease.lost.is_set():
                await asyncio.shield(asyncio.ensure_future(self._release(lease)))

    async def advance(self, lease: KeyLease) -> bool:
        """Give a lease that is held a higher attempt: what its holder does again must not be taken for what was done before. Without Redis
        the worker's own clock gives it. Superseded when another worker has the lease, or had it meanwhile.

        Whether it was held throughout: not where it ran out, or Redis cannot tell; then others may have worked under the key.
        """
        async with lease.lock:
            try:
                attempt, held = await ADVANCE(self._redis, lease.keys, (lease.holder, self._lease_ms, lease.attempt, ATTEMPT_TTL_S))
            except Unavailable:
                self._count_fallback()
                lease.attempt = max(lease.attempt + 1, self._time_ms)
                return False
            if not attempt:
                self._mark_lost(lease)
                raise Superseded("another worker took the lease")
            lease.attempt = int(attempt)
            return bool(held)

    async def still_owner(self, lease: KeyLease) -> bool:
        """Whether no newer worker has the key; with Redis down: as far as this worker knows."""
        await self._renew(lease)
        return not lease.lost.is_set()

    async def stop(self) -> None:
        """End the renewals; leases that are still held run out."""
        if self._renewer is not None:
            self._renewer.cancel()
            await asyncio.wait([self._renewer])

    async def _acquire(self, agent: str, key: bytes | None, place: LogOffset) -> KeyLease:
        event = f"{place.topic}/{place.partition}/{place.offset}"
        tag = f"{{{agent}/{event if key is None else key.decode(errors='backslashreplace')}}}"
        keys = (f"{self._prefix}:lease:{tag}", f"{self._prefix}:attempt:{tag}:{event}")
        self._serial += 1
        lease = KeyLease(keys, f"{self._worker}/{self._serial}", self._time_ms)
        until_s, poll_s = self._clock.monotonic_s() + self._wait_s_max, POLL_S_MIN
        while True:
            force = int(self._clock.monotonic_s() >= until_s)
            ended = self._unreleased[keys[0]].holder if keys[0] in self._unreleased else lease.holder
            try:
                holders = (ended, self._line, f"{self._worker}/")
                attempt = await ACQUIRE(self._redis, keys, (lease.holder, self._lease_ms, ATTEMPT_TTL_S, force, *holders))
            except Unavailable:
                self._count_fallback()
                return lease
            if attempt:
                self._unreleased.pop(keys[0], None)
                lease.attempt = int(attempt)
                return lease
            await asyncio.sleep(poll_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the waiters of a takeover
            poll_s = min(poll_s * 1.5, POLL_S_MAX)

    @property
    def _time_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    @property
    def _lease_ms(self) -> int:
        return int(self._lease_s * 1000)

    async def _renew_all(self) -> None:
        while self._held:
            await asyncio.sleep(self._lease_s / 3)
            leases = list(self._held)
            for start in range(0, len(leases), RENEWALS_AT_ONCE):
                await asyncio.gather(*(self._renew(lease) for lease in leases[start : start + RENEWALS_AT_ONCE]))

    async def _renew(self, lease: KeyLease) -> None:
        async with lease.lock:
            if lease.released or lease.lost.is_set():
                return
            try:
                is_held = await RENEW(self._redis, lease.keys, (lease.holder, self._lease_ms, lease.attempt, ATTEMPT_TTL_S))
            except Unavailable:
                self._count_fallback()
                return
            if not is_held:
                self._mark_lost(lease)

    def _mark_lost(self, lease: KeyLease) -> None:
        lease.lost.set()
        self._metrics.leases_lost.labels(self._held.get(lease, "")).inc()
        log.warning("lease_lost", lease=lease.keys[0], attempt=lease.attempt)

    async def _release(self, lease: KeyLease) -> None:
        async with lease.lock:
            lease.released = True
            try:
                await release_lease(self._redis, lease.keys[0], lease.holder)
            except Unavailable:
                self._count_fallback()
                self._keep_unreleased(lease)

    def _keep_unreleased(self, lease: KeyLease) -> None:
        """Redis may still hold a lease under which nobody works any more; by then it has run out in any case."""
        now_s = self._clock.monotonic_s()
        self._unreleased[lease.keys[0]] = _Unreleased(lease.holder, now_s + UNRELEASED_LEASES * self._lease_s)
        while self._unreleased and next(iter(self._unreleased.values())).until_s < now_s:
            del self._unreleased[next(iter(self._unreleased))]

    def _count_fallback(self) -> None:
        self._metrics.fallbacks.labels("lease").inc()
