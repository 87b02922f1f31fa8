"""How fast agents work when they have work: what a lag is divided by to become a time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp

from streams.agent import Agent
from streams.deaths import Partition
from streams.watchdog import Position

EVENTS_MIN, FIRST_S = 5, 1.0  # so few events in more than so long are a start, not a pace
MEMORY_S = 30.0  # of work: what came before counts for a third


class Pace:
    """Events per second of work. Time without work says nothing and does not count, so that the first moments of a rush are not taken for
    slowness, and the pace of an hour ago holds after an idle one.
    """

    def __init__(self) -> None:
        self._events = self._busy_s = 0.0
        self._seen = 0.0  # events ever
        self._before: tuple[float, float, int, float] | None = None

    def observe(self, events: float, step_s: float, lag: int, now_s: float) -> None:
        """``events`` handled and seconds spent in steps so far, both ever growing; ``lag`` events on the log that are not done now."""
        before, self._before = self._before, (events, step_s, lag, now_s)
        if before is None:
            return
        elapsed_s = now_s - before[3]
        backlog = lag > 0 and before[2] > 0
        busy_s = elapsed_s if backlog else min(elapsed_s, step_s - before[1])
        if busy_s > 0:
            self._seen += events - before[0]
            kept = exp(-busy_s / MEMORY_S)
            self._events = self._events * kept + events - before[0]
            self._busy_s = self._busy_s * kept + busy_s

    @property
    def rate(self) -> float | None:
        """Events per second; None until enough was done to tell: the first seconds of a worker with a backlog go to other things."""
        if self._busy_s <= 0 or (self._seen < EVENTS_MIN and self._busy_s > FIRST_S):
            return None
        return self._events / self._busy_s


class Paces:
    """Of every agent of a lane; and what waits in the topics they read, by their names without the prefix."""

    def __init__(self, agents: Sequence[Agent], prefix: str) -> None:
        self._prefix = prefix
        self._reads = {agent.name: [prefix + topic.name for topic in agent.reads] for agent in agents}
        self._paces = {agent.name: Pace() for agent in agents}
        self._lags: Counter[str] = Counter()

    def observe(self, work: Mapping[str, tuple[float, float]], positions: Mapping[Partition, Position], now_s: float) -> None:
        """``work`` is events handled and seconds spent in steps so far, by agent."""
        self._lags = Counter()
        for (topic, _), position in positions.items():
            self._lags[topic] += position.lag
        for name, topics in self._reads.items():
            events, step_s = work.get(name, (0.0, 0.0))
            self._paces[name].observe(events, step_s, sum(self._lags[topic] for topic in topics), now_s)

    @property
    def lags(self) -> dict[str, int]:
        """Events not done, by topic: of the partitions that are read here."""
        return {topic.removeprefix(self._prefix): lag for topic, lag in self._lags.items()}

    @property
    def rates(self) -> dict[str, float]:
        """Events per second of work, of the agents that ever had any."""
        return {name: round(pace.rate, 3) for name, pace in self._paces.items() if pace.rate is not None}
