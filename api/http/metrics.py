"""Metrics of the API. Labels are routes and codes, never ids, so that their number stays bounded whatever clients send."""

from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from domain.usage.budget import BudgetState
from streams.runtime.status_server import StatusResponse

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
FIRST_TOKEN_SECONDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The collectors of one API process, in a registry of their own (several applications may live in one process)."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter("claw_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry)
        self._seconds = Histogram(
            "claw_http_request_seconds",
            "From the request to the head of its response.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.streams_open = Gauge("claw_streams_open", "Event streams now open.", registry=self.registry)
        self.sockets_open = Gauge("claw_sockets_open", "WebSocket connections now open.", registry=self.registry)
        self.socket_frames = Counter("claw_socket_frames", "Frames of clients that were understood.", ("type",), registry=self.registry)
        self.first_token_seconds = Histogram(
            "claw_reply_first_token_seconds",
            "From a streamed question to the first text of its answer.",
            buckets=FIRST_TOKEN_SECONDS,
            registry=self.registry,
        )
        self.replies = Counter("claw_replies", "Replies relayed to their end.", ("outcome",), registry=self.registry)
        self.refusals = Counter("claw_limit_refusals", "Requests refused by a rate limit.", ("rule",), registry=self.registry)
        self.shadow_refusals = Counter(
            "claw_limit_shadow_refusals", "Requests that a shadow rule would have refused.", ("rule",), registry=self.registry
        )
        self.limits_local = Gauge("claw_limits_local", "1 while limits are decided by this process alone.", registry=self.registry)
        self._budget_used = Gauge(
            "claw_budget_used_ratio", "What is used of a budget of the installation.", ("budget",), registry=self.registry
        )
        self._budget_warning = Gauge(
            "claw_budget_warning", "1 from CLAW_BUDGET_WARNING_PERCENT of a budget on.", ("budget",), registry=self.registry
        )
        self.denials = Counter("claw_limit_denials", "Requests of callers on the deny list.", ("kind",), registry=self.registry)
        self.logins = Counter("claw_logins", "Logins.", ("outcome",), registry=self.registry)
        self.refreshes = Counter("claw_session_refreshes", "Uses of refresh tokens.", ("outcome",), registry=self.registry)
        self.audit_dropped = Counter(
            "claw_audit_dropped", "Refusals that the audit log did not take: too many at once, or Kafka away.", registry=self.registry
        )
        self.feedback = Counter("claw_feedback", "Ratings given to answers, by model.", ("model", "rating"), registry=self.registry)
        self.fallbacks = Counter("claw_redis_fallbacks", "Decisions made without Redis.", ("what",), registry=self.registry)
        self._lookups = Counter(
            "claw_cache_lookups", "Looks into the cache, and what came of them.", ("scenario", "outcome"), registry=self.registry
        )
        self._looked: dict[tuple[str, str], Counter] = {}
        self._labelled: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def count_response(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one response."""
        key = (method, route, status)
        found = self._labelled.get(key)
        if found is None:  # looked up once: `labels` costs more than counting
            found = self._labelled[key] = (self._requests.labels(method, route, str(status)), self._seconds.labels(route))
        found[0].inc()
        found[1].observe(seconds)

    def observe_budget(self, state: BudgetState, warns: bool) -> None:  # noqa: FBT001
        """What a budget was read as."""
        self._budget_used.labels(state.name).set(state.used / state.limit)
        self._budget_warning.labels(state.name).set(float(warns))

    def count_cache_lookup(self, scenario: str, outcome: str) -> None:
        """Count one cache lookup, or its consequence."""
        found = self._looked.get((scenario, outcome))
        if found is None:
            found = self._looked[(scenario, outcome)] = self._lookups.labels(scenario, outcome)
        found.inc()

    def page(self) -> StatusResponse:
        """What Prometheus scrapes."""
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.registry)
