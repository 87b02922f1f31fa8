"""Metrics of a worker, on a registry of its own that ``/metrics`` shows beside the process's; and the observer that feeds the agents'."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.log.delivery import Delivery
from streams.runtime.backlog import Backlog
from streams.runtime.hooks import DEAD_LETTERED, HANDLED, POSTPONED, SUPERSEDED, TOMBSTONE, StepObserver

STEP_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)
COUNTED_OUTCOMES = frozenset((HANDLED, TOMBSTONE, DEAD_LETTERED, POSTPONED, SUPERSEDED))  # the others are read or begun again
WAIT_BUCKETS_S = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120)


class WorkerMetrics:
    """Labels are bounded: agents, outcomes, topics and partitions, never ids."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.events = Counter("claw_agent_events", "Events that left an agent.", ("agent", "outcome"), registry=registry)
        self.retries = Counter("claw_agent_retries", "Repeats in place.", ("agent", "cause"), registry=registry)
        self.step_s = Histogram("claw_agent_step_seconds", "One run of a step.", ("agent",), registry=registry, buckets=STEP_BUCKETS_S)
        self.wait_s = Histogram(
            "claw_agent_queue_wait_seconds", "From read to started.", ("agent",), registry=registry, buckets=WAIT_BUCKETS_S
        )
        self.in_flight = Gauge("claw_agent_in_flight_events", "Steps running now.", ("agent",), registry=registry)
        self.fallbacks = Counter("claw_lane_fallbacks", "Times a worker went on without Redis.", ("part",), registry=registry)
        self.leases_lost = Counter("claw_lane_leases_lost", "Leases that another worker took.", ("agent",), registry=registry)
        self.observer_errors = Counter("claw_agent_observer_errors", "Errors of step observers.", ("observer",), registry=registry)
        self.rebalances = Counter("claw_lane_rebalances", "Assignments received.", registry=registry)
        self.assigned = Gauge("claw_lane_assigned_partitions", "Partitions this worker reads.", registry=registry)
        self.lag = Gauge("claw_lane_lag_events", "Events not acknowledged.", ("topic", "partition"), registry=registry)
        self.oldest_s = Gauge("claw_lane_oldest_unacknowledged_seconds", "Age of the oldest event in hand.", registry=registry)

        self.backlog = Gauge(
            "claw_agent_backlog_events",
            "Events read and not done, of the tenant with the most and of all others.",
            ("agent", "tenants"),
            registry=registry,
        )
        self.backlog_tenants = Gauge("claw_agent_backlog_tenants", "Tenants with events read and not done.", ("agent",), registry=registry)

    def set_backlog(self, agent: str, backlog: Backlog) -> None:
        """Whose events an agent has read and not done, without names."""
        most = max(backlog.tenants.values(), default=0)
        self.backlog.labels(agent, "busiest").set(most)
        self.backlog.labels(agent, "others").set(sum(backlog.tenants.values()) + backlog.others - most)
        self.backlog_tenants.labels(agent).set(len(backlog.tenants) + backlog.others_count)

    def count_observer_error(self, observer: str) -> None:
        """Of ``StepHooks``."""
        self.observer_errors.labels(observer).inc()

    def work(self) -> dict[str, tuple[float, float]]:
        """Events that left each agent, and the seconds its steps took, so far."""
        events, seconds = _totals(self.events, "_total"), _totals(self.step_s, "_sum")
        return {agent: (events.get(agent, 0.0), seconds.get(agent, 0.0)) for agent in events.keys() | seconds.keys()}


class StepMetrics(StepObserver):
    """Feeds the metrics of agents. The series of an agent appear when its first event begins."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._series: dict[str, _AgentSeries] = {}

    def on_begun(self, agent: str, delivery: Delivery, waited_s: float) -> None:  # noqa: ARG002
        """Queue wait and steps in flight."""
        series = self._series.get(agent)
        if series is None:
            series = self._series[agent] = _AgentSeries(self._metrics, agent)
        series.wait_s.observe(waited_s)
        series.in_flight.inc()

    def on_run(self, agent: str, duration_s: float) -> None:
        """Duration of one run."""
        self._series[agent].step_s.observe(duration_s)

    def on_repeated(self, agent: str, cause: str, error: BaseException, tries: int) -> None:  # noqa: ARG002
        """Repeats by cause."""
        self._metrics.retries.labels(agent, cause).inc()

    def on_done(self, agent: str, delivery: Delivery, outcome: str, duration_s: float) -> None:  # noqa: ARG002
        """Events by outcome."""
        series = self._series[agent]
        series.in_flight.dec()
        if outcome == HANDLED:
            series.handled.inc()
        elif outcome in COUNTED_OUTCOMES:
            self._metrics.events.labels(agent, outcome).inc()


class _AgentSeries:
    """One agent's children of the labelled metrics: a look-up by label per event would cost more than the observation."""

    def __init__(self, metrics: WorkerMetrics, agent: str) -> None:
        self.wait_s, self.step_s = metrics.wait_s.labels(agent), metrics.step_s.labels(agent)
        self.in_flight, self.handled = metrics.in_flight.labels(agent), metrics.events.labels(agent, HANDLED)


def _totals(metric: Counter | Histogram, suffix: str) -> dict[str, float]:
    """The samples of one kind, summed by agent."""
    totals: dict[str, float] = {}
    for family in metric.collect():
        for sample in family.samples:
            if sample.name.endswith(suffix):
                totals[sample.labels["agent"]] = totals.get(sample.labels["agent"], 0.0) + sample.value
    return totals
