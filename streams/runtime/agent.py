"""The contract between a step and the wrapper that runs it.

A step is ``event + ports -> outgoing events``. The wrapper (``streams/runtime/wrapper.py``) decodes, sets the context, calls the hooks,
retries, dead-letters, publishes what the step returns, and acknowledges the event only when all of that is on the log.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import Problem
from streams.clock import Clock
from streams.log.outgoing import LogOffset, Outgoing, Publisher
from streams.topics import Topic


def _do_nothing() -> None:
    """Without a wrapper no deadline is to be reset."""


def none_waiting() -> int:
    """Of an agent whose steps share nothing they wait for."""
    return 0


async def _keep_attempt() -> None:
    """Without a lease there is only one attempt."""


@dataclass(slots=True)
class Context:
    """What a step is given besides its event."""

    place: LogOffset
    attempt: int  # fencing token of a leased agent: every try of the step has a higher one, wherever it runs; else 0
    replayed: bool  # this event was started before, here or elsewhere, and may have had effects
    publisher: Publisher
    clock: Clock
    still_owner: Callable[[], Awaitable[bool]]  # a leased agent checks it before an effect that only the newest attempt may have
    headers: Mapping[str, bytes] = field(default_factory=dict)
    alive: Callable[[], None] = _do_nothing  # a step that waits long for a shared resource calls it now and then: heartbeat of the step
    advance: Callable[[], Awaitable[None]] = _keep_attempt  # a higher attempt, for another try; Superseded when that is another worker's
    held: bool = True  # whether the lease was this worker's from the try before to this one, as far as is known
    notes: Any = None  # what the step keeps for its next try in this process
    since_s: float = 0.0  # start of the step, or its last heartbeat before it first failed: the time limit of retries counts from there


Step = Callable[[Any, Context], Awaitable[Sequence[Outgoing]]]
StepMany = Callable[[Sequence[tuple[Any, Context]]], Awaitable[Sequence[Sequence[Outgoing]]]]
FailureStep = Callable[[Any, Problem, Context], Awaitable[Sequence[Outgoing]]]
PostponeStep = Callable[[Any, Problem, Context], Awaitable[Sequence[Outgoing] | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One agent: which topics, which step, how much at once.

    ``in_flight_max`` bounds the steps that run at once in one partition. ``in_order`` runs a whole partition event by event (counters).
    ``leased`` runs each key under a Redis lease. ``failed`` returns the events to publish when an event is dead-lettered, before the
    offset moves. ``assigned`` is called for each partition this process gets, before any of its events.

    ``postpone`` is asked when something stayed away for longer than the retries last: the events that it returns are published, and see to
    it that the work is tried again later; None leaves the event to fail.

    ``awaited``: a person or program waits for the outcome. Its events are read before others, and an outage of Redis or the index that
    outlasts the retries fails the event; other agents wait until the outage ends.

    ``waits`` returns how many of the running steps only wait for a shared resource, such as a permit of the model; they count as waiting.
    ``late`` is called several times a second with the seconds by which the event loop is late and the number of cores the process uses.

    ``step_many`` does what ``step`` does for up to ``together_max`` events of different keys that were read at once, and returns the
    outgoing events of each. If it raises, nothing counts as done: each event is handled by ``step``. With ``in_order``
    it gets those of each partition in their order, however many there are of one key.

    ``parts``: what it decodes of the events of a topic, instead of all of them: classes with the same tags and the envelope's fields that
    it needs. Text that an agent does nothing with costs it more than the rest.

    ``by_turns``: tenants take turns. It costs a look at the tenant of every event whose key does not begin with it.
    """

    name: str
    reads: tuple[Topic, ...]
    step: Step
    failed: FailureStep | None = None
    postpone: PostponeStep | None = None
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
    by_turns: bool = True
    parts: Mapping[Topic, Any] = field(default_factory=dict)
