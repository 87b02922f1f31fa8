"""How fast agents work when they have work: what a lag is divided by to become a time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp
from typing import NamedTuple

from streams.runtime.agent import Agent
from streams.runtime.poison import Partition
from streams.runtime.runner import Load
from streams.runtime.watchdog import Position

EVENTS_MIN, FIRST_S = 5, 1.0  # so few events in more than so long are a start, not a pace
MEMORY_S = 30.0  # of work: what came before counts for a third
FULL_S_MIN = 3.0  # of work at full width: then what comes out is known without a sum
EVENT_SHARE_MIN = 0.01  # less than this much of an event is nothing to divide by


class AgentThroughput:
    """Events per second of work. Time without work says nothing and does not count, so that the first moments of a rush are not taken for
    slowness, and the pace of an hour ago holds after an idle one.
    """

    def __init__(self) -> None:
        self._events = self._busy_s = self._step_s = 0.0
        self._full_events = self._full_s = 0.0
        self._seen = 0.0  # events ever
        self._before: tuple[float, float, int, float, int] | None = None

    def observe(self, events: float, step_s: float, lag: int, now_s: float, waiting: int = 0) -> None:
        """``events`` handled and seconds spent in steps so far, both ever growing; ``lag`` events on the log that are not done now, and
        ``waiting`` of them cannot go on before others end.
        """
        before, self._before = self._before, (events, step_s, lag, now_s, waiting)
        if before is None:
            return
        elapsed_s = now_s - before[3]
        if not waiting:
            self._full_events = self._full_s = 0.0
        elif before[4]:
            kept = exp(-elapsed_s / MEMORY_S)
            self._full_events = self._full_events * kept + events - before[0]
            self._full_s = self._full_s * kept + elapsed_s
        backlog = lag > 0 and before[2] > 0
        busy_s = elapsed_s if backlog else min(elapsed_s, step_s - before[1])
        if busy_s > 0:
            self._seen += events - before[0]
            kept = exp(-busy_s / MEMORY_S)
            self._events = self._events * kept + events - before[0]
            self._busy_s = self._busy_s * kept + busy_s
            self._step_s = self._step_s * kept + step_s - before[1]

    @property
    def rate(self) -> float | None:
        """Events per second; None until enough was done to tell: the first seconds of a worker with a backlog go to other things."""
        if self._busy_s <= 0 or (self._seen < EVENTS_MIN and self._busy_s > FIRST_S):
            return None
        return self._events / self._busy_s

    @property
    def full_rate(self) -> float | None:
        """Events per second while some had to wait, up to now; None when none do, or not for long enough."""
        return self._full_events / self._full_s if self._full_s >= FULL_S_MIN else None

    @property
    def mean_s(self) -> float | None:
        """How long one event took lately, in seconds; None when nobody knows."""
        return self._step_s / self._events if self._events > EVENT_SHARE_MIN and self._step_s > 0 else None


class AgentQueue(NamedTuple):
    """Of one agent: events in work or about to be, and events that must wait until one of those ends."""

    working: int
    waiting: int

    @classmethod
    def from_loads(cls, partitions: Sequence[tuple[int, Load]]) -> "AgentQueue":
        """From each partition's lag and what is in hand of it; permits belong to partitions."""
        working = waiting = 0
        for lag, load in partitions:
            unread = max(0, lag - load.running - load.unbegun - load.finished)
            pending = load.unbegun + unread
            working += load.running + min(pending, load.free)
            waiting += max(0, pending - load.free)
        return cls(working, waiting)


class ThroughputEstimator:
    """Of every agent of a lane; what lies in the topics they read, by their names without the prefix; and how much of it must wait."""

    def __init__(self, agents: Sequence[Agent], prefix: str) -> None:
        self._prefix = prefix
        self._reads = {agent.name: [prefix + topic.name for topic in agent.reads] for agent in agents}
        self._waits = {agent.name: agent.waits for agent in agents}
        self._paces = {agent.name: AgentThroughput() for agent in agents}
        self._lags: Counter[str] = Counter()
        self._queues: dict[str, AgentQueue] = {}

    def observe(
        self,
        work: Mapping[str, tuple[float, float]],
        positions: Mapping[Partition, Position],
        loads: Mapping[str, Mapping[Partition, Load]],
        now_s: float,
    ) -> None:
        """``work`` is events handled and seconds spent in steps so far, ``loads`` what is in hand now, both by agent."""
        self._lags = Counter()
        for (topic, _), position in positions.items():
            self._lags[topic] += position.lag
        self._queues = {
            name: AgentQueue.from_loads([(positions[partition].lag, load) for partition, load in held.items() if partition in positions])
            for name, held in loads.items()
        }
        waiting = self.waiting
        for name, topics in self._reads.items():
            events, step_s = work.get(name, (0.0, 0.0))
            lag = sum(self._lags[topic] for topic in topics)
            self._paces[name].observe(events, step_s, lag, now_s, waiting.get(name, 0))

    @property
    def lags(self) -> dict[str, int]:
        """Events not done, by topic: of the partitions that are read here."""
        return {topic.removeprefix(self._prefix): lag for topic, lag in self._lags.items()}

    @property
    def rates(self) -> dict[str, float]:
        """Events per second of work, of the agents that ever had any."""
        return {name: round(pace.rate, 3) for name, pace in self._paces.items() if pace.rate is not None}

    @property
    def waiting(self) -> dict[str, int]:
        """Events that cannot begin, or in their step go on, before another ends, by agent."""
        return {name: queue.waiting + self._waits[name]() for name, queue in self._queues.items()}

    @property
    def speeds(self) -> dict[str, float]:
        """Events per second that the work in hand comes to, by agent: unlike ``rates`` it knows how many are worked at once now. While some
        wait, what comes out is simply counted. Before that it is a quotient; steps that wait for a permit are in both the number and the
        mean, so it stays what comes out (Little's law).
        """
        speeds = {}
        for name, queue in self._queues.items():
            pace = self._paces[name]
            if pace.full_rate:
                speeds[name] = round(pace.full_rate, 3)
            elif pace.mean_s is not None and queue.working:
                speeds[name] = round(queue.working / pace.mean_s, 3)
        return speeds
