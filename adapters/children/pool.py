"""A bounded pool of child processes that each do one task at a time."""

import asyncio
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from adapters.children.child import ChildDied, ChildProcess, ChildSpec, TaskLimits, TaskResult
from adapters.children.protocol import Task
from adapters.fairness import FairQueue, Weight, equal_weight
from schemas.errors import Refused, Unavailable

NEW_FACTOR = 1.25  # times what a child holds when it is ready, the embedding's tokenizer for one: its successor would hold no less
FULL_FACTOR = 1.6  # times ``held_kib_max``: a child that holds so much has no memory left for another task
RESTART_DELAY_S = (0.0, 0.5, 2.0, 5.0)  # before the next attempt when a child does not start; the last delay repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Number and life time of the children.

    An ``eager`` pool has all of them from its start on; another one starts each when it is first needed and ends it after ``idle_s``.
    A child is replaced after ``tasks_max`` tasks or when it holds more than ``held_kib_max``: what leaks, leaks no further. One that holds
    much more, such as the models of recognition where little memory is allowed for parsing, gets no task before it is replaced.
    ``abandons``: a child whose caller was cancelled is ended; otherwise it finishes the task.
    """

    size: int
    waiting_max: int  # tasks waiting for a child
    wait_s_max: float
    tasks_max: int
    held_kib_max: int
    eager: bool
    idle_s: float = 0.0
    abandons: bool = False


class ChildPool:
    """Assigns tasks to children by rank, lower first, then by tenants' turns. For one event loop.

    What a tenant's tasks took counts against its next turns: one with slow files gets fewer of them.
    """

    def __init__(self, spec: ChildSpec, policy: Policy, weight: Weight = equal_weight) -> None:
        self._spec, self._policy = spec, policy
        self._idle: list[ChildProcess] = []
        self._children: set[ChildProcess] = set()
        self._coming = 0  # children that are starting, beyond those that run
        self._weight = weight
        self._waiters: dict[int, FairQueue[asyncio.Future[ChildProcess]]] = {}  # by rank
        self._runs: set[asyncio.Task[TaskResult]] = set()
        self._successions: set[asyncio.Task[None]] = set()
        self._stopped = False

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures of confinement that are in force in every child; none without a child."""
        children = list(self._children)
        return tuple(each for each in children[0].measures if all(each in child.measures for child in children)) if children else ()

    async def start(self) -> None:
        """Start the first children. Raises ChildDied when one cannot start, ConfigurationError when its confinement does not suffice."""
        if self._policy.eager:
            for child in await asyncio.gather(*(self._spawn() for _ in range(self._policy.size))):
                self._release(child)

    async def stop(self) -> None:
        """End every child; waiting and running tasks raise Unavailable."""
        self._stopped = True
        while (waiter := self._next_waiter()) is not None:
            if not waiter.done():
                waiter.set_exception(Unavailable("overloaded", "stopping"))
        for succession in self._successions:
            succession.cancel()
        idle = set(self._idle)
        self._idle.clear()
        await asyncio.gather(*self._successions, return_exceptions=True)
        await asyncio.gather(*(self._end(child, at_once=child not in idle) for child in tuple(self._children)))
        await asyncio.gather(*self._runs, return_exceptions=True)

    async def call(self, task: Task, limits: TaskLimits, *, rank: int = 0, tenant: str = "") -> TaskResult:
        """The answer of the first free child, which has never served another tenant.

        Raises ChildDied, Refused("file_missing"), and Unavailable("overloaded") when none is free for long.
        """
        child = await self._acquire(rank, tenant)
        run = asyncio.create_task(self._run(child, task, limits, tenant))
        began_s = asyncio.get_running_loop().time()
        run.add_done_callback(lambda _: self._queue(rank).charge(tenant, asyncio.get_running_loop().time() - began_s))
        self._runs.add(run)
        run.add_done_callback(self._forget_run)
        # a cancelled caller does not free the child, which cannot take another task before it has answered this one
        try:
            return await asyncio.shield(run)
        except asyncio.CancelledError:
            if self._policy.abandons and not run.done():
                child.kill()  # nobody waits for the answer any more, which may be an hour away: another child is started
            raise

    async def _run(self, child: ChildProcess, task: Task, limits: TaskLimits, tenant: str) -> TaskResult:
        fit = False
        try:
            done = await child.perform(task, limits, tenant)
            fit = True
        except ChildDied:
            if self._stopped:
                raise Unavailable("overloaded", "stopping") from None
            raise
        except (Refused, Unavailable):
            fit = True
            raise
        finally:
            if fit:
                self._release(child)
            elif not self._stopped:
                self._start_replacement(child, dead=True)
        return done

    async def _acquire(self, rank: int, tenant: str) -> ChildProcess:
        if self._stopped:
            raise Unavailable("overloaded", "stopping")
        while self._idle:
            # one that the tenant has used needs no other child
            child = next((each for each in self._idle if each.tenant == tenant), self._idle[-1])
            self._idle.remove(child)
            if child.retirement is not None:
                child.retirement.cancel()
            if not child.is_ended:
                return child
            self._start_replacement(child, dead=True)  # killed from outside while idle
        if sum(map(len, self._waiters.values())) >= self._policy.waiting_max:
            raise Unavailable("overloaded", f"{self._policy.waiting_max} tasks wait for a child process")
        if len(self._children) + self._coming < self._policy.size:
            self._coming += 1
            self._run_in_background(self._add_child())
        waiter: asyncio.Future[ChildProcess] = asyncio.get_running_loop().create_future()
        self._queue(rank).push(tenant, waiter)
        taken = False
        try:
            async with asyncio.timeout(self._policy.wait_s_max):
                child = await waiter
                taken = True
                return child
        except TimeoutError as error:
            raise Unavailable("overloaded", f"no child process was free for {self._policy.wait_s_max:g} s") from error
        finally:
            self._queue(rank).discard(tenant, waiter)
            if not taken and waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._release(waiter.result())  # assigned in the same step that ended the wait

    def _release(self, child: ChildProcess) -> None:
        """Assign the child to the next waiter of the lowest rank; a child at the end of its life is replaced without a gap."""
        if self._stopped:
            return
        if child.replaced:
            self._start_end(child)
            return
        held_kib, held_kib_max = child.resident_kib, max(self._policy.held_kib_max, NEW_FACTOR * child.new_kib)
        if held_kib > FULL_FACTOR * held_kib_max:
            self._start_replacement(child, dead=True)
            return
        if not child.replacing and (child.tasks >= self._policy.tasks_max or held_kib > held_kib_max):
            child.replacing = True  # it goes on working until its successor is ready
            self._start_replacement(child, dead=False)
        while (waiter := self._next_waiter()) is not None:
            if not waiter.done():
                waiter.set_result(child)
                return
        self._idle.append(child)
        if not self._policy.eager:
            child.retirement = asyncio.get_running_loop().call_later(self._policy.idle_s, self._retire, child)

    def _queue(self, rank: int) -> FairQueue[asyncio.Future[ChildProcess]]:
        if rank not in self._waiters:
            self._waiters[rank] = FairQueue(self._weight)
        return self._waiters[rank]

    def _next_waiter(self) -> asyncio.Future[ChildProcess] | None:
        queue = next((self._waiters[rank] for rank in sorted(self._waiters) if self._waiters[rank]), None)
        return None if queue is None else queue.pop()

    def _retire(self, child: ChildProcess) -> None:
        """End a child that was idle for long: its memory is worth more than the second it takes to start another."""
        if child in self._idle and not child.replacing:
            self._idle.remove(child)
            self._start_end(child)

    def _start_replacement(self, child: ChildProcess, *, dead: bool) -> None:
        self._run_in_background(self._replace(child, dead=dead))

    def _start_end(self, child: ChildProcess) -> None:
        self._run_in_background(self._end(child, at_once=False))

    def _run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._successions.add(task)
        task.add_done_callback(self._successions.discard)

    def _forget_run(self, run: asyncio.Task[TaskResult]) -> None:
        self._runs.discard(run)
        if not run.cancelled():
            run.exception()  # mark the exception as retrieved: the caller may have been cancelled

    async def _add_child(self) -> None:
        """Start one more child, which ``_coming`` counts already."""
        try:
            self._release(await self._spawn_until_ready())
        finally:
            self._coming -= 1

    async def _replace(self, child: ChildProcess, *, dead: bool) -> None:
        """Replace ``child`` by a new one."""
        self._coming += 1
        try:
            if dead:
                await self._end(child, at_once=True)
            successor = await self._spawn_until_ready()
        finally:
            self._coming -= 1
        child.replaced = True
        if child in self._idle:
            self._idle.remove(child)
            self._start_end(child)
        self._release(successor)

    async def _spawn_until_ready(self) -> ChildProcess:
        """A new child, after as many attempts as it takes."""
        for delay_s in itertools.chain(RESTART_DELAY_S, itertools.repeat(RESTART_DELAY_S[-1])):
            await asyncio.sleep(delay_s)
            try:
                return await self._spawn()
            except (ChildDied, OSError):
                continue
        raise AssertionError  # the delays never end

    async def _spawn(self) -> ChildProcess:
        child = await ChildProcess.spawn(self._spec)
        self._children.add(child)
        return child

    async def _end(self, child: ChildProcess, *, at_once: bool) -> None:
        await child.end(at_once=at_once)
        self._children.discard(child)
