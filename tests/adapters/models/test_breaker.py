"""The breaker under a clock of the test's own."""

import pytest
from prometheus_client import REGISTRY

from adapters.models.breaker import Breaker
from adapters.models.wire import Displaced, Passing
from schemas.errors import Refused, Unavailable


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("m", failures_max=3, pause_s=10.0, clock_s=clock)


def end(breaker: Breaker, error: BaseException | None = None) -> None:
    """One call that ends so."""
    with pytest.raises(type(error)) if error is not None else breaker.call():
        if error is not None:
            with breaker.call():
                raise error


def is_open(breaker: Breaker) -> bool:
    return breaker.is_open


def refuses(breaker: Breaker) -> float:
    with pytest.raises(Unavailable) as raised, breaker.call():
        pytest.fail("no call may be made")
    assert raised.value.code == "model_unavailable"
    return raised.value.retry_after_s


def test_opens_after_failures_in_a_row_and_says_for_how_long(breaker: Breaker, clock: Clock) -> None:
    for error in (Passing("x"), Passing("x"), None, Passing("x"), Passing("x"), Refused("model_refused"), Passing("x"), Passing("x")):
        end(breaker, error)
    assert not is_open(breaker), "an answer and a refusal are signs of life"
    end(breaker, Passing("x"))
    assert is_open(breaker)
    assert REGISTRY.get_sample_value("claw_model_breaker_open", {"model": "m"}) == 1
    clock.now_s += 4
    assert refuses(breaker) == 6


def test_what_says_nothing_about_the_provider_does_not_count(breaker: Breaker) -> None:
    for _ in range(9):
        end(breaker, Displaced("x"))
        end(breaker, Unavailable("model_unavailable"))
        end(breaker, GeneratorExit())
    assert not is_open(breaker)


def opened(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        end(breaker, Passing("x"))
    clock.now_s += 10


def test_one_probe_at_a_time_and_its_first_word_closes(breaker: Breaker, clock: Clock) -> None:
    opened(breaker, clock)
    with breaker.call() as watched:
        refuses(breaker)
        watched.lives()
        assert not is_open(breaker)
        with breaker.call():
            pass
    assert REGISTRY.get_sample_value("claw_model_breaker_open", {"model": "m"}) == 0


def test_a_probe_that_fails_opens_again_at_once(breaker: Breaker, clock: Clock) -> None:
    opened(breaker, clock)
    end(breaker, Passing("x"))
    assert refuses(breaker) == 10
    clock.now_s += 10
    end(breaker)
    assert not is_open(breaker)


def test_a_probe_that_is_given_up_leaves_room_for_the_next(breaker: Breaker, clock: Clock) -> None:
    opened(breaker, clock)
    end(breaker, GeneratorExit())
    assert is_open(breaker)
    end(breaker)
    assert not is_open(breaker)
