"""Values of one type in one scenario: get, set, claim, and compute once for everybody who asks."""

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

T = TypeVar("T")

JITTER = 0.1  # of a life, either way: what was stored together does not expire together
EARLY = 0.9  # of a life: from then on a hit has one process compute it anew, while everybody is still served
REFRESHES_MAX = 64  # of one process and scenario at once; a hit beyond that refreshes nothing
ROUNDS_MAX = 4  # looks at an entry that changes under our eyes
INDEX_LIFE = 2.0  # lives of an entry: the index outlives whatever it lists
LOOK_EVERY, LOOK_AT = 8, 16  # one write in eight tidies up to sixteen members of the index: two per write
BEYOND_MAX = 64  # entries over the bound that one write removes

Accepts = Callable[[T | None, bool], Awaitable[bool]]  # value, whether its tags are current
Compute = Callable[[], Coroutine[Any, Any, T | None]]


async def accept_current(_: Any, is_current: bool) -> bool:  # noqa: FBT001 - see Accepts
    """The usual: an entry will do unless one of its tags was invalidated."""
    return is_current


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class CacheResources:
    """What every scenario of one cache shares."""

    redis: RedisClient
    prefix: str
    settings: CacheSettings
    clock: Clock
    leases: SingleFlightLeases
    tally: CacheStatistics


class _CacheLookup(Struct, Generic[T], frozen=True):
    """What one look found; ``rejected`` is what will not do. ``in_vain``: the scenario is off, or Redis is down."""

    found: CacheEntry[T] | None = None
    in_vain: bool = False
    rejected: bytes = b""


class ScenarioCache(Generic[T]):
    """``life_s`` 0: nothing is kept, everything is computed. A slot is (tenant, key, tags); tags are those of the call, not of its value.

    ``accepts`` is asked of every entry before it is used; one that will not do is dropped. No method raises because of Redis but ``set``.
    """

    def __init__(self, parts: CacheResources, scenario: Scenario, kind: Any, life_s: float) -> None:
        self.scenario, self.life_s = scenario, life_s
        self._parts, self._redis = parts, parts.redis
        settings = parts.settings
        self._codec: Codec[T] = Codec(kind, compress_bytes_min=settings.compress_bytes_min, entry_bytes_max=settings.entry_bytes_max)
        self._flights: Computations[T | None] = Computations()  # by token of the lease
        self._refreshes: set[str] = set()  # names of entries
        # the names of the one command of a hit, ready to be put together
        self._before, self._entry, self._mark = Names(parts.prefix, "\0", scenario).parts()

    async def get(self, tenant: str, key: str, tags: Sequence[str] = (), *, accepts: Accepts[T] = accept_current) -> CacheEntry[T] | None:
        """What is kept, if it will do: one round trip, and what ``accepts`` takes."""
        found = (await self._look_up(tenant, shorten_key(key), tags, accepts)).found
        self._count(tenant, "miss" if found is None else "hit")
        return found

    async def set(self, tenant: str, key: str, value: T | None, tags: Sequence[str] = ()) -> bool:
        """Keep ``value`` whatever is there; a computation under way stores nothing any more. False when it was too large.

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
        """An entry that will do; or the lease, for ``store`` or ``release``; or None: compute alone, and keep it to yourself.

        Waits at most ``wait_s`` for somebody else's computation. ``overtake``: whatever is there is to be computed anew, by us.
        """
        if overtake:
            return await self._overtake(tenant, shorten_key(key), tags)
        got = await self._acquire(tenant, shorten_key(key), tags, wait_s, accepts)
        return None if isinstance(got, asyncio.Task) else got  # nobody who claims computes beside

    async def store(self, tenant: str, lease: SingleFlightLease, value: T | None) -> bool:
        """What was computed under the lease. False when it is not kept: too large, or invalidated meanwhile."""
        try:
            return await self._put(tenant, lease, value)
        except Unavailable:
            return False
        finally:
            self._parts.leases.finish(lease)

    async def release(self, lease: SingleFlightLease, *, alone_s: float = 0.0) -> None:
        """There is nothing to store; see ``Leases.release``."""
        await self._parts.leases.release(lease, alone_s=alone_s)

    async def get_or_compute(
        self,
        tenant: str,
        key: str,
        compute: Compute[T],
        tags: Sequence[str] = (),
        *,
        accepts: Accepts[T] = accept_current,
        keeps: Callable[[T | None], bool] = _always,
    ) -> T | None:
        """What is kept, or else what ``compute`` gives: once for everybody who asks meanwhile, in this and in other processes.

        Raises what ``compute`` raises; that is not kept, nor is a value of which ``keeps`` says no. None is kept as "there is nothing", for
        a shorter time.
        """
        key = shorten_key(key)
        look = await self._look_up(tenant, key, tags, accepts)
        if (found := look.found) is not None:
            self._count(tenant, "hit")
            if self._parts.clock.now().timestamp() >= found.refresh_at_s and len(self._refreshes) < REFRESHES_MAX:
                self._flights.begin(self._refresh(tenant, key, tags, found.id, compute, keeps))
            return found.value
        if look.in_vain:
            self._count(tenant, "miss")
            return await compute()
        got = await self._acquire(tenant, key, tags, self._parts.settings.wait_s, accepts, look.rejected)
        if isinstance(got, CacheEntry):
            return got.value
        if got is None:
            return await compute()
        if isinstance(got, SingleFlightLease):
            return await asyncio.shield(self._flights.begin(self._compute_and_store(tenant, got, compute, keeps), got.token))
        value = await asyncio.shield(got)
        # it began before we asked: what it looked at first may have changed before that
        return value if accepts is accept_current or await accepts(value, True) else await compute()  # noqa: FBT003 - see Accepts

    async def stop(self) -> None:
        """End what is computed beside."""
        await self._flights.stop()

    async def _compute_and_store(
        self, tenant: str, lease: SingleFlightLease, compute: Compute[T], keeps: Callable[[T | None], bool]
    ) -> T | None:
        """Compute and store."""
        try:
            value = await compute()
            if keeps(value):
                await self.store(tenant, lease, value)
        finally:
            await self.release(lease)
        return value

    async def _refresh(
        self, tenant: str, key: str, tags: Sequence[str], ident: bytes, compute: Compute[T], keeps: Callable[[T | None], bool]
    ) -> T | None:
        """Compute anew what will end soon, unless somebody is at it."""
        if (name := self._names(tenant).entry(key)) in self._refreshes:
            return None
        self._refreshes.add(name)
        try:
            token = secrets.token_hex(8)
            said, _, marks = await self._enter(tenant, key, tags, token, ident)
            if said != MINE:
                return None
            self._count(tenant, "refresh")
            return await self._compute_and_store(tenant, self._hold(tenant, key, token, marks), compute, keeps)
        except Unavailable:
            return None
        finally:
            self._refreshes.discard(name)

    async def _look_up(self, tenant: str, key: str, tags: Sequence[str], accepts: Accepts[T]) -> "_CacheLookup[T]":
        if not self.life_s:
            return _CacheLookup(in_vain=True)
        # put together by hand and sent past the driver's conveniences: a hit is to cost hardly more than a bare GET
        mark = f"{self._before}{tenant}{self._mark}"
        entry_name = f"{self._before}{tenant}{self._entry}{key}"
        command = ("MGET", entry_name, mark, *[mark + tag for tag in tags]) if tags else ("MGET", entry_name, mark)
        try:
            (reply,) = await self._redis.execute_commands(((command, NO_OPTIONS),))
        except Unavailable:
            return _CacheLookup(in_vain=True)
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
        await self._drop(tenant, key, found.id)  # the judge's word is kept by removing what it is about
        return None

    async def _drop(self, tenant: str, key: str, ident: bytes) -> None:
        self._count(tenant, "dropped")
        try:
            await DROP(self._redis, (self._names(tenant).entry(key),), (ident,))
        except Unavailable:
            return  # whoever reads it next judges it again

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
                said, what, marks = await self._enter(tenant, key, tags, token, rejected)
                if said == ANSWER:
                    found = await self._check_entry(tenant, key, what, marks, accepts)
                    if found is not None:
                        self._count(tenant, "shared" if waited else "hit")
                        return found
                    rejected = entry_id(what)
                elif said == HELD and (flight := self._flights.of(what.decode())) is not None:
                    self._count(tenant, "shared")
                    return flight
                elif said == HELD and (left_s := until_s - self._parts.clock.monotonic_s()) > 0:
                    waited = True
                    await self._parts.leases.wait_for_end(self._names(tenant).lease(key), what.decode(), left_s)
                else:
                    break
            self._count(tenant, "miss")
            if said != MINE:
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
        said, what, *marks = await ENTER(self._redis, keys, (rejected, token, int(LEASE_S * 1000), key, self._index_ms, int(force)))
        return said, what, [mark or None for mark in marks]

    async def _put(self, tenant: str, lease: SingleFlightLease, value: T | None) -> bool:
        settings, names = self._parts.settings, lease.names
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
        # by the scenario's life, not ours: a function with a shorter one must not end the index of the others
        return int((LEASE_S + INDEX_LIFE * life_s(self._parts.settings, self.scenario)) * 1000)

    def _names(self, tenant: str) -> Names:
        return Names(self._parts.prefix, tenant, self.scenario)

    def _count(self, tenant: str, outcome: Outcome) -> None:
        self._parts.tally.count(tenant, self.scenario, outcome)
