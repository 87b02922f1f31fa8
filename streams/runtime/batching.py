"""Batches: events that arrive together are handled together, and share the cost of a task, a round trip and an acknowledgement. Those that
wait get into a batch by their tenants' turns.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from adapters.fairness import FairQueue, Weight, equal_weight
from streams.runtime.runner import Execution, WorkOutcome

R = TypeVar("R")

RUNS_MAX = 2  # one waits for the log or Redis while the next one computes; more would only make the batches smaller

RunBatch = Callable[[list[tuple[R, Execution]]], Awaitable[list[WorkOutcome]]]


class BatchRunner(Generic[R]):
    """The ``Work`` of an agent's runners: a batch is what they start in one iteration of the loop or during earlier runs.

    ``many`` gets 1..``most`` events, never two of one key that the runner keeps apart, and returns an outcome for each; it must not raise.
    ``runs_max``: batches at once; with one, and one tenant, events are handed over in the order in which they are started.
    """

    def __init__(self, many: RunBatch[R], most: int, weight: Weight = equal_weight, runs_max: int = RUNS_MAX) -> None:
        self._many, self._most, self._runs_max = many, most, runs_max
        self._waiting: FairQueue[tuple[R, Execution, asyncio.Future[WorkOutcome]]] = FairQueue(weight)
        self._runs: set[asyncio.Task[None]] = set()
        self._scheduled = False

    def __call__(self, record: R, execution: Execution) -> asyncio.Future[WorkOutcome]:
        """The outcome of the event. Cancelling it gives up this event, and the run once all its events are given up."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[WorkOutcome] = loop.create_future()
        self._waiting.push(execution.tenant, (record, execution, future))
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._start_runs)
        return future

    def _start_runs(self) -> None:
        self._scheduled = False
        while self._waiting and len(self._runs) < self._runs_max:
            batch: list[tuple[R, Execution, asyncio.Future[WorkOutcome]]] = []
            while self._waiting and len(batch) < self._most:
                entry = self._waiting.pop()
                if not entry[2].done():  # else it was cancelled while it waited
                    batch.append(entry)
            if batch:
                run = asyncio.create_task(self._run(batch))
                self._runs.add(run)
                run.add_done_callback(self._on_run_done)
                abandon = partial(self._abandon, run, batch)
                for _, _, future in batch:
                    future.add_done_callback(abandon)

    async def _run(self, batch: list[tuple[R, Execution, asyncio.Future[WorkOutcome]]]) -> None:
        try:
            outcomes = await self._many([(record, execution) for record, execution, _ in batch])
        except BaseException as error:  # the runners decide what follows from it
            for _, _, future in batch:
                if not future.done():
                    future.cancel() if isinstance(error, asyncio.CancelledError) else future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, _, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)

    def _on_run_done(self, run: asyncio.Task[None]) -> None:
        self._runs.discard(run)
        self._start_runs()

    def _abandon(
        self, run: asyncio.Task[None], batch: list[tuple[R, Execution, asyncio.Future[WorkOutcome]]], ended: asyncio.Future[WorkOutcome]
    ) -> None:
        if ended.cancelled() and not run.done() and all(future.cancelled() for _, _, future in batch):
            run.cancel()
