"""The cache of one process: values by scenario, invalidation, a view of the entries, and the decorator."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from adapters.redis.client import RedisClient
from schemas.settings.cache import CacheSettings
from streams.cache.decorator import cache_results
from streams.cache.invalidation import Invalidation
from streams.cache.names import Names
from streams.cache.scenario_cache import CacheResources, ScenarioCache
from streams.cache.scenarios import SCENARIOS, Scenario
from streams.cache.single_flight import SingleFlightLeases
from streams.cache.statistics import CacheStatistics, Observe
from streams.clock import Clock
from streams.live import Live

P = ParamSpec("P")
T = TypeVar("T")

PAGE_MAX = 1_000  # keys read for one page


@dataclass(frozen=True, slots=True)
class EntryInfo:
    """An entry as an administrator sees it: how long it has to live, and its size as stored."""

    key: str
    scenario: Scenario
    life_ms: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class EntryPage:
    """``next_cursor`` is "" at the end."""

    items: tuple[EntryInfo, ...]
    next_cursor: str


def _ignore(scenario: str, outcome: str) -> None:
    """Count nothing."""


class RedisCache:
    """One per process. ``observe(scenario, outcome)`` is called for every count."""

    def __init__(self, redis: RedisClient, prefix: str, settings: Live[CacheSettings], clock: Clock, observe: Observe = _ignore) -> None:
        self._redis, self._prefix = redis, prefix
        self.statistics = CacheStatistics(redis, prefix, clock, observe)
        self.invalidation = Invalidation(redis, prefix)
        self._parts = CacheResources(redis, prefix, settings, clock, SingleFlightLeases(redis), self.statistics)
        self._scenarios: list[ScenarioCache[Any]] = []

    async def start(self) -> None:
        """Begin to sum up counts; Redis need not be there."""
        self.statistics.start()

    async def stop(self) -> None:
        """End the background tasks; what they compute is not stored."""
        for each in self._scenarios:
            await each.stop()
        await self._parts.leases.stop()
        await self.statistics.stop()

    def of(self, scenario: Scenario, kind: Any, ttl_s: float | None = None) -> ScenarioCache[Any]:
        """Values of type ``kind``; they live as long as the settings say, or ``ttl_s``."""
        cache: ScenarioCache[Any] = ScenarioCache(self._parts, scenario, kind, ttl_s)
        self._scenarios.append(cache)
        return cache

    def cached(
        self, ttl_s: float | None = None, key_prefix: str = "", *, scenario: Scenario, tags: Sequence[str] = ()
    ) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
        """Cache what an async function returns, by all of its arguments; see ``streams.cache.decorator``."""

        def decorated(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
            return cache_results(function, lambda kind: self.of(scenario, kind, ttl_s), key_prefix or function.__name__, tuple(tags))

        return decorated

    async def keys(self, tenant: str, scenario: Scenario, *, prefix: str = "", cursor: str = "", limit: int) -> EntryPage:
        """At most ``limit`` entries in the order of their keys, after the key ``cursor``; raises Unavailable("redis_unavailable").

        Leases and entries that have just expired are skipped, so a page may be short, or empty, before the last one.
        """
        names, limit = Names(self._prefix, tenant, scenario), min(limit, PAGE_MAX)
        begin = f"({cursor}" if cursor else f"[{prefix}"
        members = await self._redis.execute_command(
            "ZRANGE", names.index, begin.encode(), b"(" + prefix.encode() + b"\xff", "BYLEX", "LIMIT", 0, limit
        )
        batch, found = self._redis.pipeline(), [member.decode(errors="replace") for member in members]
        for key in found:
            batch.execute_command("PTTL", names.entry(key))
            batch.execute_command("STRLEN", names.entry(key))
        replies = await batch.execute() if found else []
        pairs = zip(found, replies[::2], replies[1::2], strict=True)
        items = tuple(EntryInfo(key, scenario, left_ms, size) for key, left_ms, size in pairs if left_ms > 0)
        return EntryPage(items, found[-1] if len(found) == limit else "")

    async def size(self, tenant: str) -> dict[Scenario, int]:
        """The number of keys by scenario, a few expired ones included; raises Unavailable("redis_unavailable")."""
        batch = self._redis.pipeline()
        for scenario in SCENARIOS:
            batch.execute_command("ZCARD", Names(self._prefix, tenant, scenario).index)
        return dict(zip(SCENARIOS, await batch.execute(), strict=True))
