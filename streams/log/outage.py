"""Log lines of an outage: one when it begins, one now and then while it lasts, one when it is over."""

import time
from collections.abc import Callable, Mapping

import structlog

REPEAT_S = 10.0  # between two lines of an outage that lasts

log = structlog.get_logger(__name__)


def describe(error: BaseException) -> str:
    """An error in a line: its name, and its text when it has one."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class OutageLog:
    """Of one client or kind of work. ``event`` is the log event of a failure, with ``context``; ``clock_s`` in monotonic seconds."""

    def __init__(self, event: str, context: Mapping[str, object] | None = None, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._event, self._clock_s, self._context = event, clock_s, context or {}
        self._began_s: float | None = None
        self._said_s = 0.0
        self._failures = self._unsaid = 0

    def report(self, error: str, **context: object) -> None:
        """It failed, again or for the first time."""
        now_s = self._clock_s()
        if self._began_s is None:
            self._began_s = now_s
            self._failures = 0
        elif now_s - self._said_s < REPEAT_S:
            self._unsaid += 1
            return
        self._failures += 1 + self._unsaid
        more = {"failures": self._failures, "lasts_s": round(now_s - self._began_s, 1)} if self._failures > 1 else {}
        log.warning(self._event, **self._context, **context, **more, error=error)
        self._said_s, self._unsaid = now_s, 0

    def end(self) -> None:
        """It works; nothing is logged when it did before."""
        if self._began_s is None:
            return
        failures, lasted_s = self._failures + self._unsaid, self._clock_s() - self._began_s
        log.info("outage_over", of=self._event, **self._context, failures=failures, lasted_s=round(lasted_s, 1))
        self._began_s, self._unsaid = None, 0
