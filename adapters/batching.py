"""Concurrent calls gathered into one: an engine or a model costs less per item when it gets several at once.

Items that wait get into a call by their tenants' turns (``adapters.fairness.TENANT``).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from adapters.fairness import TENANT, FairQueue
from schemas.errors import ClawError, Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Runs ``work`` on the items that arrived while it was busy. Bounded: beyond ``waiting_max`` items a call is Unavailable(``code``).

    ``work`` gets 1..``items_max`` items, together at most ``weight_max`` by ``weigh`` (a single heavier one goes alone), and returns one
    result per item, in order. ``window_s`` waits that long for company before a batch that is not full; 0 never delays a lone call.
    With ``one_tenant`` a batch has items of one tenant.
    When a batch fails with a ClawError its items are tried one by one, once, so one bad item does not fail its neighbours.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], Awaitable[list[Result]]],
        *,
        items_max: int,
        waiting_max: int,
        code: str,
        weigh: Callable[[Item], int] = lambda _: 1,
        weight_max: int = 1_000_000_000,
        window_s: float = 0.0,
        parallel: int = 1,
        one_tenant: bool = False,
    ) -> None:
        self._work, self._weigh, self._one_tenant = work, weigh, one_tenant
        self._items_max, self._weight_max, self._waiting_max = items_max, weight_max, waiting_max
        self._code, self._window_s, self._parallel = code, window_s, parallel
        self._waiting: FairQueue[tuple[Item, asyncio.Future[Result]]] = FairQueue()
        self._drains: set[asyncio.Task[None]] = set()
        self._running = 0

    async def __call__(self, item: Item) -> Result:
        if len(self._waiting) >= self._waiting_max:
            raise Unavailable(self._code, f"{self._waiting_max} calls are waiting")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.push(TENANT.get(), (item, future))
        if self._running < self._parallel:
            self._running += 1
            drain = asyncio.create_task(self._drain())
            self._drains.add(drain)
            drain.add_done_callback(self._drains.discard)
        return await future

    async def close(self) -> None:
        """Finish what runs; calls that wait raise Unavailable."""
        while self._waiting:
            _, future = self._waiting.pop()
            if not future.done():
                future.set_exception(Unavailable(self._code, "closing"))
        await asyncio.gather(*self._drains, return_exceptions=True)

    async def _drain(self) -> None:
        try:
            while self._waiting:
                if self._window_s and len(self._waiting) < self._items_max:
                    await asyncio.sleep(self._window_s)
                batch = self._next_batch()
                if batch:
                    await self._run(batch)
        finally:
            self._running -= 1  # in the same step that found the queue empty: a later call starts another drain

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        weight, tenant = 0, ""
        while self._waiting and len(batch) < self._items_max:
            if not (self._one_tenant and batch):
                tenant = self._waiting.next_tenant()
            waiting = self._waiting.first_of(tenant)
            if waiting is None:
                break
            item, future = waiting
            if not future.done():  # done here means its caller was cancelled
                weight += self._weigh(item)
                if batch and weight > self._weight_max:
                    break
                batch.append((item, future))
            self._waiting.pop_of(tenant)
        return batch

    async def _run(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._work([item for item, _ in batch])
        except ClawError as error:
            if len(batch) == 1 or isinstance(error, Unavailable):
                _fail(batch, error)
            else:
                for one in batch:
                    await self._run([one])
        except BaseException as error:  # whatever it is belongs to the callers; only a cancellation ends the drain
            _fail(batch, error)
            if not isinstance(error, Exception):
                raise
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _fail(batch: list[tuple[Item, asyncio.Future[Result]]], error: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            if isinstance(error, asyncio.CancelledError):
                future.cancel()
            else:
                future.set_exception(error)
