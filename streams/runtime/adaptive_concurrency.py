"""Adaptive concurrency: a process gives as many answers at once as its event loop can keep up with.

Past that point one more slows down all of them, replies that came in time count as timed out, and retries add work. So the lag of the event
loop sets the limit: while it is late, some running answers must end before another begins; while it is in time, the limit grows step by
step (additive increase, multiplicative decrease, as in TCP). A loop that is late although its process uses little CPU is slowed down by
other processes; fewer answers would not help, and the limit stays. Waiting answers are counted, so that new questions get an estimate or a
refusal; they get their slots by their tenants' turns.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.fairness import FairQueue, Weight, equal_weight

RUNNING_MIN = 16  # the lowest limit, however late the loop is
BUSY_MIN = 0.25  # of a core: with less of its own work a process is not the cause of the lag
DECREASE = 0.85  # of what runs, for each sample that is too late
INCREASE = 0.02  # of the limit, and one more, for each sample in time


class AdaptiveConcurrency:
    """Slots: at most ``most``, fewer while the samples given to ``observe`` are later than ``late_s`` seconds."""

    def __init__(self, most: int, late_s: float, weight: Weight = equal_weight) -> None:
        self._most, self._late_s = most, late_s
        self._bound = float(most)
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue(weight)
        self.running = 0

    @property
    def limit(self) -> int:
        """How many may run now; more may still do so from before."""
        return int(self._bound)

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._queue)

    def observe(self, late_s: float, busy: float) -> None:
        """One sample: the lag of the loop in seconds, and the CPU use of the process in cores."""
        if late_s > self._late_s:
            if busy < BUSY_MIN:
                return
            self._bound = min(self._bound, max(RUNNING_MIN, self.running * DECREASE))
        elif late_s < self._late_s / 2:
            self._bound = min(self._most, self._bound + 1 + self._bound * INCREASE)
            self._admit()

    @asynccontextmanager
    async def slot(self, unless: asyncio.Event, tenant: str = "") -> AsyncIterator[None]:
        """Wait for a slot; tenants take turns. Once ``unless`` is set the block runs without waiting any longer."""
        if self.running < self.limit and not self._queue:
            self.running += 1
        else:
            await self._wait(unless, tenant)
        try:
            yield
        finally:
            self.running -= 1
            self._admit()

    async def _wait(self, unless: asyncio.Event, tenant: str) -> None:
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.push(tenant, slot)
        stopping = asyncio.create_task(unless.wait())
        try:
            await asyncio.wait((slot, stopping), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if slot.done():  # granted just before the cancellation
                self.running -= 1
                self._admit()
            raise
        finally:
            stopping.cancel()
            if not slot.done():
                self._queue.discard(tenant, slot)
        if not slot.done():
            self.running += 1  # beyond the limit: a cancelled answer has little left to do

    def _admit(self) -> None:
        while self._queue and self.running < self.limit:
            self._queue.pop().set_result(None)
            self.running += 1
