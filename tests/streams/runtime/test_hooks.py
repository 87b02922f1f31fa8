"""Hooks: every observer is called, and none of them can end a step."""

from typing import Any

import pytest
import structlog

from schemas.errors import ClawError, Problem
from streams.log.delivery import Delivery
from streams.log.outgoing import LogOffset
from streams.runtime.hooks import HANDLED, StepHooks, StepObserver

DELIVERY = Delivery(LogOffset("topic", 0, 1), b"key", b"{}", 0, {})
PROBLEM: Problem = ClawError("no", code="event_failed").problem()


class Loud(StepObserver):
    """Raises whatever it hears."""

    def on_begun(self, agent: str, delivery: Delivery, waited_s: float) -> None:
        raise ValueError(agent)

    def on_run(self, agent: str, duration_s: float) -> None:
        raise ValueError(agent)

    def on_repeated(self, agent: str, cause: str, error: BaseException, tries: int) -> None:
        raise ValueError(agent)

    def on_failed(self, agent: str, delivery: Delivery, event: Any, problem: Problem) -> None:
        raise ValueError(agent)

    def on_done(self, agent: str, delivery: Delivery, outcome: str, duration_s: float) -> None:
        raise ValueError(agent)


class Quiet(StepObserver):
    """Overrides one hook."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def on_done(self, agent: str, delivery: Delivery, outcome: str, duration_s: float) -> None:
        self.outcomes.append(outcome)


def call_all(hooks: StepHooks) -> None:
    hooks.on_begun("agent", DELIVERY, 0.0)
    hooks.on_run("agent", 0.1)
    hooks.on_repeated("agent", "unexpected", RuntimeError(), 1)
    hooks.on_failed("agent", DELIVERY, None, PROBLEM)
    hooks.on_done("agent", DELIVERY, HANDLED, 0.1)


def test_an_observer_that_raises_is_logged_once_per_hook_counted_every_time_and_ends_nothing():
    errors: list[str] = []
    quiet = Quiet()
    hooks = StepHooks((Loud(), quiet), errors.append)
    with structlog.testing.capture_logs() as lines:
        call_all(hooks)
        call_all(hooks)
    assert errors == ["Loud"] * 10
    assert [(line["event"], line["hook"]) for line in lines] == [
        ("step_observer_failed", name) for name in ("on_begun", "on_run", "on_repeated", "on_failed", "on_done")
    ]
    assert quiet.outcomes == [HANDLED, HANDLED]


def test_a_hook_that_no_observer_overrides_has_nothing_to_call():
    hooks = StepHooks((Quiet(), StepObserver()))
    assert [len(calls) for calls in (hooks._begun, hooks._run, hooks._repeated, hooks._failed, hooks._done)] == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("observers", [(), (Quiet(), Quiet())])
def test_any_number_of_observers(observers):
    call_all(StepHooks(observers))
    assert all(observer.outcomes == [HANDLED] for observer in observers)
