"""A worker group: agents that share a worker process and a consumer group because they wait for the same thing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from streams.runtime.agent import Agent
from streams.runtime.hooks import StepObserver
from streams.topics import Topic


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """Its agents, and how often they read. ``open`` and ``close`` are called around the worker's life.

    ``pace_s``: under load the log is read this often at most, so that many events share a wake-up; the first one after a pause is not
    delayed. A poll that brought only records of ``unhurried`` topics is followed by a pause of ``unhurried_pace_s``, or a quarter of it
    within a second of others.
    ``poll_max``: events taken at once; fewer where people's events come between many of machines. ``observers`` follow every step.
    ``failing`` names what its agents call outside and fails them now.
    """

    name: str
    agents: tuple[Agent, ...]
    open: Callable[[], Awaitable[None]]
    close: Callable[[], Awaitable[None]]
    pace_s: float = 0.0
    poll_max: int = 500
    unhurried: tuple[Topic, ...] = ()
    unhurried_pace_s: float = 0.0
    observers: tuple[StepObserver, ...] = ()
    failing: Callable[[], tuple[str, ...]] = tuple
