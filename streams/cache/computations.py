"""Computations beside whoever asked for them, so that their leaving harms nobody who waits for the same."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Computations(Generic[T]):
    """Tasks, some of which can be joined under a token."""

    def __init__(self) -> None:
        self._joinable: dict[str, asyncio.Task[T]] = {}
        self._beside: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T], token: str = "") -> asyncio.Task[T]:
        """Run ``work`` to its end; under ``token`` it can be joined meanwhile."""
        task = asyncio.create_task(work, name="cache-computation")
        self._beside.add(task)
        if token:
            self._joinable[token] = task

        def landed(task: asyncio.Task[T]) -> None:
            self._beside.discard(task)
            self._joinable.pop(token, None)
            if not task.cancelled():
                task.exception()  # whoever waits for it has it; nobody may be left

        task.add_done_callback(landed)
        return task

    def of(self, token: str) -> asyncio.Task[T] | None:
        """What runs under this token here."""
        return self._joinable.get(token)

    async def stop(self) -> None:
        """End everything."""
        tasks = list(self._beside)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
