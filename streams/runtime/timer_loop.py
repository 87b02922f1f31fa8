"""The owner's loop of durable timers: which partitions this worker has, rounds over them, and the work that a round begins.

An agent that follows the topic calls ``take_partition`` (``take_assignment`` is the hook for it) when it is assigned one, and ``wake``
when something new is due. A round asks ``serve`` for each partition; what takes long it starts with ``spawn``, so that nothing waits for
it. A partition that another worker took over is given up at its first claim.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress

import structlog

from schemas.errors import ClawError, Superseded
from streams.topics import Topic

POLL_S = 1.0  # between two rounds while nothing new arrives
STOP_S = 2.0  # for work under way; what is cut off is due again elsewhere

log = structlog.get_logger(__name__)


class TimerLoop:
    """``take_over(partition)`` returns the token of its new owner, ``serve(partition, token)`` claims what is due and returns how many that
    were. ``run_once`` is one round; ``start`` repeats it.
    """

    def __init__(self, name: str, take_over: Callable[[int], Awaitable[int]], serve: Callable[[int, int], Awaitable[int]]) -> None:
        self._name, self._put_off, self._take_over, self._serve = name, f"{name}_put_off", take_over, serve
        self._tokens: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: set[str] = set()
        self._woken = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin the rounds; returns at once."""
        self._loop = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Stop: work under way has two seconds."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait((self._loop,))
            self._loop = None
        await self.finish(STOP_S)

    async def finish(self, timeout_s: float) -> None:
        """Wait for the work under way; cancel what is left after ``timeout_s``."""
        if self._tasks:
            _, pending = await asyncio.wait(set(self._tasks), timeout=timeout_s)
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending)

    async def take_partition(self, partition: int) -> None:
        """This worker has the partition now. Raises Unavailable."""
        self._tokens[partition] = await self._take_over(partition)
        self.wake()

    async def take_assignment(self, _topic: Topic, partition: int) -> None:
        """The same as the hook ``Agent.assigned`` of an agent that reads one topic."""
        await self.take_partition(partition)

    def wake(self) -> None:
        """Something is due, or there is room for it."""
        self._woken.set()

    @property
    def under_way(self) -> int:
        """How many pieces of work that ``begin`` began have not ended."""
        return len(self._under_way)

    def begin(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> bool:
        """``spawn`` the work of this name and return True, unless it is under way: then it takes longer than it was claimed for."""
        if name in self._under_way:
            return False
        self._under_way.add(name)
        self.spawn(work(), lambda: self._under_way.discard(name))
        return True

    def spawn(self, work: Coroutine[None, None, None], ended: Callable[[], None]) -> None:
        """Run ``work``; an error of it is logged. ``ended`` is called in every case."""
        task = asyncio.create_task(work, name=f"{self._name}-work")
        self._tasks.add(task)

        def end(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            ended()
            if not done.cancelled() and (error := done.exception()) is not None:
                log.warning(self._put_off, error=f"{type(error).__name__}: {error}")
            self.wake()

        task.add_done_callback(end)

    async def run_once(self) -> int:
        """One round; returns the sum of what ``serve`` returned. Raises Unavailable."""
        served = 0
        for partition, token in tuple(self._tokens.items()):
            try:
                served += await self._serve(partition, token)
            except Superseded:
                if self._tokens.get(partition) == token:
                    del self._tokens[partition]
        return served

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self.run_once()
            except ClawError as error:
                log.warning(self._put_off, error=f"{type(error).__name__}: {error}")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()
