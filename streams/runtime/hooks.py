"""Hooks around a step: what observers hear of an agent's work.

An observer subclasses ``StepObserver`` and overrides the methods it needs; metrics are the first one, and a worker group adds others
(``WorkerGroup.observers``). Per event the order is: begun, then for every try run and (when it is tried again) repeated, then failed if the
event is dead-lettered, and always done. Events that share a step (``Agent.step_many``) share its runs.

Observers are called on the event loop, in the order they are listed, with objects that exist already: they must not block, and must not
keep the event. One that raises does not end the step: its error is logged once per hook, counted every time, and the others go on.
"""

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from schemas.errors import Problem
from streams.log.delivery import Delivery

HANDLED = "handled"  # its results are on the log
TOMBSTONE = "tombstone"  # a deletion marker of a compacted topic: nothing to do
DEAD_LETTERED = "dead_lettered"
POSTPONED = "postponed"  # something was away for long: it is tried again later
SUPERSEDED = "superseded"  # another worker has the event now
CANCELLED = "cancelled"  # the worker stops, or its partition moved; the event is read again
SPLIT = "split"  # the common step of several events failed; each of them begins again by itself

log = structlog.get_logger(__name__)


class StepObserver:
    """Methods that do nothing. ``agent`` is the agent's name, times are in seconds."""

    def on_begun(self, agent: str, delivery: Delivery, waited_s: float) -> None:
        """Work on the event begins ``waited_s`` after it was read."""

    def on_run(self, agent: str, duration_s: float) -> None:
        """One run of the step ended, with or without a result."""

    def on_repeated(self, agent: str, cause: str, error: BaseException, tries: int) -> None:
        """Something is tried again: the step, publishing, or one by one what failed together. ``cause``: an error code or a fixed word."""

    def on_failed(self, agent: str, delivery: Delivery, event: Any, problem: Problem) -> None:
        """The dead letter is on the log. ``event`` is None when it could not be decoded or was not run."""

    def on_done(self, agent: str, delivery: Delivery, outcome: str, duration_s: float) -> None:
        """Follows every on_begun. ``outcome`` is one of the constants of this module."""


class StepHooks(StepObserver):
    """Several observers as one. A hook that none of them overrides costs one empty loop."""

    def __init__(self, observers: Sequence[StepObserver], count_error: Callable[[str], None] = lambda _: None) -> None:
        """``count_error`` is called with the observer's class name each time it raises."""
        self._count_error = count_error
        self._logged: set[Any] = set()
        self._begun = tuple(each.on_begun for each in observers if _overrides(each, "on_begun"))
        self._run = tuple(each.on_run for each in observers if _overrides(each, "on_run"))
        self._repeated = tuple(each.on_repeated for each in observers if _overrides(each, "on_repeated"))
        self._failed = tuple(each.on_failed for each in observers if _overrides(each, "on_failed"))
        self._done = tuple(each.on_done for each in observers if _overrides(each, "on_done"))

    def on_begun(self, agent: str, delivery: Delivery, waited_s: float) -> None:
        """See StepObserver.on_begun."""
        for hook in self._begun:
            try:
                hook(agent, delivery, waited_s)
            except Exception as error:  # noqa: BLE001 - an observer may fail in any way and must not end a step
                self._report(hook, error)

    def on_run(self, agent: str, duration_s: float) -> None:
        """See StepObserver.on_run."""
        for hook in self._run:
            try:
                hook(agent, duration_s)
            except Exception as error:  # noqa: BLE001 - see on_begun
                self._report(hook, error)

    def on_repeated(self, agent: str, cause: str, error: BaseException, tries: int) -> None:
        """See StepObserver.on_repeated."""
        for hook in self._repeated:
            try:
                hook(agent, cause, error, tries)
            except Exception as raised:  # noqa: BLE001 - see on_begun
                self._report(hook, raised)

    def on_failed(self, agent: str, delivery: Delivery, event: Any, problem: Problem) -> None:
        """See StepObserver.on_failed."""
        for hook in self._failed:
            try:
                hook(agent, delivery, event, problem)
            except Exception as error:  # noqa: BLE001 - see on_begun
                self._report(hook, error)

    def on_done(self, agent: str, delivery: Delivery, outcome: str, duration_s: float) -> None:
        """See StepObserver.on_done."""
        for hook in self._done:
            try:
                hook(agent, delivery, outcome, duration_s)
            except Exception as error:  # noqa: BLE001 - see on_begun
                self._report(hook, error)

    def _report(self, hook: Callable[..., None], error: Exception) -> None:
        observer = type(getattr(hook, "__self__", hook)).__name__
        self._count_error(observer)
        if hook not in self._logged:
            self._logged.add(hook)
            log.error("step_observer_failed", observer=observer, hook=getattr(hook, "__name__", ""), exc_info=error)


def _overrides(observer: StepObserver, name: str) -> bool:
    return getattr(type(observer), name) is not getattr(StepObserver, name)
