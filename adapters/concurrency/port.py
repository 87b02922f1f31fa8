"""The interface of concurrency limits for adapters that call models."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import IntEnum
from types import TracebackType
from typing import Protocol


class Priority(IntEnum):
    """The order in which permits are granted. Documents also leave the last permits to the others."""

    PEOPLE = 0  # answers, and the vectors of questions: a person waits
    TEXTS = 1  # condensed questions, summaries, titles
    DOCUMENTS = 2


class Permit:
    """The permit of one call. It can be lost (its lease expired and another call has it): then the call must end."""

    __slots__ = ("_close", "lost")

    def __init__(self) -> None:
        self.lost = False
        self._close: Callable[[], None] | None = None

    def on_lost(self, close: Callable[[], None]) -> None:
        """``close`` ends the call; it is called at most once, when the permit is lost or if it was already."""
        self._close = close
        if self.lost:
            close()

    def revoke(self) -> None:
        """For the limit: mark the permit as lost."""
        if not self.lost:
            self.lost = True
            if self._close is not None:
                self._close()

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Ends what is awaited inside with TimeoutError when the permit is lost. Not around a ``yield`` of a generator."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as deadline:
            self.on_lost(lambda: deadline.reschedule(loop.time()))
            try:
                yield
            finally:
                self._close = None


class ConcurrencyLimit(Protocol):
    """Bounds the calls in flight to one model."""

    def permit(self, priority: Priority, wait_s: float) -> AbstractAsyncContextManager[Permit]:
        """A permit for one call, from entering to leaving; raises Unavailable("model_unavailable") when none is free for ``wait_s``."""
        ...


class _PermanentPermitContext:
    """The permit of an unlimited model; nothing is made per call."""

    def __init__(self) -> None:
        self._permit = _PermanentPermit()

    async def __aenter__(self) -> Permit:
        return self._permit

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to release."""


class _PermanentPermit(Permit):
    __slots__ = ()

    def on_lost(self, close: Callable[[], None]) -> None:
        """Never."""

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        yield


class UnlimitedConcurrency:
    """No limit, at no cost."""

    def __init__(self) -> None:
        self._always = _PermanentPermitContext()

    def permit(self, priority: Priority, wait_s: float) -> AbstractAsyncContextManager[Permit]:
        del priority, wait_s
        return self._always


UNLIMITED: ConcurrencyLimit = UnlimitedConcurrency()
