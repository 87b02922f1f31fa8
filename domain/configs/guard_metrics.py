"""The metrics of a process as the guards of staged changes read them."""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Metric

from domain.configs.stages import Totals
from schemas.configs import MetricSelector, StageGuard

NAMES_S = 30.0  # between two looks at which metrics there are
NAMES_MAX = 500


class GuardMetrics:
    """Reads the registries that ``/metrics`` of the process shows. One that is nobody's guard costs nothing."""

    def __init__(self, registries: Sequence[CollectorRegistry]) -> None:
        self._registries = registries
        self._names: tuple[str, ...] = ()
        self._named_s: float | None = None
        self._started_s: float | None = None
        self._gauges: dict[str, tuple[StageGuard, Totals]] = {}  # by key

    def names(self, now_s: float) -> tuple[str, ...]:
        """The metrics of the process, as ``/metrics`` names them without ``_sum``, ``_count`` and ``_bucket``; at most 30 s old."""
        if self._named_s is None or now_s - self._named_s >= NAMES_S:
            families = (family for registry in self._registries for family in registry.collect())
            self._names, self._named_s = tuple(sorted({metric_name(family) for family in families})[:NAMES_MAX]), now_s
        return self._names

    def totals(self, key: str, guard: StageGuard, now_s: float) -> Totals | None:
        """What the guard's metric has added up to so far; None when the process does not expose it. A gauge counts when it is read."""
        self._started_s = now_s if self._started_s is None else self._started_s
        family = self._find(guard.metric.name)
        if family is None:
            return None
        if family.type in ("histogram", "summary"):
            count = self._sum(family, "_count", guard.metric)
            return Totals(total=self._sum(family, "_sum", guard.metric), weight=count, observations=count)
        if family.type != "counter":
            known = self._gauges.get(key)
            before = known[1] if known is not None and known[0] == guard else Totals()
            now = before + Totals(total=self._sum(family, "", guard.metric), weight=1, observations=1)
            self._gauges[key] = (guard, now)
            return now
        grown = self._sum(family, "_total", guard.metric)
        if guard.per is None:
            return Totals(total=grown, weight=now_s - self._started_s, observations=grown)
        whole = self._find(guard.per.name)
        weight = 0.0 if whole is None else self._sum(whole, "_count" if whole.type == "histogram" else "_total", guard.per)
        return Totals(total=grown, weight=weight, observations=weight)

    def _find(self, name: str) -> Metric | None:
        """All registries are collected whole: a restricted one leaves out what has no series yet, and so the beginning of it."""
        families = (family for registry in self._registries for family in registry.collect())
        return next((family for family in families if is_exposed(name, (metric_name(family),))), None)

    def _sum(self, family: Metric, suffix: str, selector: MetricSelector) -> float:
        name, wanted = family.name + suffix, selector.labels.items()
        return sum(sample.value for sample in family.samples if sample.name == name and wanted <= sample.labels.items())


def metric_name(family: Metric) -> str:
    """As ``/metrics`` names it: counters end with ``_total``."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def is_exposed(name: str, names: Iterable[str]) -> bool:
    """Whether a metric is among those that a process exposes, with ``_total`` or without."""
    return not {name, f"{name}_total"}.isdisjoint(names)
