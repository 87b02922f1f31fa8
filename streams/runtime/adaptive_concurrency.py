"""How many answers one process gives at once: as many as it can while its event loop keeps up.

Past that point one more makes all of them slower, calls that were answered in time are taken for lost, and what is then repeated is more
work still. So the loop's lateness sets the bound: when it wakes people late, a part of what runs ends before anything more begins; as soon
as it is punctual again, the bound grows step by step. (Additive increase, multiplicative decrease: how TCP finds the width of a road.) A
loop that is late although its process does little is held up by others, and fewer answers would not make it faster. What waits is counted,
so that new questions can be told how long, or to come back.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

RUNNING_MIN = 16  # so many begin however late the loop is
BUSY_MIN = 0.25  # of a core: with less of its own work a process is not to blame for being late
DECREASE = 0.85  # of what runs, for every sample that is too late
INCREASE = 0.02  # of the bound and one more, for every sample in good time


class AdaptiveConcurrency:
    """Turns for at most ``most``; fewer while the loop wakes people more than ``late_s`` seconds late, as ``observe`` is told."""

    def __init__(self, most: int, late_s: float) -> None:
        self._most, self._late_s = most, late_s
        self._bound = float(most)
        self._queue: deque[asyncio.Future[None]] = deque()
        self.running = 0

    @property
    def limit(self) -> int:
        """How many may run now; more may still do so from before."""
        return int(self._bound)

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return len(self._queue)

    def observe(self, late_s: float, busy: float) -> None:
        """One sample of how late the loop is, in seconds, and of what the process does meanwhile, in cores."""
        if late_s > self._late_s:
            if busy < BUSY_MIN:
                return
            self._bound = min(self._bound, max(RUNNING_MIN, self.running * DECREASE))
        elif late_s < self._late_s / 2:
            self._bound = min(self._most, self._bound + 1 + self._bound * INCREASE)
            self._admit()

    @asynccontextmanager
    async def slot(self, unless: asyncio.Event) -> AsyncIterator[None]:
        """Wait for a turn, first come first served, and have it; who no longer wants one (``unless``) waits no longer."""
        if self.running < self.limit and not self._queue:
            self.running += 1
        else:
            await self._wait(unless)
        try:
            yield
        finally:
            self.running -= 1
            self._admit()

    async def _wait(self, unless: asyncio.Event) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        stopping = asyncio.create_task(unless.wait())
        try:
            await asyncio.wait((turn, stopping), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if turn.done():  # it came at the last moment
                self.running -= 1
                self._admit()
            raise
        finally:
            stopping.cancel()
            if not turn.done():
                self._queue.remove(turn)
        if not turn.done():
            self.running += 1  # beyond the bound, for what little there is to do when nothing is wanted

    def _admit(self) -> None:
        while self._queue and self.running < self.limit:
            self._queue.popleft().set_result(None)
            self.running += 1
