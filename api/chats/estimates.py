"""How long a document waits until it is searchable, and a question until it is being answered: what lies before it, divided by how fast
that is worked.

Workers report both through Redis. An estimate of something nobody has measured, or that nobody works, is None: unknown is not "long".
"""

import asyncio
import math
from collections import Counter
from typing import NamedTuple

from adapters.redis.client import RedisClient
from api.http.recent import Recent
from domain.documents.express import Express
from domain.documents.topics import (
    DOCUMENTS_CHUNKED,
    DOCUMENTS_EMBEDDED,
    DOCUMENTS_QUEUED_BULK,
    DOCUMENTS_QUEUED_EXPRESS,
    DOCUMENTS_SUBMITTED,
)
from schemas.documents import Lane, State
from schemas.errors import Unavailable
from streams.clock import Clock
from streams.runtime.worker_registry import WorkerState, list_workers
from streams.topics import Topic

FRESH_S = 1.0  # one look at the reports serves all requests of a second
STALE_S = 10.0  # and what is older than this is taken by nobody: workers that say nothing for so long are gone
TENANTS_MAX = 10_000
WAIT_S_MAX = 604_800.0  # a week: no estimate says more
RATE_MIN = 1e-6

Hop = tuple[Topic, str]  # what waits in a topic, and the agent that works it
DISPATCH_HOP: Hop = (DOCUMENTS_SUBMITTED, "route")
PARSE_HOPS: dict[Lane, Hop] = {"express": (DOCUMENTS_QUEUED_EXPRESS, "parse_express"), "bulk": (DOCUMENTS_QUEUED_BULK, "parse_bulk")}
EMBED_HOP: Hop = (DOCUMENTS_CHUNKED, "embed")
INDEX_HOP: Hop = (DOCUMENTS_EMBEDDED, "index")
OPEN_STATES: tuple[State, ...] = ("queued", "parsing", "embedding")
ANSWERING_AGENTS = ("retrieve", "generate")  # who works a question, in order


class QueueEstimate(NamedTuple):
    """Questions that wait until others have been answered, and seconds until all of them have begun, when that is known."""

    position: int
    wait_s: float | None


class Workload(NamedTuple):
    """What all workers together say."""

    lags: dict[str, int]
    rates: dict[str, float]
    waiting: dict[str, int]
    speeds: dict[str, float]

    @classmethod
    def of(cls, states: list[WorkerState]) -> "Workload":
        """Everything adds up: every worker reads partitions of its own."""
        lags: Counter[str] = Counter()
        rates: dict[str, float] = {}
        waiting: Counter[str] = Counter()
        speeds: dict[str, float] = {}
        for state in states:
            lags.update(state.lags)
            waiting.update(state.waiting)
            for sums, values in ((rates, state.rates), (speeds, state.speeds)):
                for agent, value in values.items():
                    sums[agent] = sums.get(agent, 0.0) + value
        return cls(dict(lags), rates, dict(waiting), speeds)

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
        return _round_wait_s(total_s)

    @property
    def queue(self) -> QueueEstimate | None:
        """Of questions; None when nobody reports who answers them."""
        if any(agent not in self.waiting for agent in ANSWERING_AGENTS):
            return None
        total_s: float | None = 0.0
        for agent in ANSWERING_AGENTS:
            if self.waiting[agent] and total_s is not None:
                speed = self.speeds.get(agent) or self.rates.get(agent)
                total_s = None if speed is None else total_s + self.waiting[agent] / max(speed, RATE_MIN)
        return QueueEstimate(sum(self.waiting[agent] for agent in ANSWERING_AGENTS), None if total_s is None else _round_wait_s(total_s))


def _round_wait_s(seconds: float) -> float:
    return min(math.ceil(seconds * 10) / 10, WAIT_S_MAX)


class Estimates:
    """A second old, or as old as the question before. With Redis down nothing is known, and nothing refused."""

    def __init__(self, redis: RedisClient, prefix: str, clock: Clock, wait_s_max: float, chat_wait_s_max: float = WAIT_S_MAX) -> None:
        self._redis, self._prefix, self._wait_s_max, self._chat_wait_s_max = redis, prefix, wait_s_max, chat_wait_s_max
        self._express = Express(redis, prefix)
        self._reports: Recent[str, Workload] = Recent(1, clock.monotonic_s)
        self._looking: asyncio.Task[Workload] | None = None
        self._full: Recent[str, bool] = Recent(TENANTS_MAX, clock.monotonic_s)

    async def new_document_wait_s(self, tenant: str) -> float | None:
        """Seconds until a document that ``tenant`` submits now is searchable.

        Raises Unavailable("overloaded") when that is longer than any document should wait; it says when to come back.
        """
        report = await self._workload()
        lane: Lane = "bulk" if await self._is_full(tenant) else "express"
        wait_s = report.wait_s((DISPATCH_HOP, PARSE_HOPS[lane], EMBED_HOP, INDEX_HOP))
        if wait_s is not None and wait_s > self._wait_s_max:
            raise Unavailable("overloaded", f"a new document would wait {wait_s:.0f} s", retry_after_s=wait_s - self._wait_s_max)
        return wait_s

    async def open_document_wait_s(self, lane: Lane, state: State) -> float | None:
        """Seconds until a document that stands at ``state`` is searchable; None when it has ended."""
        if state not in OPEN_STATES:
            return None
        report = await self._workload()
        return report.wait_s((PARSE_HOPS[lane], EMBED_HOP, INDEX_HOP) if state == "queued" else (EMBED_HOP, INDEX_HOP))

    async def new_question_queue(self) -> QueueEstimate | None:
        """What a question that is asked now waits for; None when nobody knows.

        Raises Unavailable("overloaded") when that takes longer than anybody should wait; it says when to come back.
        """
        queue = await self.question_queue()
        if queue is not None and queue.wait_s is not None and queue.wait_s > self._chat_wait_s_max:
            detail = f"{queue.position} questions wait, about {queue.wait_s:.0f} s"
            raise Unavailable("overloaded", detail, retry_after_s=queue.wait_s - self._chat_wait_s_max)
        return queue

    async def question_queue(self) -> QueueEstimate | None:
        """What the newest question waits for; None when nobody knows."""
        return (await self._workload()).queue

    async def stop(self) -> None:
        """End a look at the reports that is under way."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))

    async def _workload(self) -> Workload:
        """Waits only when nothing at all is known: a question must not take longer because a second is over."""
        known = self._reports.get("", FRESH_S)
        if known is not None:
            return known
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._refresh(), name="estimates")
        stale = self._reports.get("", STALE_S)
        return stale if stale is not None else await asyncio.shield(self._looking)

    async def _refresh(self) -> Workload:
        try:
            report = Workload.of(await list_workers(self._redis, self._prefix))
        except Unavailable:
            report = Workload.of([])
        self._reports.put("", report)
        return report

    async def _is_full(self, tenant: str) -> bool:
        known = self._full.get(tenant, FRESH_S)
        if known is None:
            try:
                known = await self._express.is_full(tenant)
            except Unavailable:
                known = False
            self._full.put(tenant, known)
        return known
