"""What a lane counts and times. One instance per worker, on a registry of its own that ``/metrics`` shows beside the process's."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

STEP_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180)
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
        self.fallbacks = Counter("claw_lane_fallbacks", "Times a lane went on without Redis.", ("part",), registry=registry)
        self.leases_lost = Counter("claw_lane_leases_lost", "Leases that somebody else took.", ("agent",), registry=registry)
        self.rebalances = Counter("claw_lane_rebalances", "Assignments received.", registry=registry)
        self.assigned = Gauge("claw_lane_assigned_partitions", "Partitions this worker reads.", registry=registry)
        self.lag = Gauge("claw_lane_lag_events", "Events not acknowledged.", ("topic", "partition"), registry=registry)
        self.oldest_s = Gauge("claw_lane_oldest_unacknowledged_seconds", "Age of the oldest event in hand.", registry=registry)

    def work(self) -> dict[str, tuple[float, float]]:
        """Events that left each agent, and the seconds its steps took, so far."""
        events, seconds = _totals(self.events, "_total"), _totals(self.step_s, "_sum")
        return {agent: (events.get(agent, 0.0), seconds.get(agent, 0.0)) for agent in events.keys() | seconds.keys()}


def _totals(metric: Counter | Histogram, suffix: str) -> dict[str, float]:
    """The samples of one kind, summed by agent."""
    totals: dict[str, float] = {}
    for family in metric.collect():
        for sample in family.samples:
            if sample.name.endswith(suffix):
                totals[sample.labels["agent"]] = totals.get(sample.labels["agent"], 0.0) + sample.value
    return totals
