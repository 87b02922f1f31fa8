"""Values of one type in one scenario: get, set, claim, and compute once for all callers."""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from msgspec import Struct

from adapters.redis.client import NO_OPTIONS, RedisClient
from schemas.errors import Unavailable
from schemas.settings.cache import CacheSettings
from streams.cache.computations import Computations
from streams.cache.entries import CacheEntry, Codec, Marks, TooLarge, entry_id
from streams.cache.names import Names, shorten_key
from streams.cache.scenarios import Scenario, life_s
from streams.cache.scripts import ANSWER, DROP, ENTER, HELD, MINE, PUT, TIDY
from streams.cache.single_flight import LEASE_S, SingleFlightLease, SingleFlightLeases
from streams.cache.statistics import CacheStatistics, Outcome
from streams.clock import Clock
from streams.live import Live

T = TypeVar("T")

JITTER = 0.1  # of a life, either way: entries stored together do not expire together
EARLY = 0.9  # of a life: from then on a hit has one process compute it again, while all callers still get the entry
REFRESHES_MAX = 64  # of one process and scenario at once; a hit beyond that refreshes nothing
ROUNDS_MAX = 4  # attempts on an entry that changes meanwhile
INDEX_LIFE = 2.0  # lives of an entry: the index outlives its members
LOOK_EVERY, LOOK_AT = 8, 16  # one write in eight checks up to sixteen members of the index: two per write
BEYOND_MAX = 64  # entries over the bound that one write removes

Accepts = Callable[[T | None, bool], Awaitable[bool]]  # value, whether its tags are current
Compute = Callable[[], Coroutine[Any, Any, T | None]]


async def accept_current(_: Any, is_current: bool) -> bool:  # noqa: FBT001 - see Accepts
    """The default: an entry is usable unless one of its tags was invalidated."""
    return is_current


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class CacheResources:
    """What the scenarios of one cache share."""

    redis: RedisClient
    prefix: str
    settings: Live[CacheSettings]
    clock: Clock
    leases: SingleFlightLeases
    statistics: CacheStatistics


class _CacheLookup(Struct, Generic[T], frozen=True):
    """The result of one lookup; ``rejected`` is the identity of an unusable entry. ``is_off``: the scenario is off, or Redis is down."""

    found: CacheEntry[T] | None = None
    is_off: bool = False
    rejected: bytes = b""


class ScenarioCache(Generic[T]):
    """Entries live as long as the settings say, at most ``life_s_max``; 0: nothing is stored, everything is computed. A slot is (tenant,
    key, tags); tags are those of the call, not of its value.

    ``accepts`` is called for every entry before it is used; an unusable one is dropped. Only ``set`` raises when Redis is down.
    """

    def __init__(self, parts: CacheResources, scenario: Scenario, kind: Any, life_s_max: float | None = None) -> None:
        self.scenario, self._life_s_max = scenario, life_s_max
        self._parts, self._redis = parts, parts.redis
        settings = parts.settings.value
        self._codec: Codec[T] = Codec(kind, compress_bytes_min=settings.compress_bytes_min, entry_bytes_max=settings.entry_bytes_max)
        self._flights: Computations[T | None] = Computations()  # by token of the lease
        self._refreshes: set[str] = set()  # names of entries
        # parts of the key names in the one command of a hit
        self._before, self._entry, self._mark = Names(parts.prefix, "\0", scenario).parts()

    @property
    def life_s(self) -> float:
        """How long an entry lives that is stored now."""
        configured = life_s(self._parts.settings.value, self.scenario)
        return configured if self._life_s_max is None else min(configured, self._life_s_max)

    async def get(self, tenant: str, key: str, tags: Sequence[str] = (), *, accepts: Accepts[T] = accept_current) -> CacheEntry[T] | None:
        """The entry, if it is usable: one round trip, and those of ``accepts``."""
        found = (await self._look_up(tenant, shorten_key(key), tags, accepts)).found
        self._count(tenant, "miss" if found is None else "hit")
        return found

    async def set(self, tenant: str, key: str, value: T | None, tags: Sequence[str] = ()) -> bool:
        """Store ``value`` in place of any entry; a computation under way will store nothing. False when it was too large.

        Raises Unavailable("redis_unavailable").
        """
        if not self.life_s:
            return False
        _, _, marks = await self._enter(tenant, key := shorten_key(key), tags, token := secrets.token_hex(8), force=True)
        return await self._put(tenant, SingleFlightLease(self._names(tenant), key, token, marks), value)

    async def claim(
        self,
        tenant: str,
        key: str,
        tags: Sequence[str] = (),
        *,
        wait_s: float,
        accepts: Accepts[T] = accept_current,
        overtake: bool = False,
    ) -> CacheEntry[T] | SingleFlightLease | None:
        """A usable entry; or the lease, for ``store`` or ``release``; or None: compute it, and store nothing.

        Waits at most ``wait_s`` for the computation of another caller. ``overtake``: take the lease in any case, to compute again.
        """
        if overtake:
            return await self._overtake(tenant, shorten_key(key), tags)
        got = await self._acquire(tenant, shorten_key(key), tags, wait_s, accepts)
        return None if isinstance(got, asyncio.Task) else got  # only ``get_or_compute`` has computations in tasks

    async def store(self, tenant: str, lease: SingleFlightLease, value: T | None) -> bool:
        """Store what was computed under the lease. False when it was not stored: too large, or invalidated meanwhile."""
        try:
            return await self._put(tenant, lease, value)
        except Unavailable:
            return False
        finally:
            self._parts.leases.finish(lease)

    async def release(self, lease: SingleFlightLease, *, alone_s: float = 0.0) -> None:
        """Give the lease up without storing; see ``SingleFlightLeases.release``."""
        await self._parts.leases.release(lease, alone_s=alone_s)

    async def get_or_compute(
        self,
        tenant: str,
        key: str,
        compute: Compute[T],
        tags: Sequence[str] = (),
        *,
        accepts: Accepts[T] = accept_current,
        is_storable: Callable[[T | None], bool] = _always,
    ) -> T | None:
        """The cached value, or else the result of ``compute``: computed once for all callers meanwhile, in this and in other processes.

        Raises what ``compute`` raises. A value for which ``is_storable`` is False is not stored; None is stored as "there is none", for a
        shorter time.
        """
        key = shorten_key(key)
        look = await self._look_up(tenant, key, tags, accepts)
        if (found := look.found) is not None:
            self._count(tenant, "hit")
            if self._parts.clock.now().timestamp() >= found.refresh_at_s and len(self._refreshes) < REFRESHES_MAX:
                self._flights.begin(self._refresh(tenant, key, tags, found.id, compute, is_storable))
            return found.value
        if look.is_off:
            self._count(tenant, "miss")
            return await compute()
        got = await self._acquire(tenant, key, tags, self._parts.settings.value.wait_s, accepts, look.rejected)
        if isinstance(got, CacheEntry):
            return got.value
        if got is None:
            return await compute()
        if isinstance(got, SingleFlightLease):
            return await asyncio.shield(self._flights.begin(self._compute_and_store(tenant, got, compute, is_storable), got.token))
        value = await asyncio.shield(got)
        # it began before this call: its input may have changed in between
        return value if accepts is accept_current or await accepts(value, True) else await compute()  # noqa: FBT003 - see Accepts

    async def stop(self) -> None:
        """End the computations in tasks."""
        await self._flights.stop()

    async def _compute_and_store(
        self, tenant: str, lease: SingleFlightLease, compute: Compute[T], is_storable: Callable[[T | None], bool]
    ) -> T | None:
        """Compute, store, and give the lease up in any case."""
        try:
            value = await compute()
            if is_storable(value):
                await self.store(tenant, lease, value)
        finally:
            await self.release(lease)
        return value

    async def _refresh(
        self, tenant: str, key: str, tags: Sequence[str], ident: bytes, compute: Compute[T], is_storable: Callable[[T | None], bool]
    ) -> T | None:
        """Compute again what will expire soon, unless another process does."""
        if (name := self._names(tenant).entry(key)) in self._refreshes:
            return None
        self._refreshes.add(name)
        try:
            token = secrets.token_hex(8)
            status, _, marks = await self._enter(tenant, key, tags, token, ident)
            if status != MINE:
                return None
            self._count(tenant, "refresh")
            return await self._compute_and_store(tenant, self._hold(tenant, key, token, marks), compute, is_storable)
        except Unavailable:
            return None
        finally:
            self._refreshes.discard(name)

    async def _look_up(self, tenant: str, key: str, tags: Sequence[str], accepts: Accepts[T]) -> "_CacheLookup[T]":
        if not self.life_s:
            return _CacheLookup(is_off=True)
        # built by hand and sent without the driver's methods: a hit costs hardly more than a bare GET
        mark = f"{self._before}{tenant}{self._mark}"
        entry_name = f"{self._before}{tenant}{self._entry}{key}"
        command = ("MGET", entry_name, mark, *[mark + tag for tag in tags]) if tags else ("MGET", entry_name, mark)
        try:
            (reply,) = await self._redis.execute_commands(((command, NO_OPTIONS),))
        except Unavailable:
            return _CacheLookup(is_off=True)
        if isinstance(reply, Exception):
            raise reply
        entry, *marks = reply
        if entry is None:
            return _CacheLookup()
        return _CacheLookup(await self._check_entry(tenant, key, entry, marks, accepts), rejected=entry_id(entry))

    async def _check_entry(self, tenant: str, key: str, entry: bytes, marks: Marks, accepts: Accepts[T]) -> CacheEntry[T] | None:
        found = self._codec.decode(entry, marks)
        if found is None:
            return None
        if accepts is accept_current:
            return found if found.current else None
        if await accepts(found.value, found.current):
            return found
        await self._drop(tenant, key, found.id)  # so that it is not judged again by every reader
        return None

    async def _drop(self, tenant: str, key: str, ident: bytes) -> None:
        self._count(tenant, "dropped")
        try:
            await DROP(self._redis, (self._names(tenant).entry(key),), (ident,))
        except Unavailable:
            return  # the next reader judges it again

    async def _acquire(
        self, tenant: str, key: str, tags: Sequence[str], wait_s: float, accepts: Accepts[T], rejected: bytes = b""
    ) -> CacheEntry[T] | SingleFlightLease | asyncio.Task[T | None] | None:
        """As ``claim``; a computation of this process is given as its task."""
        if not self.life_s:
            return None
        token = secrets.token_hex(8)
        until_s, waited = self._parts.clock.monotonic_s() + wait_s, False
        try:
            for _ in range(ROUNDS_MAX):
                status, what, marks = await self._enter(tenant, key, tags, token, rejected)
                if status == ANSWER:
                    found = await self._check_entry(tenant, key, what, marks, accepts)
                    if found is not None:
                        self._count(tenant, "shared" if waited else "hit")
                        return found
                    rejected = entry_id(what)
                elif status == HELD and (flight := self._flights.of(what.decode())) is not None:
                    self._count(tenant, "shared")
                    return flight
                elif status == HELD and (left_s := until_s - self._parts.clock.monotonic_s()) > 0:
                    waited = True
                    await self._parts.leases.wait_for_end(self._names(tenant).lease(key), what.decode(), left_s)
                else:
                    break
            self._count(tenant, "miss")
            if status != MINE:
                return None
        except Unavailable:
            self._count(tenant, "miss")
            return None
        return self._hold(tenant, key, token, marks)

    async def _overtake(self, tenant: str, key: str, tags: Sequence[str]) -> SingleFlightLease | None:
        self._count(tenant, "miss")
        if not self.life_s:
            return None
        try:
            _, _, marks = await self._enter(tenant, key, tags, token := secrets.token_hex(8), force=True)
        except Unavailable:
            return None
        return self._hold(tenant, key, token, marks)

    def _hold(self, tenant: str, key: str, token: str, marks: Marks) -> SingleFlightLease:
        lease = SingleFlightLease(self._names(tenant), key, token, marks)
        self._parts.leases.hold(lease)
        return lease

    async def _enter(
        self, tenant: str, key: str, tags: Sequence[str], token: str, rejected: bytes = b"", *, force: bool = False
    ) -> tuple[int, bytes, Marks]:
        names = self._names(tenant)
        keys = (names.index, names.entry(key), names.lease(key), *names.marks(tags))
        status, what, *marks = await ENTER(self._redis, keys, (rejected, token, int(LEASE_S * 1000), key, self._index_ms, int(force)))
        return status, what, [mark or None for mark in marks]

    async def _put(self, tenant: str, lease: SingleFlightLease, value: T | None) -> bool:
        settings, names = self._parts.settings.value, lease.names
        left_s = self.life_s if value is not None else min(settings.negative_s, self.life_s)
        if not left_s:
            await self._parts.leases.release(lease)
            return False
        left_s *= 1 + JITTER * (2 * random.random() - 1)  # noqa: S311 - spreads expiry
        try:
            entry = self._codec.encode(value, lease.marks, self._parts.clock.now().timestamp() + EARLY * left_s)
        except TooLarge:
            self._count(tenant, "too_large")
            await self._parts.leases.release(lease)
            return False
        look_at = LOOK_AT if random.randrange(LOOK_EVERY) == 0 else 0  # noqa: S311 - a sample
        arguments = (lease.token, entry, max(1, int(left_s * 1000)), lease.key, self._index_ms, settings.entries_max, look_at)
        stored = await PUT(self._redis, (names.index, names.entry(lease.key), names.lease(lease.key)), arguments)
        if not stored:
            return False
        self._count(tenant, "stored")
        beyond, *members = stored
        calls = [
            ((names.index, names.entry(each), names.lease(each)), (each, int(number < beyond)))
            for number, each in enumerate(member.decode(errors="replace") for member in members[:BEYOND_MAX])
            if each != lease.key
        ]
        await TIDY.run_many(self._redis, calls)
        return True

    @property
    def _index_ms(self) -> int:
        # by the scenario's life, not by ``life_s``: a function with a shorter one must not expire the index of the others
        return int((LEASE_S + INDEX_LIFE * life_s(self._parts.settings.value, self.scenario)) * 1000)

    def _names(self, tenant: str) -> Names:
        return Names(self._parts.prefix, tenant, self.scenario)

    def _count(self, tenant: str, outcome: Outcome) -> None:
        self._parts.statistics.count(tenant, self.scenario, outcome)
