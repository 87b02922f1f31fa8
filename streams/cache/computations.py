"""Computations in tasks of their own, so that a caller that leaves does not cancel what others wait for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Computations(Generic[T]):
    """Running tasks, some of which can be joined by a token."""

    def __init__(self) -> None:
        self._joinable: dict[str, asyncio.Task[T]] = {}
        self._running: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T], token: str = "") -> asyncio.Task[T]:
        """Run ``work`` to its end; under ``token`` it can be joined meanwhile."""
        task = asyncio.create_task(work, name="cache-computation")
        self._running.add(task)
        if token:
            self._joinable[token] = task

        def finish(task: asyncio.Task[T]) -> None:
            self._running.discard(task)
            self._joinable.pop(token, None)
            if not task.cancelled():
                task.exception()  # retrieved here, because there may be no caller left to raise it to

        task.add_done_callback(finish)
        return task

    def of(self, token: str) -> asyncio.Task[T] | None:
        """The task with this token, if it runs in this process."""
        return self._joinable.get(token)

    async def stop(self) -> None:
        """End everything."""
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
