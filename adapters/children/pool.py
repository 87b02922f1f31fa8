"""A bounded pool of child processes that each do one task at a time."""

import asyncio
import contextlib
import heapq
import itertools
import os
import sys
from collections.abc import Coroutine
from typing import Any

import msgspec

from adapters.children.protocol import FRAME_BYTES_MAX, HEADER, Ready, Reply, Task, frame, reply_decoder
from schemas.errors import Unavailable

START_TIMEOUT_S = 60.0  # to load its modules, on a machine that is busy with everything else
STOP_TIMEOUT_S = 2.0  # from end of input to exit, then it is killed
WAIT_TIMEOUT_S = 60.0  # for a free child
RESTART_DELAY_S = (0.0, 0.5, 2.0, 5.0)  # before a child that would not start is tried again; the last one from then on
TASKS_PER_CHILD = 5_000  # then it is replaced: what leaks, leaks no further
RSS_KIB_MAX = 1_048_576  # likewise


class ChildDied(Exception):
    """The child ended, or was ended for taking too long, before it replied. ``reason`` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Child:
    """One process and its pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.tasks = 0
        self.rss_kib = 0
        self.replacing = False  # its successor is on its way
        self.replaced = False  # its successor is here

    async def read(self) -> Reply:
        assert self.process.stdout is not None
        (size,) = HEADER.unpack(await self.process.stdout.readexactly(HEADER.size))
        if size > FRAME_BYTES_MAX:
            raise ChildDied(f"a reply of {size:,} bytes")
        reply: Reply = reply_decoder.decode(await self.process.stdout.readexactly(size))
        return reply

    async def perform(self, message: bytes) -> Reply:
        assert self.process.stdin is not None
        self.tasks += 1
        self.process.stdin.write(message)
        await self.process.stdin.drain()
        reply = await self.read()
        self.rss_kib = getattr(reply, "rss_kib", 0)
        return reply

    async def end(self, *, at_once: bool) -> None:
        if at_once:
            self._kill()
        elif self.process.stdin is not None:
            self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._kill()
            await self.process.wait()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


class ChildPool:
    """``size`` children of ``python -m module PID ARGUMENTS``. At most ``waiting_max`` tasks wait for one; lower ranks go first."""

    def __init__(self, module: str, arguments: tuple[str, ...], *, size: int, waiting_max: int) -> None:
        self._module, self._arguments, self._size, self._waiting_max = module, arguments, size, waiting_max
        self._idle: list[_Child] = []
        self._children: set[_Child] = set()
        self._waiters: list[tuple[int, int, asyncio.Future[_Child]]] = []
        self._order = itertools.count()
        self._runs: set[asyncio.Task[Reply]] = set()
        self._successions: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def start(self) -> None:
        """Raises ChildDied when a child cannot start."""
        for child in await asyncio.gather(*(self._spawn() for _ in range(self._size))):
            self._release(child)

    async def stop(self) -> None:
        """Ends every child; what waits or runs is Unavailable."""
        self._stopped = True
        while self._waiters:
            _, _, waiter = self._waiters.pop()
            if not waiter.done():
                waiter.set_exception(Unavailable("overloaded", "stopping"))
        for succession in self._successions:
            succession.cancel()
        idle = set(self._idle)
        self._idle.clear()
        await asyncio.gather(*self._successions, return_exceptions=True)
        await asyncio.gather(*(self._end(child, at_once=child not in idle) for child in tuple(self._children)))
        await asyncio.gather(*self._runs, return_exceptions=True)

    async def call(self, task: Task, *, rank: int, timeout_s: float) -> Reply:
        """The reply of the first free child. Raises ChildDied, and Unavailable("overloaded") when none is free for long."""
        message = frame(task)
        child = await self._acquire(rank)
        run = asyncio.create_task(self._run(child, message, timeout_s))
        self._runs.add(run)
        run.add_done_callback(self._forget_run)
        # a caller that is cancelled does not stop the child, which could not take another task before it has answered this one
        return await asyncio.shield(run)

    async def _run(self, child: _Child, message: bytes, timeout_s: float) -> Reply:
        try:
            reply = await asyncio.wait_for(child.perform(message), timeout_s)
        except TimeoutError:
            reason = f"it took longer than {timeout_s:g} s"
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            reason = "the process ended"
        except ChildDied as died:
            reason = died.reason
        else:
            self._release(child)
            return reply
        if self._stopped:
            raise Unavailable("overloaded", "stopping")
        self._begin_succession(child, dead=True)
        raise ChildDied(reason)

    async def _acquire(self, rank: int) -> _Child:
        if self._stopped:
            raise Unavailable("overloaded", "stopping")
        if self._idle:
            return self._idle.pop()
        if len(self._waiters) >= self._waiting_max:
            raise Unavailable("overloaded", f"{self._waiting_max} tasks wait for a child process")
        waiter: asyncio.Future[_Child] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (rank, next(self._order), waiter))
        taken = False
        try:
            async with asyncio.timeout(WAIT_TIMEOUT_S):
                child = await waiter
                taken = True
                return child
        except TimeoutError as error:
            raise Unavailable("overloaded", f"no child process was free for {WAIT_TIMEOUT_S:g} s") from error
        finally:
            if not taken and waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._release(waiter.result())  # it was given in the very step that ended the wait

    def _release(self, child: _Child) -> None:
        """Gives the child to who waits longest in the best rank; one that has done its share is replaced, without a gap."""
        if self._stopped:
            return
        if child.replaced:
            self._begin_end(child)
            return
        if not child.replacing and (child.tasks >= TASKS_PER_CHILD or child.rss_kib > RSS_KIB_MAX):
            child.replacing = True  # it serves on until its successor is ready
            self._begin_succession(child, dead=False)
        while self._waiters:
            _, _, waiter = heapq.heappop(self._waiters)
            if not waiter.done():
                waiter.set_result(child)
                return
        self._idle.append(child)

    def _begin_succession(self, child: _Child, *, dead: bool) -> None:
        self._keep(self._succeed(child, dead=dead))

    def _begin_end(self, child: _Child) -> None:
        self._keep(self._end(child, at_once=False))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._successions.add(task)
        task.add_done_callback(self._successions.discard)

    def _forget_run(self, run: asyncio.Task[Reply]) -> None:
        self._runs.discard(run)
        if not run.cancelled():
            run.exception()  # its caller may have been cancelled: nobody else looks

    async def _succeed(self, child: _Child, *, dead: bool) -> None:
        """Puts a new child in the place of ``child``, however often that has to be tried."""
        if dead:
            await self._end(child, at_once=True)
        for delay_s in itertools.chain(RESTART_DELAY_S, itertools.repeat(RESTART_DELAY_S[-1])):
            await asyncio.sleep(delay_s)
            try:
                successor = await self._spawn()
            except (ChildDied, OSError):
                continue
            break
        child.replaced = True
        if child in self._idle:
            self._idle.remove(child)
            self._begin_end(child)
        self._release(successor)

    async def _spawn(self) -> _Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", self._module, str(os.getpid()), *self._arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # what reads strangers' documents needs none of our secrets
            env={name: value for name, value in os.environ.items() if not name.startswith("CLAW_")},
        )
        child = _Child(process)
        self._children.add(child)
        try:
            ready = await asyncio.wait_for(child.read(), START_TIMEOUT_S)
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            await self._end(child, at_once=True)
            raise ChildDied("the child did not start") from error
        except asyncio.CancelledError:
            await self._end(child, at_once=True)
            raise
        assert isinstance(ready, Ready)
        return child

    async def _end(self, child: _Child, *, at_once: bool) -> None:
        await child.end(at_once=at_once)
        self._children.discard(child)
