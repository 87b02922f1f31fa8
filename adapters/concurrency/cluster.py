"""A concurrency limit that all processes share, with a fixed local share while Redis is down.

A free permit costs one round trip. Those who find none wait in a queue of their process; only its first few stand in the queue in Redis,
so that what waiting costs Redis does not grow with the number of those who wait. Tenants of one priority take turns. Leases are renewed
by one task per limit. A holder that Redis no longer knows closes its call; when Redis cannot be asked, the oldest calls up to the local
share go on and the others are closed before their leases end, so that nobody else has their places yet. Only a process that stood still can
hold more than the limit allows: the calls it had open.
"""

import asyncio
import heapq
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

import structlog

from adapters.concurrency import metrics
from adapters.concurrency.port import Permit, Priority
from adapters.concurrency.scripts import PermitRequest, Permits
from adapters.fairness import TENANT, VirtualTime, Weight, equal_weight
from adapters.redis.client import RedisClient
from schemas.errors import Unavailable

LEASE_S = 10.0  # of a permit; renewed at a third of it
MARK_S = 1.0  # a waiter that has not polled for so long loses its place
POLL_S_MIN, POLL_S_MAX = 0.02, 0.1  # between two polls of a waiter, growing; well below the life of a mark
QUEUED_WAITERS_MAX = 16  # of a process's waiters stand in Redis' queue
RENEWALS_PER_CALL = 500  # holders in one script: below a millisecond
RETRY_AFTER_S = 2.0  # calls end all the time, so a retry may succeed soon
RESERVED_SHARE = 8  # documents leave an eighth of the permits to people's requests, at least one

log = structlog.get_logger(__name__)


def reserve(limit: int, priority: Priority) -> int:
    """Permits that this priority leaves to others; of a single one nothing can be left: there the queue alone decides."""
    return min(limit - 1, max(1, limit // RESERVED_SHARE)) if priority is Priority.DOCUMENTS else 0


@dataclass(slots=True, eq=False)
class _HeldPermit:
    permit: Permit
    priority: Priority
    serial: int
    renewed_s: float  # when the renewal that worked was sent: its lease ends no earlier than LEASE_S after this


@dataclass(slots=True, order=True)
class _Waiter:
    priority: Priority
    time: float  # virtual, of the tenant's turn
    serial: int
    holder: str = field(compare=False)
    turn: asyncio.Future[Permit] = field(compare=False)


class ClusterLimit:
    """A ConcurrencyLimit of ``limit`` permits for all processes; ``redis`` None: this process's share of it, always.

    ``workers`` share the permits while Redis is down. Needs no opening: its tasks live while permits are held or waited for.
    """

    def __init__(
        self,
        redis: RedisClient | None,
        *,
        prefix: str,
        name: str,
        label: str,
        limit: int,
        workers: int,
        lease_s: float = LEASE_S,
        clock_s: Callable[[], float] = time.monotonic,
        weight: Weight = equal_weight,
    ) -> None:
        self._label, self._limit, self._lease_s, self._clock_s = label, limit, lease_s, clock_s
        self.share = max(1, limit // workers)
        self._permits: Permits | None = None
        if redis is not None:
            keys = f"{prefix}:gate:{{{name}}}"
            self._permits = Permits(redis, keys, limit=limit, lease_us=int(lease_s * 1e6), mark_us=int(MARK_S * 1e6))
        self._process, self._serials = secrets.token_hex(8), count(1)
        self._held: dict[str, _HeldPermit] = {}
        self._waiting: list[_Waiter] = []  # a heap
        self._turns = VirtualTime(weight)
        self._freed = asyncio.Event()
        self._renewer: asyncio.Task[None] | None = None
        self._asker: asyncio.Task[None] | None = None
        self._releases: set[asyncio.Task[None]] = set()

    @property
    def people_waiting(self) -> int:
        """Answers of this process that have no permit yet."""
        return sum(waiter.priority is Priority.PEOPLE for waiter in self._waiting)

    def permit(self, priority: Priority, wait_s: float) -> AbstractAsyncContextManager[Permit]:
        """See ConcurrencyLimit."""
        return self._permit(priority, wait_s)

    @asynccontextmanager
    async def _permit(self, priority: Priority, wait_s: float) -> AsyncIterator[Permit]:
        serial = next(self._serials)
        holder, began_s = f"{self._process}/{serial}", self._clock_s()
        permit = await self._acquire(holder, serial, priority, wait_s)
        metrics.WAIT_S.labels(self._label, priority.name.lower()).observe(self._clock_s() - began_s)
        try:
            yield permit
        finally:
            self._release_holder(holder)

    async def _acquire(self, holder: str, serial: int, priority: Priority, wait_s: float) -> Permit:
        if not self._waiting or self._waiting[0].priority > priority:
            waiter = _Waiter(priority, 0.0, serial, holder, asyncio.get_running_loop().create_future())
            try:
                await self._request_permits([waiter])
            except asyncio.CancelledError:
                self._release_holder(holder)
                raise
            if waiter.turn.done():
                return waiter.turn.result()
        return await self._wait(holder, serial, priority, wait_s)

    async def _wait(self, holder: str, serial: int, priority: Priority, wait_s: float) -> Permit:
        turn = self._turns.next_of(tenant := TENANT.get())
        self._turns.charge(tenant, 1.0)
        waiter = _Waiter(priority, turn, serial, holder, asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, waiter)
        if self._asker is None or self._asker.done():
            self._asker = asyncio.create_task(self._poll_for_waiters(), name="permit-poll")
        try:
            async with asyncio.timeout(wait_s):
                return await waiter.turn
        except TimeoutError as error:
            self._release_holder(holder)
            metrics.REFUSED.labels(self._label, priority.name.lower()).inc()
            detail = f"The model takes {self._limit} calls at once, and no place was free for {wait_s:g} s."
            raise Unavailable("model_unavailable", detail, retry_after_s=RETRY_AFTER_S) from error
        except asyncio.CancelledError:
            self._release_holder(holder)
            raise
        finally:
            self._drop_waiter(waiter)

    def _drop_waiter(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            heapq.heapify(self._waiting)

    async def _poll_for_waiters(self) -> None:
        """Poll for the first few waiters until there are none: at once when a permit is released here, else at growing intervals."""
        pause_s = POLL_S_MIN
        while self._waiting:
            self._freed.clear()
            first = heapq.nsmallest(QUEUED_WAITERS_MAX, self._waiting)
            await self._request_permits(first)
            for waiter in first:
                if waiter.turn.done():
                    self._drop_waiter(waiter)
                    pause_s = POLL_S_MIN
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._freed.wait()
            pause_s = min(pause_s * 1.5, POLL_S_MAX)

    async def _request_permits(self, waiters: list[_Waiter]) -> None:
        """Resolve the turn of every waiter that has a permit now."""
        sent_s = self._clock_s()
        granted: list[bool] | None = None
        if self._permits is not None:
            with suppress(Unavailable):
                asks = [PermitRequest(w.holder, w.priority, reserve(self._limit, w.priority)) for w in waiters]
                granted = await self._permits.acquire(asks)
        for place, waiter in enumerate(waiters):
            if waiter.turn.done():  # it left meanwhile
                if granted is not None and granted[place]:
                    self._release_holder(waiter.holder)
            elif granted[place] if granted is not None else self._share_has_room(waiter.priority):
                self._grant(waiter, sent_s, shared=granted is not None)

    def _share_has_room(self, priority: Priority) -> bool:
        return len(self._held) + reserve(self.share, priority) < self.share

    def _grant(self, waiter: _Waiter, sent_s: float, *, shared: bool) -> None:
        permit = Permit()
        self._turns.advance(waiter.time)
        self._held[waiter.holder] = _HeldPermit(permit, waiter.priority, waiter.serial, sent_s)
        metrics.HELD.labels(self._label).set(len(self._held))
        if not shared:
            metrics.FALLBACKS.labels(self._label).inc()
        if self._permits is not None and (self._renewer is None or self._renewer.done()):
            self._renewer = asyncio.create_task(self._renew_while_held(), name="permit-renewer")
        waiter.turn.set_result(permit)

    def _release_holder(self, holder: str) -> None:
        """Release the permit of this holder, or its place in the queue, whichever Redis has."""
        self._held.pop(holder, None)
        metrics.HELD.labels(self._label).set(len(self._held))
        if not self._held and self._renewer is not None:
            self._renewer.cancel()
            self._renewer = None
        release = asyncio.create_task(self._release_in_redis(holder), name="permit-release")
        self._releases.add(release)
        release.add_done_callback(self._releases.discard)

    async def _release_in_redis(self, holder: str) -> None:
        if self._permits is not None:
            with suppress(Unavailable):  # then it expires with its lease
                await self._permits.release(holder)
        self._freed.set()

    async def _renew_while_held(self) -> None:
        every_s = self._lease_s / 3
        while True:
            await asyncio.sleep(every_s)
            await self._renew_all()
            self._revoke_expiring(before_s=self._clock_s() + every_s)

    async def _renew_all(self) -> None:
        assert self._permits is not None, "without Redis there are no leases to renew"
        holders = list(self._held)
        for start in range(0, len(holders), RENEWALS_PER_CALL):
            some, sent_s = holders[start : start + RENEWALS_PER_CALL], self._clock_s()
            try:
                renewed = await self._permits.renew(some)
            except Unavailable:
                return
            for holder, has in zip(some, renewed, strict=True):
                held = self._held.get(holder)
                if held is None:
                    if has:  # it was given back meanwhile; the renewal may have come after
                        await self._release_in_redis(holder)
                elif has:
                    held.renewed_s = sent_s
                else:
                    self._revoke(holder)

    def _revoke_expiring(self, *, before_s: float) -> None:
        """While Redis is down: keep the local share, by arrival, people's requests before documents."""
        running_out = [holder for holder, held in self._held.items() if held.renewed_s + self._lease_s <= before_s]
        if not running_out:
            return
        remaining = sorted(self._held, key=lambda holder: (self._held[holder].priority, self._held[holder].serial))[: self.share]
        for holder in set(running_out).difference(remaining):
            self._revoke(holder)

    def _revoke(self, holder: str) -> None:
        held = self._held.pop(holder)
        metrics.HELD.labels(self._label).set(len(self._held))
        metrics.LOST.labels(self._label).inc()
        log.warning("model_permit_lost", gate=self._label, priority=held.priority.name.lower())
        held.permit.revoke()
