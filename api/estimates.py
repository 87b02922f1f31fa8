"""How long a document waits until it is searchable: what lies before it, divided by how fast that was worked lately.

Workers report both through Redis. An estimate of something nobody has measured, or that nobody works, is None: unknown is not "long".
"""

import math
from typing import NamedTuple

from adapters.redis import Client
from api.recent import Recent
from schemas.documents import Lane, State
from schemas.errors import Unavailable
from streams.agent import Clock
from streams.express import Express
from streams.topics import (
    DOCUMENTS_CHUNKED,
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_QUEUED_BULK,
    DOCUMENTS_QUEUED_EXPRESS,
    DOCUMENTS_SUBMITTED,
    Topic,
)
from streams.workers import WorkerState, workers

FRESH_S = 1.0  # one look at the reports serves all requests of a second
TENANTS_MAX = 10_000
WAIT_S_MAX = 604_800.0  # a week: no estimate says more
RATE_MIN = 1e-6

Hop = tuple[Topic, str]  # what waits in a topic, and the agent that works it
ROUTED: Hop = (DOCUMENTS_SUBMITTED, "route")
PARSED: dict[Lane, Hop] = {"express": (DOCUMENTS_QUEUED_EXPRESS, "parse_express"), "bulk": (DOCUMENTS_QUEUED_BULK, "parse_bulk")}
EMBEDDED: Hop = (DOCUMENTS_CHUNKED, "embed")
INDEXED: Hop = (DOCUMENTS_EMBEDDED, "index")
OPEN: tuple[State, ...] = ("queued", "parsing", "embedding")


class Report(NamedTuple):
    """What all workers together say."""

    lags: dict[str, int]
    rates: dict[str, float]

    @classmethod
    def of(cls, states: list[WorkerState]) -> "Report":
        """Lags and rates add up: every worker reads partitions of its own."""
        lags: dict[str, int] = {}
        rates: dict[str, float] = {}
        for state in states:
            for topic, lag in state.lags.items():
                lags[topic] = lags.get(topic, 0) + lag
            for agent, rate in state.rates.items():
                rates[agent] = rates.get(agent, 0.0) + rate
        return cls(lags, rates)

    def wait_s(self, hops: tuple[Hop, ...]) -> float | None:
        """Seconds until everything that waits at these hops is done; None when one of them is not reported, or was never at work."""
        total_s = 0.0
        for topic, agent in hops:
            if topic.name not in self.lags:
                return None
            lag = self.lags[topic.name]
            if lag and agent not in self.rates:
                return None
            total_s += lag / max(self.rates[agent], RATE_MIN) if lag else 0.0
        return min(math.ceil(total_s * 10) / 10, WAIT_S_MAX)


class Estimates:
    """At most a second old. With Redis down nothing is known, and nothing refused."""

    def __init__(self, redis: Client, prefix: str, clock: Clock, wait_s_max: float) -> None:
        self._redis, self._prefix, self._wait_s_max = redis, prefix, wait_s_max
        self._express = Express(redis, prefix)
        self._reports: Recent[str, Report] = Recent(1, clock.monotonic_s)
        self._full: Recent[str, bool] = Recent(TENANTS_MAX, clock.monotonic_s)

    async def of_new(self, tenant: str) -> float | None:
        """Seconds until a document that ``tenant`` submits now is searchable.

        Raises Unavailable("overloaded") when that is longer than any document should wait; it says when to come back.
        """
        report = await self._report()
        lane: Lane = "bulk" if await self._is_full(tenant) else "express"
        wait_s = report.wait_s((ROUTED, PARSED[lane], EMBEDDED, INDEXED))
        if wait_s is not None and wait_s > self._wait_s_max:
            raise Unavailable("overloaded", f"a new document would wait {wait_s:.0f} s", retry_after_s=wait_s - self._wait_s_max)
        return wait_s

    async def of_open(self, lane: Lane, state: State) -> float | None:
        """Seconds until a document that stands at ``state`` is searchable; None when it has ended."""
        if state not in OPEN:
            return None
        report = await self._report()
        return report.wait_s((PARSED[lane], EMBEDDED, INDEXED) if state == "queued" else (EMBEDDED, INDEXED))

    async def _report(self) -> Report:
        known = self._reports.get("", FRESH_S)
        if known is None:
            try:
                known = Report.of(await workers(self._redis, self._prefix))
            except Unavailable:
                known = Report.of([])
            self._reports.put("", known)
        return known

    async def _is_full(self, tenant: str) -> bool:
        known = self._full.get(tenant, FRESH_S)
        if known is None:
            try:
                known = await self._express.full(tenant)
            except Unavailable:
                known = False
            self._full.put(tenant, known)
        return known
