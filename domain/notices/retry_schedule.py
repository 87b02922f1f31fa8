"""What follows an attempt to deliver a message to a webhook: the schedule of the Standard Webhooks specification as a pure function.

The first attempt is immediate, the tenth follows some 75 hours later. A message that was answered with 2xx is delivered; any other answer,
or none, is tried again, not before the receiver's ``Retry-After``. ``410`` ends the subscription at once, and an endpoint that has not
accepted anything for five days is switched off.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.notices import DeliveryState, DisabledReason, EndpointAnswer

DELAYS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)  # after the first attempt, the second, …
TRIES_MAX = len(DELAYS_S) + 1
JITTER = 0.1  # a delay is longer by up to this part of it, so that what failed together does not come back together
RETRY_AFTER_S_MAX = 86_400.0  # of what a receiver may ask for
FAILING_MAX = timedelta(days=5)
GONE = 410


@dataclass(frozen=True, slots=True)
class NextStep:
    """What follows: the delivery's state with the time of the next attempt while it is pending, and the endpoint's health."""

    state: DeliveryState
    next_at: datetime | None
    failing_since: datetime | None
    disable: DisabledReason = ""


def next_step(tries: int, failing_since: datetime | None, answer: EndpointAnswer, now: datetime, jitter: float) -> NextStep:
    """After the ``tries``-th attempt (from 1). ``jitter`` is random, 0 to 1. Never raises."""
    if answer.is_accepted:
        return NextStep("delivered", None, None)
    since = failing_since or now
    if answer.status == GONE:
        return NextStep("failed", None, since, "gone")
    disable: DisabledReason = "failing" if now - since >= FAILING_MAX else ""
    if tries >= TRIES_MAX:
        return NextStep("failed", None, since, disable)
    delay_s = max(DELAYS_S[tries - 1], min(answer.retry_after_s, RETRY_AFTER_S_MAX)) * (1 + JITTER * jitter)
    return NextStep("pending", now + timedelta(seconds=delay_s), since, disable)
