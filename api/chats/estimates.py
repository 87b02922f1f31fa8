"""Estimated waits of documents until they are searchable, and of questions until they are answered: the lag divided by the throughput.

Workers report both through Redis, and whose events wait: tenants take turns, so what counts is how many go before this tenant's, not what
another one has queued. Without a measurement, or without a worker, an estimate is None: unknown is not "long".
"""

import asyncio
import math
from collections import Counter
from typing import NamedTuple

from adapters.fairness import Weight, equal_weight
from adapters.redis.client import RedisClient
from api.http.recent import Recent
from domain.documents.lanes import Lanes
from domain.documents.topics import DOCUMENTS_CHUNKED, DOCUMENTS_EMBEDDED, DOCUMENTS_SUBMITTED, QUEUE_TOPICS
from schemas.documents import DocumentQueue, State
from schemas.errors import Unavailable
from streams.clock import Clock
from streams.runtime.backlog import Backlog
from streams.runtime.worker_registry import WorkerState, list_workers
from streams.topics import Topic

FRESH_S = 1.0  # one read of the reports serves all requests of a second
STALE_S = 10.0  # older reports are not used: workers that have not reported for so long are gone
TENANTS_MAX = 10_000
WAIT_S_MAX = 604_800.0  # a week: no estimate is longer
RATE_MIN = 1e-6

Hop = tuple[Topic, str]  # a topic with a lag, and the agent that consumes it
DISPATCH_HOP: Hop = (DOCUMENTS_SUBMITTED, "route")
PARSE_HOPS: dict[DocumentQueue, Hop] = {queue: (topic, f"parse_{queue}") for queue, topic in QUEUE_TOPICS.items()}
EMBED_HOP: Hop = (DOCUMENTS_CHUNKED, "embed")
INDEX_HOP: Hop = (DOCUMENTS_EMBEDDED, "index")
OPEN_STATES: tuple[State, ...] = ("queued", "parsing", "embedding")
ANSWERING_AGENTS = ("retrieve", "generate")  # the agents of a question, in order


class QueueEstimate(NamedTuple):
    """The number of waiting questions, and the seconds until all of them are being answered, when that is known."""

    position: int
    wait_s: float | None


class Workload(NamedTuple):
    """The reports of all workers together."""

    lags: dict[str, int]
    rates: dict[str, float]
    waiting: dict[str, int]
    speeds: dict[str, float]
    backlogs: dict[str, Backlog] = {}  # noqa: RUF012 - never changed
    weight: Weight = equal_weight

    @classmethod
    def of(cls, states: list[WorkerState], weight: Weight = equal_weight) -> "Workload":
        """The sums: every worker reads partitions of its own."""
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
        agents = {agent for state in states for agent in state.backlogs}
        backlogs = {agent: Backlog.sum(state.backlogs.get(agent, Backlog()) for state in states) for agent in agents}
        return cls(dict(lags), rates, dict(waiting), speeds, backlogs, weight)

    def before(self, agent: str, waiting: int, tenant: str, *, new: bool) -> int:
        """How many of the ``waiting`` events of an agent have their turn before the tenant's."""
        return self.backlogs.get(agent, Backlog()).turns_before(tenant, waiting, self.weight, new=new)

    def wait_s(self, hops: tuple[Hop, ...], tenant: str = "", *, new: bool = True) -> float | None:
        """Seconds until the tenant's new event, or the ones it has, went through these hops; None when one of them is not reported, or has
        no throughput yet.
        """
        total_s = 0.0
        for topic, agent in hops:
            if topic.name not in self.lags:
                return None
            lag = self.before(agent, self.lags[topic.name], tenant, new=new)
            if lag and agent not in self.rates:
                return None
            total_s += lag / max(self.rates[agent], RATE_MIN) if lag else 0.0
        return _round_wait_s(total_s)

    def queue(self, tenant: str = "", *, new: bool = True) -> QueueEstimate | None:
        """The queue of questions before a new one of the tenant, or up to its last one that waits; None without reports of the agents."""
        if any(agent not in self.waiting for agent in ANSWERING_AGENTS):
            return None
        total_s: float | None = 0.0
        position = 0
        for agent in ANSWERING_AGENTS:
            before = self.before(agent, self.waiting[agent], tenant, new=new)
            position += before
            if before and total_s is not None:
                speed = self.speeds.get(agent) or self.rates.get(agent)
                total_s = None if speed is None else total_s + before / max(speed, RATE_MIN)
        return QueueEstimate(position, None if total_s is None else _round_wait_s(total_s))


def _round_wait_s(seconds: float) -> float:
    return min(math.ceil(seconds * 10) / 10, WAIT_S_MAX)


class Estimates:
    """Estimates from reports of the last second, or of the last request. While Redis is down they are None and nothing is refused."""

    def __init__(
        self,
        redis: RedisClient,
        prefix: str,
        clock: Clock,
        wait_s_max: float,
        chat_wait_s_max: float = WAIT_S_MAX,
        weight: Weight = equal_weight,
    ) -> None:
        self._redis, self._prefix, self._wait_s_max, self._chat_wait_s_max = redis, prefix, wait_s_max, chat_wait_s_max
        self._weight = weight
        self._lanes = Lanes(redis, prefix, 0.0, clock.monotonic_s)
        self._reports: Recent[str, Workload] = Recent(1, clock.monotonic_s)
        self._looking: asyncio.Task[Workload] | None = None
        self._queues: Recent[str, DocumentQueue] = Recent(TENANTS_MAX, clock.monotonic_s)

    async def new_document_wait_s(self, tenant: str) -> float | None:
        """Seconds until a document that ``tenant`` submits now is searchable.

        Raises Unavailable("overloaded"), with the time to retry after, when that exceeds the bound for documents.
        """
        report = await self._workload()
        queue = await self._next_queue(tenant)
        wait_s = report.wait_s((DISPATCH_HOP, PARSE_HOPS[queue], EMBED_HOP, INDEX_HOP), tenant)
        if wait_s is not None and wait_s > self._wait_s_max:
            raise Unavailable("overloaded", f"a new document would wait {wait_s:.0f} s", retry_after_s=wait_s - self._wait_s_max)
        return wait_s

    async def open_document_wait_s(self, tenant: str, queue: DocumentQueue, state: State) -> float | None:
        """Seconds until a document in ``state`` is searchable; None when it has ended."""
        if state not in OPEN_STATES:
            return None
        report = await self._workload()
        return report.wait_s((PARSE_HOPS[queue], EMBED_HOP, INDEX_HOP) if state == "queued" else (EMBED_HOP, INDEX_HOP), tenant, new=False)

    async def new_question_queue(self, tenant: str) -> QueueEstimate | None:
        """The queue before a question that the tenant asks now; None when it is unknown.

        Raises Unavailable("overloaded"), with the time to retry after, when the wait exceeds the bound for questions.
        """
        queue = (await self._workload()).queue(tenant)
        if queue is not None and queue.wait_s is not None and queue.wait_s > self._chat_wait_s_max:
            detail = f"{queue.position} questions wait, about {queue.wait_s:.0f} s"
            raise Unavailable("overloaded", detail, retry_after_s=queue.wait_s - self._chat_wait_s_max)
        return queue

    async def question_queue(self, tenant: str) -> QueueEstimate | None:
        """The queue up to the newest question of the tenant; None when it is unknown."""
        return (await self._workload()).queue(tenant, new=False)

    async def stop(self) -> None:
        """Cancel a read of the reports in progress."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))

    async def _workload(self) -> Workload:
        """Waits only without any report: a question must not take longer because a report has just expired."""
        known = self._reports.get("", FRESH_S)
        if known is not None:
            return known
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._refresh(), name="estimates")
        stale = self._reports.get("", STALE_S)
        return stale if stale is not None else await asyncio.shield(self._looking)

    async def _refresh(self) -> Workload:
        try:
            report = Workload.of(await list_workers(self._redis, self._prefix), self._weight)
        except Unavailable:
            report = Workload.of([])
        self._reports.put("", report)
        return report

    async def _next_queue(self, tenant: str) -> DocumentQueue:
        known = self._queues.get(tenant, FRESH_S)
        if known is None:
            try:
                known = await self._lanes.next_queue(tenant)
            except Unavailable:
                known = "express"
            self._queues.put(tenant, known)
        return known
