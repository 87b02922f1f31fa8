"""A circuit breaker per model: no calls after failures in a row, then one as a probe."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import structlog

from adapters.models import metrics
from adapters.models.port import EmptyAnswer
from adapters.models.providers.provider_errors import Exhausted, PermitLost, TransientFailure
from schemas.errors import Refused, Unavailable
from schemas.settings import ModelSettings

log = structlog.get_logger(__name__)


class CircuitBreaker:
    """Of one model, in one process. Closed: calls pass. After ``failures_max`` failures in a row it is open for ``pause_s``: none pass.
    An exhausted account opens it at once, until the provider's limit is reset, or for ``exhausted_pause_s`` when it did not say when.

    Then it is half open: one call passes as a probe; its first answer closes the breaker, its failure opens it again.
    """

    def __init__(
        self,
        model: str,
        *,
        failures_max: int,
        pause_s: float,
        exhausted_pause_s: float = 300.0,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._failures_max, self._pause_s, self._clock_s = model, failures_max, pause_s, clock_s
        self._exhausted_pause_s = exhausted_pause_s
        self._failures = 0
        self._until_s: float | None = None  # None: closed
        self._cause: Exhausted | None = None  # of its being open, when that is no row of failures
        self._probing = False

    @classmethod
    def of(cls, model: str, settings: ModelSettings) -> Self:
        """A closed one for a model, as its settings say."""
        return cls(
            model,
            failures_max=settings.breaker_failures,
            pause_s=settings.breaker_pause_s,
            exhausted_pause_s=settings.breaker_exhausted_pause_s,
        )

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, but for a probe."""
        return self._until_s is not None

    @contextmanager
    def call(self) -> Iterator["BreakerCall"]:
        """Around one call. Raises Unavailable("model_unavailable") when it must not be made, Refused with the code of an exhausted account;
        counts how it ends.

        A refusal counts as an answer; a call that lost its permit, or was cancelled, counts as neither.
        """
        probe = self._admit()
        try:
            yield BreakerCall(self, probe=probe)
        except PermitLost:
            self._count("displaced")
            raise
        except TransientFailure:
            self._count("passing")
            self._record_failure(probe=probe)
            raise
        except Exhausted as error:
            self._count("exhausted")
            self._open(self._exhausted_pause_s if error.reset_s is None else error.reset_s, error)
            raise
        except Refused as error:
            self._count("empty" if isinstance(error, EmptyAnswer) else "refused")
            self._record_success()
            raise
        else:
            self._count("done")
            self._record_success()
        finally:
            if probe:
                self._probing = False

    def close(self) -> None:
        """Record that the provider answers."""
        if self._until_s is not None:
            self._until_s = self._cause = None
            self._failures = 0
            metrics.BREAKER_OPEN.labels(self._model).set(0)
            log.info("model_breaker_closed", model=self._model)

    def _admit(self) -> bool:
        """Whether this call is the probe."""
        if self._until_s is None:
            return False
        left_s = self._until_s - self._clock_s()
        if left_s > 0 or self._probing:
            if self._cause is not None:
                detail = f"{self._cause.detail} {self._model} is left alone until then."
                raise Refused(self._cause.code, detail, retry_after_s=max(int(left_s + 0.999), 1))
            detail = f"{self._model} failed {self._failures_max} times in a row and is left alone for a while."
            raise Unavailable("model_unavailable", detail, retry_after_s=max(left_s, 1.0))
        self._probing = True
        return True

    def _record_success(self) -> None:
        self._failures = 0
        self.close()

    def _record_failure(self, *, probe: bool) -> None:
        self._failures += 1
        if probe or (self._until_s is None and self._failures >= self._failures_max):
            self._open(self._pause_s)

    def _open(self, pause_s: float, cause: Exhausted | None = None) -> None:
        self._until_s, self._cause = self._clock_s() + pause_s, cause
        metrics.BREAKER_OPEN.labels(self._model).set(1)
        log.warning("model_breaker_opened", model=self._model, pause_s=round(pause_s, 1), code="" if cause is None else cause.code)

    def _count(self, outcome: str) -> None:
        metrics.CALLS.labels(self._model, outcome).inc()


class BreakerCall:
    """One call under the breaker."""

    __slots__ = ("_breaker", "_probe")

    def __init__(self, breaker: CircuitBreaker, *, probe: bool) -> None:
        self._breaker, self._probe = breaker, probe

    def mark_alive(self) -> None:
        """Record that the provider began to answer, so that other calls do not wait for the end of the probe."""
        if self._probe:
            self._breaker.close()
