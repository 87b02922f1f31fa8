"""The budget as metrics, also while nobody asks: an operator is warned before it is spent."""

import asyncio
from contextlib import suppress

from domain.usage.budget import Budget
from schemas.errors import Unavailable

LOOK_S = 15.0  # between two looks, about as often as metrics are scraped


class BudgetWatch:
    """Reads the budget regularly, which reports it; does nothing where no budget is set."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look."""
        if self._budget.is_set:
            self._task = asyncio.create_task(self._look_regularly(), name="budget-watch")

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _look_regularly(self) -> None:
        while True:
            with suppress(Unavailable):
                await self._budget.states()
            await asyncio.sleep(LOOK_S)
