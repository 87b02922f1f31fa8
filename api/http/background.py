"""Work beside requests: a bounded number of tasks that no request depends on."""

import asyncio
from collections.abc import Coroutine
from typing import Any

TASKS_MAX = 1_000  # work dropped beyond that is done later by the projection, by expiry or by the next request


class BackgroundTasks:
    """The tasks of one process."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside the request, or drop it while 1,000 tasks are running."""
        if len(self._tasks) >= TASKS_MAX:
            work.close()
            return
        task = asyncio.create_task(work, name="beside-a-request")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cancel what is running."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
