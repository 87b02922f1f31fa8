"""What an agent is: the contract between a step and the wrapper that runs it.

A step is ``event + ports -> outgoing events``. The wrapper (``streams/runtime/wrapper.py``) decodes, sets the context, times, retries,
dead-letters, publishes what the step returns and lets the offset move only when all of that is on the log.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import Problem
from streams.clock import Clock
from streams.log.outgoing import LogOffset, Outgoing, Publisher
from streams.topics import Topic


def _do_nothing() -> None:
    """Nobody watches."""


def none_waiting() -> int:
    """Nothing waits."""
    return 0


@dataclass(slots=True)
class Context:
    """What a step may know besides its event."""

    place: LogOffset
    attempt: int  # fencing token of a leased agent (grows with every takeover), else 0
    replayed: bool  # this event was started before, here or elsewhere, and may have had effects
    publisher: Publisher
    clock: Clock
    still_owner: Callable[[], Awaitable[bool]]  # a leased agent asks before an effect that only the newest attempt may have
    headers: Mapping[str, bytes] = field(default_factory=dict)
    alive: Callable[[], None] = _do_nothing  # a step that rightly waits for long (a free child process) says so now and then
    since_s: float = 0.0  # when it began, or last said so: how long it is repeated counts from there


Step = Callable[[Any, Context], Awaitable[Sequence[Outgoing]]]
StepMany = Callable[[Sequence[tuple[Any, Context]]], Awaitable[Sequence[Sequence[Outgoing]]]]
FailureStep = Callable[[Any, Problem, Context], Awaitable[Sequence[Outgoing]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent: which topics, which step, how much at once.

    ``in_flight_max`` bounds steps running at once in one partition; ``leased`` runs each key under a Redis lease. ``failed`` says what
    else the world must hear when an event is dead-lettered (it runs before the offset moves). ``in_order`` runs the whole partition one
    by one (counters). ``assigned`` is told of each partition this process gets, before any of its events. ``awaited``: somebody waits for
    the outcome, so its events are read before others, and an outage of Redis or the index that outlasts the retries is told; other agents
    wait it out.

    ``waits``: how many of its running steps only wait for something that all share, a permit of the model; they count as waiting. ``late``
    is told several times a second by how many seconds the event loop is late, and how many cores this process keeps busy.

    ``step_many`` does what ``step`` does for up to ``together_max`` events that came at once, of different keys, and gives the outgoing
    events of each. Should it raise, nothing is said to have happened: each of them is done by ``step``.
    """

    name: str
    reads: tuple[Topic, ...]
    step: Step
    failed: FailureStep | None = None
    in_flight_max: int = 64
    leased: bool = False
    raw: bool = False
    in_order: bool = False
    assigned: Callable[[Topic, int], Awaitable[None]] | None = None
    awaited: bool = False
    waits: Callable[[], int] = none_waiting
    late: Callable[[float, float], None] | None = None
    step_many: StepMany | None = None
    together_max: int = 64


@dataclass(frozen=True, slots=True)
class WorkerGroup:
    """Agents that share a worker process because they wait for the same thing; group ids belong to lanes.

    ``pace_s``: under load the log is read this often at most, so that many events share a wake-up; the first one after a rest never waits.
    A poll that brought nothing but ``unhurried`` topics' records, for which nobody waits, is followed by a pause of ``unhurried_pace_s``.
    ``poll_max``: events taken at once; fewer where somebody waits for one of them while machines send many.
    """

    name: str
    agents: tuple[Agent, ...]
    open: Callable[[], Awaitable[None]]
    close: Callable[[], Awaitable[None]]
    pace_s: float = 0.0
    poll_max: int = 500
    unhurried: tuple[Topic, ...] = ()
    unhurried_pace_s: float = 0.0
