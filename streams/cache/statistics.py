"""How often the cache helped: counted in the process, added up in Redis every second, per tenant and hour.

What a process had counted within its last second is lost when it is killed: these are statistics, not the log's.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Literal

import structlog
from msgspec import Struct

from adapters.redis.client import RedisClient
from schemas.errors import Unavailable
from streams.clock import Clock

HOUR_S = 3_600
HOURS = 24  # that are shown; stored an hour longer
FLUSH_S = 1.0
PENDING_MAX = 10_000  # distinct counts between two flushes; what comes on top is not counted

Outcome = Literal["hit", "miss", "shared", "refresh", "stored", "too_large", "dropped"]
OUTCOMES: tuple[Outcome, ...] = ("hit", "miss", "shared", "refresh", "stored", "too_large", "dropped")
Observe = Callable[[str, str], object]  # scenario, outcome

log = structlog.get_logger(__name__)


class Counts(Struct, frozen=True):
    """``shared`` lookups waited for the computation of another caller; ``dropped`` entries were not valid any more."""

    hit: int = 0
    miss: int = 0
    shared: int = 0
    refresh: int = 0
    stored: int = 0
    too_large: int = 0
    dropped: int = 0

    @property
    def hit_rate(self) -> float | None:
        """Lookups without a computation of their own, as a share of all; None before the first."""
        lookups = self.hit + self.shared + self.miss
        return (self.hit + self.shared) / lookups if lookups else None


class CacheStatistics:
    """``observe`` is called for every count at once: a metric of the process."""

    def __init__(self, redis: RedisClient, prefix: str, clock: Clock, observe: Observe) -> None:
        self._redis, self._prefix, self._clock, self._observe = redis, prefix, clock, observe
        self._pending: dict[tuple[str, str, Outcome], int] = {}  # by tenant and scenario
        self._task: asyncio.Task[None] | None = None

    def count(self, tenant: str, scenario: str, outcome: Outcome) -> None:
        """One more."""
        self._observe(scenario, outcome)
        place = (tenant, scenario, outcome)
        before = self._pending.get(place, 0)
        if before or len(self._pending) < PENDING_MAX:
            self._pending[place] = before + 1

    def start(self) -> None:
        """Begin to add up."""
        self._task = asyncio.create_task(self._run(), name="cache-tally")

    async def stop(self) -> None:
        """Add up what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.flush()

    async def flush(self) -> None:
        """Bring what was counted here to Redis; with Redis down it is given up, or it would grow."""
        pending, self._pending = self._pending, {}
        if not pending:
            return
        batch, hour = self._redis.pipeline(), self._hour()
        for (tenant, scenario, outcome), count in pending.items():
            batch.execute_command("HINCRBY", self._key(tenant, hour), f"{scenario}/{outcome}", count)
        for tenant in {tenant for tenant, _, _ in pending}:
            batch.execute_command("EXPIRE", self._key(tenant, hour), (HOURS + 1) * HOUR_S)
        try:
            await batch.execute()
        except Unavailable:
            log.info("cache_counts_lost", counts=sum(pending.values()))

    async def counts_of(self, tenant: str) -> dict[str, Counts]:
        """The last 24 hours of all processes, by scenario; raises Unavailable("redis_unavailable")."""
        await self.flush()
        batch, hour = self._redis.pipeline(), self._hour()
        for before in range(HOURS):
            batch.execute_command("HGETALL", self._key(tenant, hour - before))
        sums: dict[str, Counter[str]] = {}
        for fields in await batch.execute():
            for field, count in fields.items():
                scenario, _, outcome = field.decode(errors="replace").rpartition("/")
                if outcome in OUTCOMES:
                    sums.setdefault(scenario, Counter())[outcome] += int(count)
        return {scenario: Counts(**counts) for scenario, counts in sums.items()}

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            await self.flush()

    def _hour(self) -> int:
        return int(self._clock.now().timestamp()) // HOUR_S

    def _key(self, tenant: str, hour: int) -> str:
        return f"{self._prefix}:cache-tally:{{{tenant}}}:{hour}"
