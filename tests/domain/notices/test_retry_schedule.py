"""The schedule of deliveries: ten attempts in some 75 hours, receivers' wishes bounded, the end of dead endpoints."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.notices.retry_schedule import DELAYS_S, FAILING_MAX, JITTER, RETRY_AFTER_S_MAX, TRIES_MAX, next_step
from schemas.notices import EndpointAnswer

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
answers = st.builds(
    EndpointAnswer, status=st.sampled_from([0, 200, 204, 301, 400, 410, 429, 500, 503]), retry_after_s=st.floats(0, 1e9, allow_nan=False)
)


def test_ten_attempts_take_some_75_hours():
    """5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h after each other, and then the delivery has failed."""
    at, since, moments = NOW, None, []
    for tries in range(1, TRIES_MAX + 1):
        moments.append((at - NOW).total_seconds())
        step = next_step(tries, since, EndpointAnswer(status=500), at, 0.0)
        at, since = step.next_at or at, step.failing_since
    assert step.state == "failed"
    assert [after - before for before, after in itertools.pairwise(moments)] == list(DELAYS_S)
    assert 75 <= moments[-1] / 3600 < 76


@given(st.integers(1, TRIES_MAX), st.none() | st.timedeltas(timedelta(0), timedelta(days=10)), answers, st.floats(0, 1, exclude_max=True))
def test_every_answer_has_exactly_one_consequence(tries, failing_for, answer, jitter):
    """Pending has a time that honours schedule and Retry-After within bounds; success and only success ends a failure."""
    since = None if failing_for is None else NOW - failing_for
    step = next_step(tries, since, answer, NOW, jitter)
    assert (step.state == "delivered") == answer.is_accepted
    assert (step.failing_since is None) == answer.is_accepted
    assert (step.next_at is not None) == (step.state == "pending")
    assert (step.disable == "gone") == (answer.status == 410)
    if step.next_at is not None:
        delay_s = (step.next_at - NOW).total_seconds()
        least_s = max(DELAYS_S[tries - 1], min(answer.retry_after_s, RETRY_AFTER_S_MAX))
        assert least_s - 1e-3 <= delay_s <= least_s * (1 + JITTER) + 1e-3
    if since is not None and not answer.is_accepted:
        assert step.failing_since == since, "the first failure counts"
        assert (step.disable == "failing") == (NOW - since >= FAILING_MAX and answer.status != 410)


@given(st.lists(answers, min_size=1, max_size=40))
def test_whatever_comes_a_delivery_ends_within_its_attempts(sequence):
    """No sequence of answers makes an eleventh attempt."""
    at, since = NOW, None
    for tries, answer in enumerate(sequence, 1):
        step = next_step(tries, since, answer, at, 0.5)
        if step.state != "pending":
            break
        assert tries < TRIES_MAX
        assert step.next_at is not None
        at, since = step.next_at, step.failing_since
