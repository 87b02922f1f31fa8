"""Retry policies of calls to models, and the error when they end."""

from msgspec import Struct

from adapters.models.providers.provider_errors import TransientFailure
from schemas.errors import Unavailable

BACK_OFF_S = 0.2  # doubles; each pause is drawn from its upper half


class RetryPolicy(Struct, frozen=True):
    """``attempts`` altogether; none starts when ``window_s`` is over."""

    attempts: int
    window_s: float


LAST_MODEL = RetryPolicy(attempts=3, window_s=10.0)  # a person waits for the first word, and no other model is left
EARLIER_MODEL = RetryPolicy(attempts=2, window_s=1.0)  # the next model can begin at once
SHORT_TEXT = RetryPolicy(attempts=2, window_s=2.0)  # short texts: their callers have rules of their own


def pause_s(error: TransientFailure, attempt: int, *, jitter: float) -> float:
    """The pause before the next attempt; ``jitter`` in 0..1. It is at least what the provider asked for."""
    own_s: float = BACK_OFF_S * 2.0 ** (attempt - 1) * (0.5 + jitter / 2)
    return max(own_s, error.retry_after_s or 0.0)


def as_unavailable(error: TransientFailure) -> Unavailable:
    """The error for the caller when there are no more attempts."""
    return Unavailable(error.code, error.detail, retry_after_s=1.0 if error.retry_after_s is None else error.retry_after_s)
