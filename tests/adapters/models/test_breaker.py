"""The breaker under a clock of the test's own."""

import pytest
from prometheus_client import REGISTRY

from adapters.models import metrics
from adapters.models.breaker import CircuitBreaker
from adapters.models.providers.provider_errors import Exhausted, PermitLost, TransientFailure
from schemas.errors import Refused, Unavailable


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("m", failures_max=3, pause_s=10.0, clock_s=clock)


def end(breaker: CircuitBreaker, error: BaseException | None = None) -> None:
    """One call that ends so."""
    with pytest.raises(type(error)) if error is not None else breaker.call():
        if error is not None:
            with breaker.call():
                raise error


def is_open(breaker: CircuitBreaker) -> bool:
    return breaker.is_open


def refuses(breaker: CircuitBreaker) -> float:
    with pytest.raises(Unavailable) as raised, breaker.call():
        pytest.fail("no call may be made")
    assert raised.value.code == "model_unavailable"
    return raised.value.retry_after_s


def test_opens_after_failures_in_a_row_and_says_for_how_long(breaker: CircuitBreaker, clock: Clock) -> None:
    for error in (
        TransientFailure("x"),
        TransientFailure("x"),
        None,
        TransientFailure("x"),
        TransientFailure("x"),
        Refused("model_refused"),
        TransientFailure("x"),
        TransientFailure("x"),
    ):
        end(breaker, error)
    assert not is_open(breaker), "an answer and a refusal are signs of life"
    end(breaker, TransientFailure("x"))
    assert is_open(breaker)
    assert "m" in metrics.list_failing(), "readiness shows it"
    assert REGISTRY.get_sample_value("claw_model_breaker_open", {"model": "m"}) == 1
    clock.now_s += 4
    assert refuses(breaker) == 6


def test_what_says_nothing_about_the_provider_does_not_count(breaker: CircuitBreaker) -> None:
    for _ in range(9):
        end(breaker, PermitLost("x"))
        end(breaker, Unavailable("model_unavailable"))
        end(breaker, GeneratorExit())
    assert not is_open(breaker)


def opened(breaker: CircuitBreaker, clock: Clock) -> None:
    for _ in range(3):
        end(breaker, TransientFailure("x"))
    clock.now_s += 10


def test_one_probe_at_a_time_and_its_first_word_closes(breaker: CircuitBreaker, clock: Clock) -> None:
    opened(breaker, clock)
    with breaker.call() as watched:
        refuses(breaker)
        watched.mark_alive()
        assert not is_open(breaker)
        with breaker.call():
            pass
    assert REGISTRY.get_sample_value("claw_model_breaker_open", {"model": "m"}) == 0


def test_a_probe_that_fails_opens_again_at_once(breaker: CircuitBreaker, clock: Clock) -> None:
    opened(breaker, clock)
    end(breaker, TransientFailure("x"))
    assert refuses(breaker) == 10
    clock.now_s += 10
    end(breaker)
    assert not is_open(breaker)


def test_a_probe_that_is_given_up_leaves_room_for_the_next(breaker: CircuitBreaker, clock: Clock) -> None:
    opened(breaker, clock)
    end(breaker, GeneratorExit())
    assert is_open(breaker)
    end(breaker)
    assert not is_open(breaker)


@pytest.mark.parametrize(("reset_s", "left_s"), [(9_000.0, 9_000), (None, 300)])
def test_an_exhausted_account_is_left_alone_until_its_reset(
    breaker: CircuitBreaker, clock: Clock, reset_s: float | None, left_s: int
) -> None:
    """At once, under its own name, and then probed like any other."""
    end(breaker, Exhausted("model_quota_exhausted", "1308.", reset_s))
    clock.now_s += 1
    with pytest.raises(Refused) as raised, breaker.call():
        pytest.fail("no call may be made")
    assert (raised.value.code, raised.value.retry_after_s) == ("model_quota_exhausted", left_s - 1)
    assert "1308" in raised.value.detail
    clock.now_s += left_s - 1
    end(breaker, TransientFailure("x"))
    assert refuses(breaker) == 10, "the cause is another one now"
    clock.now_s += 10
    end(breaker)
    assert not is_open(breaker)
