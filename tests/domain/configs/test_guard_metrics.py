"""What a guard reads of a process's metrics: histograms, ratios and rates of counters, gauges, by label."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from domain.configs.guard_metrics import GuardMetrics, is_exposed
from domain.configs.stages import Totals
from schemas.configs import MetricSelector, StageGuard


def selector(name: str, **labels: str) -> MetricSelector:
    return MetricSelector(name=name, labels=labels)


def test_each_kind_of_metric_adds_up_by_label() -> None:
    registry, other = CollectorRegistry(), CollectorRegistry()
    steps = Histogram("steps_seconds", ".", ("agent",), registry=registry)
    events = Counter("events", ".", ("agent", "outcome"), registry=other)
    depth = Gauge("depth", ".", registry=registry)
    metrics = GuardMetrics((registry, other))
    assert metrics.names(0) == ("depth", "events_total", "steps_seconds")
    assert metrics.totals("key", StageGuard(metric=selector("steps_seconds"), threshold=1), 0) == Totals()  # there is nothing yet
    for agent, seconds in (("a", 1.0), ("a", 2.0), ("b", 9.0)):
        steps.labels(agent).observe(seconds)
    events.labels("a", "handled").inc(8)
    events.labels("a", "failed").inc(2)

    def read(now_s: float, name: str, per: MetricSelector | None = None, **labels: str) -> Totals | None:
        return metrics.totals("key", StageGuard(metric=selector(name, **labels), per=per, threshold=1), now_s)

    assert read(0, "steps_seconds", agent="a") == Totals(total=3, weight=2, observations=2)
    assert read(0, "steps_seconds") == Totals(total=12, weight=3, observations=3)
    assert read(0, "events", selector("events_total"), outcome="failed") == Totals(total=2, weight=10, observations=10)
    assert read(4, "events_total", outcome="failed") == Totals(total=2, weight=4, observations=2)
    assert read(0, "none") is None
    for value in (3, 5):
        depth.set(value)
        last = read(value, "depth")
    assert last == Totals(total=8, weight=2, observations=2)
    Gauge("new", ".", registry=registry)
    assert ("new" in metrics.names(29), "new" in metrics.names(31)) == (False, True)
    assert (is_exposed("events", metrics.names(31)), is_exposed("event", metrics.names(31))) == (True, False)
