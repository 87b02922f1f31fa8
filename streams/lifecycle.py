"""The lifecycle protocol: what is started with a process, and stopped with it in reverse order."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Protocol


class Lifecycle(Protocol):
    """``start`` raises what keeps it from starting; ``stop`` ends what ``start`` began."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class LifecycleStack:
    """Several lifecycles as one: started in order, stopped in reverse, also when one of them fails to start."""

    def __init__(self, parts: Sequence[Lifecycle]) -> None:
        self._parts, self._stack = parts, AsyncExitStack()

    async def start(self) -> None:
        """Start all. When one raises, those before it run until ``stop``."""
        for part in self._parts:
            await part.start()
            self._stack.push_async_callback(part.stop)

    async def stop(self) -> None:
        """Stop those that were started, all of them, whatever one of them raises."""
        await self._stack.aclose()
