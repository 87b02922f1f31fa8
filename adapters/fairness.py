"""Weighted fair queueing: tenants that share a resource take turns, whoever has more waiting.

Each tenant has a virtual time: what it was served so far, divided by its weight. Whoever has been served least is next, so a tenant with
one item waits for about one turn of each tenant with many. A tenant that comes (back) starts at the present, not with what it left unused.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Generic, TypeVar

KEPT_MAX = 4_096  # tenants whose virtual time is ahead of the present; beyond it the others' are forgotten first

Item = TypeVar("Item")
Weight = Callable[[str], float]

TENANT: ContextVar[str] = ContextVar("tenant", default="")
"""The tenant whose work the current task does; "" where nobody set it. Queues inside of adapters take turns by it."""


def equal_weight(_tenant: str) -> float:
    """The weight where none are set."""
    return 1.0


class VirtualTime:
    """When each tenant is served next. ``cost`` is in turns or seconds, as the caller counts."""

    def __init__(self, weight: Weight = equal_weight) -> None:
        self._weight = weight
        self._present = 0.0
        self._served: dict[str, float] = {}

    def next_of(self, tenant: str) -> float:
        """The virtual time of the tenant's next turn."""
        return max(self._present, self._served.get(tenant, 0.0))

    def charge(self, tenant: str, cost: float) -> None:
        """The tenant was, or will be, served this much; negative to correct an estimate."""
        self._served[tenant] = max(self._present, self.next_of(tenant) + cost / self._weight(tenant))
        if len(self._served) > KEPT_MAX:
            self._served = {name: served for name, served in self._served.items() if served > self._present}
            while len(self._served) > KEPT_MAX:
                self._served.pop(next(iter(self._served)))

    def advance(self, time: float) -> None:
        """A turn of this virtual time was given: nobody who comes later is served before it."""
        self._present = max(self._present, time)


class FairQueue(Generic[Item]):
    """Items of many tenants. Those of one tenant keep their order; the next item is that of the tenant that was served least.

    Taking an item costs one turn; where the true cost is known later, ``charge`` adds the difference.
    """

    def __init__(self, weight: Weight = equal_weight) -> None:
        self._time = VirtualTime(weight)
        self._items: dict[str, deque[Item]] = {}
        self._heap: list[tuple[float, int, str]] = []  # one entry for each tenant that waits; its time may have passed
        self._serial = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        """All items, by tenant."""
        return (item for items in self._items.values() for item in items)

    @property
    def lengths(self) -> Mapping[str, int]:
        """How many items each tenant has here."""
        return {tenant: len(items) for tenant, items in self._items.items()}

    def push(self, tenant: str, item: Item) -> None:
        """Add it behind the tenant's others."""
        waiting = self._items.get(tenant)
        if waiting is None:
            waiting = self._items[tenant] = deque()
            self._enter(tenant)
        waiting.append(item)
        self._count += 1

    def pop(self) -> Item:
        """Take the next item. Raises IndexError when there is none."""
        return self.pop_of(self.next_tenant())

    def pop_of(self, tenant: str) -> Item:
        """Take the tenant's next item, whoever is next. Raises KeyError when it has none."""
        item = self._items[tenant].popleft()
        self.give_turn(tenant)
        self._count_out(tenant)
        return item

    def first_of(self, tenant: str) -> Item | None:
        """The tenant's next item."""
        waiting = self._items.get(tenant)
        return waiting[0] if waiting else None

    def give_turn(self, tenant: str) -> None:
        """The tenant was served without waiting here."""
        self._time.advance(self._time.next_of(tenant))
        self._time.charge(tenant, 1.0)

    def discard(self, tenant: str, item: Item) -> None:
        """Take an item out that waits no more; nothing happens when it has left."""
        waiting = self._items.get(tenant)
        if waiting is None or item not in waiting:
            return
        waiting.remove(item)
        self._count_out(tenant)

    def charge(self, tenant: str, cost: float) -> None:
        """The tenant was served so much more (or less, if negative) than the turn it paid for."""
        self._time.charge(tenant, cost)

    def next_tenant(self) -> str:
        """The tenant whose item ``pop`` takes. Raises IndexError when there is none."""
        while True:
            time, _, tenant = self._heap[0]
            now = self._time.next_of(tenant)
            if now <= time:
                return tenant
            heapq.heapreplace(self._heap, (now, self._number(), tenant))

    def _count_out(self, tenant: str) -> None:
        """One of the tenant's items is no longer here."""
        self._count -= 1
        if self._items[tenant]:
            return
        del self._items[tenant]
        if self._heap[0][2] == tenant:
            heapq.heappop(self._heap)
        else:
            self._heap = [entry for entry in self._heap if entry[2] != tenant]
            heapq.heapify(self._heap)

    def _enter(self, tenant: str) -> None:
        heapq.heappush(self._heap, (self._time.next_of(tenant), self._number(), tenant))

    def _number(self) -> int:
        self._serial += 1
        return self._serial


class FairSlots:
    """At most ``slots`` at once, as a semaphore; those who wait get the next free slot in turn by tenant. For one event loop."""

    def __init__(self, slots: int, weight: Weight = equal_weight) -> None:
        self._free = slots
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue(weight)

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many of each tenant wait."""
        return self._queue.lengths

    def turn(self, tenant: str) -> "Turn":
        """A slot for the length of an ``async with``."""
        return Turn(self, tenant)

    async def acquire(self, tenant: str) -> None:
        """Wait for a slot."""
        if self._free > 0 and not self._queue:
            self._free -= 1
            self._queue.give_turn(tenant)
            return
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.push(tenant, slot)
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():  # given in the same step that ended the wait
                self.release()
            else:
                self._queue.discard(tenant, slot)
            raise

    def release(self) -> None:
        """Give a slot back."""
        while self._queue:
            slot = self._queue.pop()
            if not slot.done():
                slot.set_result(None)
                return
        self._free += 1


class Turn:
    """One tenant's use of a slot; may be entered again after it was left."""

    __slots__ = ("_slots", "_tenant")

    def __init__(self, slots: FairSlots, tenant: str) -> None:
        self._slots, self._tenant = slots, tenant

    async def __aenter__(self) -> None:
        await self._slots.acquire(self._tenant)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._slots.release()
