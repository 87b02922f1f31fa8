"""Batches the text of a streaming answer into events: the first piece at once, then one event per window.

Every event costs the writer, the log and every reader, whatever its size; without batching every token would be an event. The window
widens with the answers in flight, so that the cost per token falls as the load grows.
"""

import asyncio
from collections.abc import Awaitable, Callable

from schemas.chats import Citation

WINDOW_FACTOR_MAX = 5.0  # widest window as a multiple of the set one
IN_FLIGHT_PER_FACTOR = 64  # answers in flight that widen it by one more

Send = Callable[[int, str, tuple[Citation, ...]], Awaitable[None]]


def window_s(delta_window_ms: int, in_flight: int) -> float:
    """The window for this many answers in flight, in seconds."""
    return delta_window_ms / 1000 * min(1 + in_flight / IN_FLIGHT_PER_FACTOR, WINDOW_FACTOR_MAX)


class DeltaBuffer:
    """The text of one answer. ``send(seq, text, citations)`` is called in order, ``seq`` from 1."""

    def __init__(self, send: Send, window: Callable[[], float]) -> None:
        self._send, self._window = send, window
        self._text: list[str] = []
        self._citations: list[Citation] = []
        self._seq = 0
        self._sent_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._timed: asyncio.Task[None] | None = None
        self._order = asyncio.Lock()

    async def add(self, text: str, citations: tuple[Citation, ...] = ()) -> None:
        """Add text; it is sent now or within the window. Raises what an earlier timed send raised."""
        if not text:
            return
        self._raise_timed()
        self._text.append(text)
        self._citations.extend(citations)
        loop = asyncio.get_running_loop()
        due_at = self._sent_at + self._window()
        if due_at <= loop.time():
            await self.flush()
        elif self._timer is None:
            self._timer = loop.call_at(due_at, self._flush_timed)

    async def flush(self) -> None:
        """Send the buffered text."""
        async with self._order:
            self._stop_timer()
            if not self._text:
                return
            text, citations = "".join(self._text), tuple(self._citations)
            self._text, self._citations = [], []
            self._seq += 1
            self._sent_at = asyncio.get_running_loop().time()
            await self._send(self._seq, text, citations)

    async def close(self) -> None:
        """Send the rest. Raises what a timed send raised: an answer with a hole must not be called complete."""
        self._stop_timer()
        await self.flush()
        if self._timed is not None:
            await self._timed

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush_timed(self) -> None:
        self._timer = None
        if self._timed is None or (self._timed.done() and self._timed.exception() is None):
            self._timed = asyncio.create_task(self.flush())
        elif not self._timed.done():  # a slow log: try again a window later
            self._timer = asyncio.get_running_loop().call_later(self._window(), self._flush_timed)

    def _raise_timed(self) -> None:
        if self._timed is not None and self._timed.done():
            self._timed.result()
