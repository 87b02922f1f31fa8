"""Throughput estimates: events per second of an agent while it has work. A lag divided by it is a waiting time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp
from typing import NamedTuple

from streams.runtime.agent import Agent
from streams.runtime.poison import Partition
from streams.runtime.runner import Load
from streams.runtime.watchdog import Position

EVENTS_MIN, FIRST_S = 5, 1.0  # fewer events than this in a longer time are a warm-up, not a throughput
MEMORY_S = 30.0  # of work: what is older counts for about a third
FULL_S_MIN = 3.0  # of work at full concurrency: then the events that ended are counted directly
FULL_EVENTS_MIN = 1.0  # fewer that ended lately say nothing about how fast they end
EVENT_SHARE_MIN = 0.01  # less than this much of an event is too little to divide by


class AgentThroughput:
    """Events per second of work. Time without work does not count, so the beginning of a burst does not look slow, and an estimate stays
    valid over an idle hour. While no event ends, as in an outage, all that is known is that one takes at least as long as that.
    """

    def __init__(self) -> None:
        self._events = self._busy_s = self._step_s = 0.0
        self._full_events = self._full_s = 0.0
        self._seen = 0.0  # events ever
        self._pause_s = 0.0  # of work since an event ended
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
            decay = exp(-elapsed_s / MEMORY_S)
            self._full_events = self._full_events * decay + events - before[0]
            self._full_s = self._full_s * decay + elapsed_s
        backlog = lag > 0 and before[2] > 0
        busy_s = elapsed_s if backlog else min(elapsed_s, step_s - before[1])
        if busy_s > 0:
            self._seen += events - before[0]
            self._pause_s = 0.0 if events > before[0] else self._pause_s + busy_s
            decay = exp(-busy_s / MEMORY_S)
            self._events = self._events * decay + events - before[0]
            self._busy_s = self._busy_s * decay + busy_s
            self._step_s = self._step_s * decay + step_s - before[1]

    @property
    def rate(self) -> float | None:
        """Events per second; None until enough events ended: a worker with a backlog spends its first seconds on other things."""
        if self._busy_s <= 0 or (self._seen < EVENTS_MIN and self._busy_s > FIRST_S):
            return None
        rate = self._events / self._busy_s
        return max(rate, 1 / self._pause_s) if self._pause_s > 0 else rate

    @property
    def full_rate(self) -> float | None:
        """Events per second while events had to wait, up to now; None when none wait, or not for long enough, or hardly any ended."""
        is_known = self._full_s >= FULL_S_MIN and self._full_events >= FULL_EVENTS_MIN
        return self._full_events / self._full_s if is_known else None

    @property
    def mean_s(self) -> float | None:
        """How long one event took lately, in seconds; None when that is not known."""
        return self._step_s / self._events if self._events > EVENT_SHARE_MIN and self._step_s > 0 else None


class AgentQueue(NamedTuple):
    """Of one agent: events in work or about to be, and events that must wait until one of those ends."""

    working: int
    waiting: int

    @classmethod
    def from_loads(cls, partitions: Sequence[tuple[int, Load]]) -> "AgentQueue":
        """From each partition's lag and load; permits belong to partitions."""
        working = waiting = 0
        for lag, load in partitions:
            unread = max(0, lag - load.running - load.unbegun - load.finished)
            pending = load.unbegun + unread
            working += load.running + min(pending, load.free)
            waiting += max(0, pending - load.free)
        return cls(working, waiting)


class ThroughputEstimator:
    """The throughput of each agent of a worker, the lag of their topics (names without the prefix), and how many events must wait."""

    def __init__(self, agents: Sequence[Agent], prefix: str) -> None:
        self._prefix = prefix
        self._reads = {agent.name: [prefix + topic.name for topic in agent.reads] for agent in agents}
        self._waits = {agent.name: agent.waits for agent in agents}
        self._agents = {agent.name: AgentThroughput() for agent in agents}
        self._lags: Counter[str] = Counter()
        self._queues: dict[str, AgentQueue] = {}

    def observe(
        self,
        work: Mapping[str, tuple[float, float]],
        positions: Mapping[Partition, Position],
        loads: Mapping[str, Mapping[Partition, Load]],
        now_s: float,
    ) -> None:
        """``work``: events handled and seconds spent in steps so far; ``loads``: the load now; both by agent."""
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
            self._agents[name].observe(events, step_s, lag, now_s, waiting.get(name, 0))

    @property
    def lags(self) -> dict[str, int]:
        """Events not done, by topic: of the partitions that are read here."""
        return {topic.removeprefix(self._prefix): lag for topic, lag in self._lags.items()}

    @property
    def rates(self) -> dict[str, float]:
        """Events per second of work, of the agents that ever had any."""
        return {name: _round(throughput.rate) for name, throughput in self._agents.items() if throughput.rate is not None}

    @property
    def waiting(self) -> dict[str, int]:
        """Events that cannot begin, or in their step go on, before another ends, by agent."""
        return {name: queue.waiting + self._waits[name]() for name, queue in self._queues.items()}

    @property
    def speeds(self) -> dict[str, float]:
        """Events per second of the work under way, by agent: unlike ``rates`` it follows how many run at once now. While events wait, those
        that end are counted. Otherwise it is running steps by mean duration (Little's law); steps that wait for a permit are in both.
        """
        speeds = {}
        for name, queue in self._queues.items():
            throughput = self._agents[name]
            if throughput.full_rate:
                speeds[name] = _round(throughput.full_rate)
            elif throughput.mean_s is not None and queue.working:
                speeds[name] = _round(queue.working / throughput.mean_s)
        return speeds


def _round(rate: float) -> float:
    """To four digits, however slow it is: a wait is a number of events divided by it."""
    return float(f"{rate:.4g}")
