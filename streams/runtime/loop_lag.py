"""The lag of the event loop: how much later than asked it wakes a sampler. Whatever blocks the loop shows here."""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog
from prometheus_client import CollectorRegistry, Histogram

SAMPLE_S, LISTENER_SAMPLE_S = 0.5, 0.1
BLOCKED_S = 0.5  # a lag of this much is logged: some work belongs into a thread or a child process
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

LagListener = Callable[[float, float], None]  # the lag in seconds, the CPU use of this process in cores

log = structlog.get_logger(__name__)


class LoopLag:
    """Samples the running loop between ``start`` and ``stop``. ``listeners`` get each sample; with any, there are more."""

    def __init__(self, registry: CollectorRegistry, *, sample_s: float | None = None, listeners: Sequence[LagListener] = ()) -> None:
        self._sample_s, self._listeners = sample_s or (LISTENER_SAMPLE_S if listeners else SAMPLE_S), listeners
        self._seconds = Histogram("claw_loop_lag_seconds", "How late the event loop woke a sampler.", registry=registry, buckets=BUCKETS_S)
        self._sampling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """From now on."""
        self._sampling = asyncio.create_task(self._sample())

    async def stop(self) -> None:
        """May be called without a start."""
        if self._sampling is not None:
            self._sampling.cancel()
            await asyncio.wait((self._sampling,))

    async def _sample(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began, began_cpu_s = loop.time(), time.process_time()
            await asyncio.sleep(self._sample_s)
            elapsed_s = loop.time() - began
            late_s = max(0.0, elapsed_s - self._sample_s)
            self._seconds.observe(late_s)
            for listener in self._listeners:
                listener(late_s, (time.process_time() - began_cpu_s) / elapsed_s)
            if late_s >= BLOCKED_S:
                log.warning("event_loop_blocked", seconds=round(late_s, 3))
