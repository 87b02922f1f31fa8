"""Values of one type in one scenario: get, set, claim, and compute once for everybody who asks."""

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from msgspec import Struct

from adapters.redis.client import NO_OPTIONS, Client
from schemas.errors import Unavailable
from schemas.settings.cache import Cache as CacheSettings
from streams.cache.computations import Flights
from streams.cache.entries import Codec, Found, Marks, TooLarge, identity
from streams.cache.names import Names, bounded
from streams.cache.scenarios import Scenario, life_s
from streams.cache.scripts import ANSWER, DROP, ENTER, HELD, MINE, PUT, TIDY
from streams.cache.single_flight import LEASE_S, Lease, Leases
from streams.cache.statistics import Outcome, Tally
from streams.runtime.agent import Clock

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


async def current(_: Any, is_current: bool) -> bool:  # noqa: FBT001 - see Accepts
    """The usual: an entry will do unless one of its tags was invalidated."""
    return is_current


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Parts:
    """What every scenario of one cache shares."""

    redis: Client
    prefix: str
    settings: CacheSettings
    clock: Clock
    leases: Leases
    tally: Tally


class _Look(Struct, Generic[T], frozen=True):
    """What one look found; ``rejected`` is what will not do. ``in_vain``: the scenario is off, or Redis is down."""

    found: Found[T] | None = None
    in_vain: bool = False
    rejected: bytes = b""


class Kept(Generic[T]):
    """``life_s`` 0: nothing is kept, everything is computed. A slot is (tenant, key, tags); tags are those of the call, not of its value.

    ``accepts`` is asked of every entry before it is used; one that will not do is dropped. No method raises because of Redis but ``set``.
    """

    def __init__(self, parts: Parts, scenario: Scenario, kind: Any, life_s: float) -> None:
        self.scenario, self.life_s = scenario, life_s
        self._parts, self._redis = parts, parts.redis
        settings = parts.settings
        self._codec: Codec[T] = Codec(kind, compress_bytes_min=settings.compress_bytes_min, entry_bytes_max=settings.entry_bytes_max)
        self._flights: Flights[T | None] = Flights()  # by token of the lease
        self._refreshes: set[str] = set()  # names of entries
        # the names of the one command of a hit, ready to be put together
        self._before, self._entry, self._mark = Names(parts.prefix, "\0", scenario).parts()

    async def get(self, tenant: str, key: str, tags: Sequence[str] = (), *, accepts: Accepts[T] = current) -> Found[T] | None:
        """What is kept, if it will do: one round trip, and what ``accepts`` takes."""
        found = (await self._looked(tenant, bounded(key), tags, accepts)).found
        self._count(tenant, "miss" if found is None else "hit")
        return found

    async def set(self, tenant: str, key: str, value: T | None, tags: Sequence[str] = ()) -> bool:
        """Keep ``value`` whatever is there; a computation under way stores nothing any more. False when it was too large.

        Raises Unavailable("redis_unavailable").
        """
        if not self.life_s:
            return False
        _, _, marks = await self._enter(tenant, key := bounded(key), tags, token := secrets.token_hex(8), force=True)
        return await self._put(tenant, Lease(self._names(tenant), key, token, marks), value)

    async def claim(
        self, tenant: str, key: str, tags: Sequence[str] = (), *, wait_s: float, accepts: Accepts[T] = current, overtake: bool = False
    ) -> Found[T] | Lease | None:
        """An entry that will do; or the lease, for ``store`` or ``release``; or None: compute alone, and keep it to yourself.

        Waits at most ``wait_s`` for somebody else's computation. ``overtake``: whatever is there is to be computed anew, by us.
        """
        if overtake:
            return await self._overtaken(tenant, bounded(key), tags)
        got = await self._claimed(tenant, bounded(key), tags, wait_s, accepts)
        return None if isinstance(got, asyncio.Task) else got  # nobody who claims computes beside

    async def store(self, tenant: str, lease: Lease, value: T | None) -> bool:
        """What was computed under the lease. False when it is not kept: too large, or invalidated meanwhile."""
        try:
            return await self._put(tenant, lease, value)
        except Unavailable:
            return False
        finally:
            self._parts.leases.let_go(lease)

    async def release(self, lease: Lease, *, alone_s: float = 0.0) -> None:
        """There is nothing to store; see ``Leases.release``."""
        await self._parts.leases.release(lease, alone_s=alone_s)

    async def computed(
        self,
        tenant: str,
        key: str,
        compute: Compute[T],
        tags: Sequence[str] = (),
        *,
        accepts: Accepts[T] = current,
        keeps: Callable[[T | None], bool] = _always,
    ) -> T | None:
        """What is kept, or else what ``compute`` gives: once for everybody who asks meanwhile, in this and in other processes.

        Raises what ``compute`` raises; that is not kept, nor is a value of which ``keeps`` says no. None is kept as "there is nothing", for
        a shorter time.
        """
        key = bounded(key)
        look = await self._looked(tenant, key, tags, accepts)
        if (found := look.found) is not None:
            self._count(tenant, "hit")
            if self._parts.clock.now().timestamp() >= found.refresh_at_s and len(self._refreshes) < REFRESHES_MAX:
                self._flights.begin(self._refreshed(tenant, key, tags, found.id, compute, keeps))
            return found.value
        if look.in_vain:
            self._count(tenant, "miss")
            return await compute()
        got = await self._claimed(tenant, key, tags, self._parts.settings.wait_s, accepts, look.rejected)
        if isinstance(got, Found):
            return got.value
        if got is None:
            return await compute()
        if isinstance(got, Lease):
            return await asyncio.shield(self._flights.begin(self._under(tenant, got, compute, keeps), got.token))
        value = await asyncio.shield(got)
        # it began before we asked: what it looked at first may have changed before that
        return value if accepts is current or await accepts(value, True) else await compute()  # noqa: FBT003 - see Accepts

    async def stop(self) -> None:
        """End what is computed beside."""
        await self._flights.stop()

    async def _under(self, tenant: str, lease: Lease, compute: Compute[T], keeps: Callable[[T | None], bool]) -> T | None:
        """Compute and store."""
        try:
            value = await compute()
            if keeps(value):
                await self.store(tenant, lease, value)
        finally:
            await self.release(lease)
        return value

    async def _refreshed(
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
            return await self._under(tenant, self._held(tenant, key, token, marks), compute, keeps)
        except Unavailable:
            return None
        finally:
            self._refreshes.discard(name)

    async def _looked(self, tenant: str, key: str, tags: Sequence[str], accepts: Accepts[T]) -> "_Look[T]":
        if not self.life_s:
            return _Look(in_vain=True)
        # put together by hand and sent past the driver's conveniences: a hit is to cost hardly more than a bare GET
        mark = f"{self._before}{tenant}{self._mark}"
        entry_name = f"{self._before}{tenant}{self._entry}{key}"
        command = ("MGET", entry_name, mark, *[mark + tag for tag in tags]) if tags else ("MGET", entry_name, mark)
        try:
            (reply,) = await self._redis.together(((command, NO_OPTIONS),))
        except Unavailable:
            return _Look(in_vain=True)
        if isinstance(reply, Exception):
            raise reply
        entry, *marks = reply
        if entry is None:
            return _Look()
        return _Look(await self._judged(tenant, key, entry, marks, accepts), rejected=identity(entry))

    async def _judged(self, tenant: str, key: str, entry: bytes, marks: Marks, accepts: Accepts[T]) -> Found[T] | None:
        found = self._codec.opened(entry, marks)
        if found is None:
            return None
        if accepts is current:
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

    async def _claimed(
        self, tenant: str, key: str, tags: Sequence[str], wait_s: float, accepts: Accepts[T], rejected: bytes = b""
    ) -> Found[T] | Lease | asyncio.Task[T | None] | None:
        """As ``claim``; a computation of this process is given as its task."""
        if not self.life_s:
            return None
        token = secrets.token_hex(8)
        until_s, waited = self._parts.clock.monotonic_s() + wait_s, False
        try:
            for _ in range(ROUNDS_MAX):
                said, what, marks = await self._enter(tenant, key, tags, token, rejected)
                if said == ANSWER:
                    found = await self._judged(tenant, key, what, marks, accepts)
                    if found is not None:
                        self._count(tenant, "shared" if waited else "hit")
                        return found
                    rejected = identity(what)
                elif said == HELD and (flight := self._flights.of(what.decode())) is not None:
                    self._count(tenant, "shared")
                    return flight
                elif said == HELD and (left_s := until_s - self._parts.clock.monotonic_s()) > 0:
                    waited = True
                    await self._parts.leases.ended(self._names(tenant).lease(key), what.decode(), left_s)
                else:
                    break
            self._count(tenant, "miss")
            if said != MINE:
                return None
        except Unavailable:
            self._count(tenant, "miss")
            return None
        return self._held(tenant, key, token, marks)

    async def _overtaken(self, tenant: str, key: str, tags: Sequence[str]) -> Lease | None:
        self._count(tenant, "miss")
        if not self.life_s:
            return None
        try:
            _, _, marks = await self._enter(tenant, key, tags, token := secrets.token_hex(8), force=True)
        except Unavailable:
            return None
        return self._held(tenant, key, token, marks)

    def _held(self, tenant: str, key: str, token: str, marks: Marks) -> Lease:
        lease = Lease(self._names(tenant), key, token, marks)
        self._parts.leases.hold(lease)
        return lease

    async def _enter(
        self, tenant: str, key: str, tags: Sequence[str], token: str, rejected: bytes = b"", *, force: bool = False
    ) -> tuple[int, bytes, Marks]:
        names = self._names(tenant)
        keys = (names.index, names.entry(key), names.lease(key), *names.marks(tags))
        said, what, *marks = await ENTER(self._redis, keys, (rejected, token, int(LEASE_S * 1000), key, self._index_ms, int(force)))
        return said, what, [mark or None for mark in marks]

    async def _put(self, tenant: str, lease: Lease, value: T | None) -> bool:
        settings, names = self._parts.settings, lease.names
        left_s = self.life_s if value is not None else min(settings.negative_s, self.life_s)
        if not left_s:
            await self._parts.leases.release(lease)
            return False
        left_s *= 1 + JITTER * (2 * random.random() - 1)  # noqa: S311 - spreads expiry
        try:
            entry = self._codec.sealed(value, lease.marks, self._parts.clock.now().timestamp() + EARLY * left_s)
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
        await TIDY.many(self._redis, calls)
        return True

    @property
    def _index_ms(self) -> int:
        # by the scenario's life, not ours: a function with a shorter one must not end the index of the others
        return int((LEASE_S + INDEX_LIFE * life_s(self._parts.settings, self.scenario)) * 1000)

    def _names(self, tenant: str) -> Names:
        return Names(self._parts.prefix, tenant, self.scenario)

    def _count(self, tenant: str, outcome: Outcome) -> None:
        self._parts.tally.count(tenant, self.scenario, outcome)
