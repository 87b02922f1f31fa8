"""Repeats in place: which failure of a step or of publishing is tried again, how often, and after how long."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from schemas.errors import REDIS_OUTAGES, ClawError, Problem, Refused, Superseded, Unavailable
from streams.clock import Clock
from streams.log.outage import OutageLog, describe
from streams.runtime.agent import Agent, Context
from streams.runtime.hooks import StepHooks

BACKOFF_S_MIN, BACKOFF_S_MAX = 0.1, 5.0  # between repeats, doubling; half of it is random so that many do not return together
OUTAGE_PAUSE_S_MAX = 1.0  # between repeats while the log or Redis is away: a try costs nothing then, and people wait for the return
UNEXPECTED_TRIES_MAX = 3  # of an error that no step declares: a race passes, a bug does not

LOG_OUTAGE = "kafka_unavailable"  # not even a dead letter can be written: every event is kept for as long as that takes
# every event would fail alike, and a whole backlog become dead letters
PART_OUTAGES = (*REDIS_OUTAGES, "index_unavailable", "blobs_unavailable")

T = TypeVar("T")
log = structlog.get_logger(__name__)


class StepFailed(Exception):
    """Repeating does not help: the event is to be dead-lettered."""

    def __init__(self, problem: Problem, error: str, tries: int, *, passes: bool = False) -> None:
        """``passes``: it failed for want of something that may return, not by itself."""
        super().__init__(problem.detail)
        self.problem, self.error, self.tries, self.passes = problem, error, tries, passes


class Retries:
    """The retries of one agent. ``retry_s``: how long an ``Unavailable`` is repeated, but for outages that are waited out."""

    def __init__(self, agent: Agent, clock: Clock, retry_s: float, hooks: StepHooks) -> None:
        self._name, self._clock, self._retry_s, self._hooks = agent.name, clock, retry_s, hooks
        self._endured = frozenset((LOG_OUTAGE,) if agent.awaited else (LOG_OUTAGE, *PART_OUTAGES))
        self._log = log.bind(agent=agent.name)
        self._outages: dict[str, OutageLog] = {}  # by error code

    async def run(self, step: Callable[[], Awaitable[T]], context: Context) -> T:
        """The step's result; raises StepFailed when repeating does not help, and Superseded."""
        clock, tries = self._clock, 0
        context.since_s = clock.monotonic_s()
        begun: float | None = None  # of what the limit counts: a step that waits in every try would else be tried for ever
        while True:
            tries += 1
            begun_s = time.perf_counter()
            try:
                try:
                    result = await step()
                finally:
                    self._hooks.on_run(self._name, time.perf_counter() - begun_s)
            except Superseded:
                raise
            except Refused as error:
                raise StepFailed(error.problem(), "Refused", tries) from error
            except Unavailable as error:
                delay_s = outage_backoff_s(error, tries)
                begun = context.since_s if begun is None else begun
                late = clock.monotonic_s() + delay_s - begun > self._retry_s
                if late and error.code not in self._endured:
                    raise StepFailed(error.problem(), "Unavailable", tries, passes=True) from error
                self.report(error.code, error, tries)
            except (Exception, asyncio.CancelledError) as error:  # the one place where a step may fail in any way
                if isinstance(error, asyncio.CancelledError) and _is_cancelling():
                    raise
                if tries >= UNEXPECTED_TRIES_MAX:
                    self._log.exception("step_failed", tries=tries)
                    detail = f"{type(error).__name__}: {error}"
                    raise StepFailed(ClawError(detail, code="event_failed").problem(), type(error).__name__, tries) from error
                delay_s = backoff_s(tries)
                self.report("unexpected", error, tries)
            else:
                self._end_outages()
                return result
            context.replayed = True
            await asyncio.sleep(delay_s)

    async def publish(self, publish: Callable[[], Awaitable[T]]) -> T:
        """Publishing is repeated until it succeeds or this work is cancelled: an event whose results cannot be written is kept. (The
        watchdog ends a worker that stands still although the log can be reached.) Raises Refused.
        """
        tries = 0
        while True:
            try:
                published = await publish()
            except Unavailable as error:
                tries += 1
                self.report(error.code, error, tries)
                await asyncio.sleep(outage_backoff_s(error, tries))
            else:
                self._end_outages()
                return published

    def report(self, cause: str, error: BaseException, tries: int) -> None:
        """Log and observe that something is tried again. What is unavailable fails many events many times: only some of that is logged."""
        self._hooks.on_repeated(self._name, cause, error, tries)
        text = describe(error)
        if isinstance(error, Unavailable):
            outage = self._outages.setdefault(cause, OutageLog("event_repeated", {"agent": self._name, "cause": cause}))
            outage.report(text, tries=tries)
        else:
            self._log.warning("event_repeated", cause=cause, error=text, tries=tries)

    def _end_outages(self) -> None:
        for outage in self._outages.values():
            outage.end()


def backoff_s(tries: int) -> float:
    """How long to wait after so many tries: doubling up to BACKOFF_S_MAX, half of it random."""
    full_s: float = min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2 ** min(tries - 1, 16))
    return full_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads repeats, decides nothing


def outage_backoff_s(error: Unavailable, tries: int) -> float:
    """The same for a part that is away, and at least as long as it asks for, to BACKOFF_S_MAX; for the log and Redis at most a second."""
    delay_s = max(backoff_s(tries), min(error.retry_after_s, BACKOFF_S_MAX))
    return min(delay_s, OUTAGE_PAUSE_S_MAX) if error.code in (LOG_OUTAGE, *REDIS_OUTAGES) else delay_s


def _is_cancelling() -> bool:
    """Whether this work was cancelled, and not something a step waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
