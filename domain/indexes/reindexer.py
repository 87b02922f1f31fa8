"""Runs reindexes: every index plan that is not at rest has a worker that takes its steps.

The state is in the plan on the log, so any worker continues after a crash of another; a lease keeps two from working on one plan.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from adapters.redis.client import RedisClient
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.documents.visibility import Visibility
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.plans import PlanWriter, begin_build, is_outdated, successor
from domain.indexes.reindex import NAME, Reindex, ReindexPorts
from domain.indexes.reindex_reports import RENEW_S, ReindexReports
from domain.indexes.verification import DocumentRecords
from domain.retrieval.index_client import IndexClient
from schemas.errors import ClawError, Unavailable
from schemas.indexes import IndexPlan, plan_key
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.log.publisher import KafkaPublisher
from streams.log.range_reader import RangeReader
from streams.tables.projection import Tables
from streams.tables.record_writer import RecordWriter
from streams.topics import Topic

BUILDS_MAX = 2  # knowledge bases at once in one process; the next ones wait
CHECK_S = 2.0  # between checks for a plan whose worker crashed
AFTER_FAILURE_S = 5.0

log = structlog.get_logger(__name__)


class Connection(Protocol):
    """A connection that is opened with the first plan: an installation without reindexes opens none."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def reindexer(
    settings: Settings, redis: RedisClient, catalogue: CollectionCatalogue, tables: Tables, topics: Sequence[Topic]
) -> "Reindexer":
    """The one of this process; ``catalogue`` is started and stopped by its owner. ``topics``: every topic of the installation."""
    clock, prefix = SystemClock(), settings.redis.key_prefix
    publisher = KafkaPublisher(settings.kafka, topics)
    records = RecordWriter(redis, prefix, publisher, tables, clock)
    index = IndexClient(settings.kafka, publisher, clock)
    ports = ReindexPorts(
        kafka=settings.kafka,
        retrieval=settings.retrieval,
        catalogue=catalogue,
        plans=PlanWriter(catalogue, records, publisher, clock, secrets.token_bytes, "rebuild"),
        reports=ReindexReports(redis, prefix),
        documents=DocumentRecords(Visibility(redis, prefix), tables, RangeReader(settings.kafka, DOCUMENTS_SUBMITTED)),
        publisher=publisher,
        index=index,
        clock=clock,
        random_bytes=secrets.token_bytes,
    )
    return Reindexer(ports, secrets.token_hex(8), (publisher, index))


def needs_work(plan: IndexPlan) -> bool:
    """Whether a step is left that needs no request."""
    return plan.state in ("building", "dropping") or (plan.state == "kept" and not plan.keep)


def needs_update(plan: IndexPlan) -> bool:
    """Whether readers search an outdated index, and nothing else is being done about it."""
    return plan.state == "steady" and is_outdated(plan)


@dataclass(slots=True)
class Reindexer:
    """One per ``tables`` worker; ``holder`` is its name on leases."""

    ports: ReindexPorts
    holder: str
    connections: Sequence[Connection] = ()
    _watch_task: asyncio.Task[None] | None = None
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)  # by plan key
    _connected: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to work on plans; returns at once."""
        self._watch_task = asyncio.create_task(self._watch(), name="rebuilder")

    async def stop(self) -> None:
        """Stop where it is; another worker continues."""
        tasks = [task for task in (self._watch_task, *self._running.values()) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._watch_task, self._running = None, {}
        if self._connected is not None:
            await asyncio.wait((self._connected,))
            for connection in reversed(self.connections):
                await connection.stop()
            self._connected = None

    async def _watch(self) -> None:
        changes = -1
        while True:
            for key, task in list(self._running.items()):
                if task.done():
                    del self._running[key]
                    if not task.cancelled() and (error := task.exception()) is not None:
                        log.error("rebuild_driver_failed", plan=key, exc_info=error)
            for plan in self.ports.catalogue.plans():
                key = plan_key(plan.tenant, plan.knowledge_base_id)
                if self._has_step(plan) and key not in self._running and len(self._running) < BUILDS_MAX:
                    self._running[key] = asyncio.create_task(self._run_plan(plan.tenant, plan.knowledge_base_id), name=f"rebuild-{key}")
            changes = await self.ports.catalogue.wait_change(changes, CHECK_S)

    async def _run_plan(self, tenant: str, knowledge_base: str) -> None:
        """Take the steps of a plan as long as there are any and the lease is held."""
        try:
            async with self._lease(tenant, knowledge_base) as held:
                while held and self._has_step(plan := self.ports.catalogue.plan(tenant, knowledge_base)):
                    self._connected = self._connected or asyncio.create_task(self._connect(), name="rebuild-connections")
                    await asyncio.shield(self._connected)
                    if not needs_work(plan):
                        await self._begin_update(plan)
                        continue
                    log.info("rebuild_driven", plan=plan_key(tenant, knowledge_base), state=plan.state, revision=plan.revision)
                    await Reindex(self.ports, plan).run()
        except ClawError as error:
            log.warning("rebuild_interrupted", plan=plan_key(tenant, knowledge_base), code=error.code, detail=error.detail)
            await asyncio.sleep(AFTER_FAILURE_S)

    def _has_step(self, plan: IndexPlan) -> bool:
        return needs_work(plan) or (needs_update(plan) and self.ports.retrieval.rebuild_automatically)

    async def _begin_update(self, plan: IndexPlan) -> None:
        """Begin to build what an outdated collection is replaced by."""
        step = begin_build(successor(plan), self.ports.retrieval, keep=False, force=False)
        log.info("index_update_begun", plan=plan_key(plan.tenant, plan.knowledge_base_id), index=plan.active.index)
        await self.ports.plans.change(plan.tenant, plan.knowledge_base_id, step, by=NAME)

    async def _connect(self) -> None:
        for connection in self.connections:
            await connection.start()

    @contextlib.asynccontextmanager
    async def _lease(self, tenant: str, knowledge_base: str) -> AsyncIterator[bool]:
        """True when this worker has the lease; the task is cancelled when it loses it."""
        reports, working = self.ports.reports, asyncio.current_task()
        assert working is not None
        if not await reports.acquire_lease(tenant, knowledge_base, self.holder):
            yield False
            return

        async def renew() -> None:
            while True:
                await asyncio.sleep(RENEW_S)
                with contextlib.suppress(Unavailable):  # no other worker can take it either
                    if not await reports.acquire_lease(tenant, knowledge_base, self.holder):
                        working.cancel()
                        return

        renewing = asyncio.create_task(renew(), name="rebuild-lease")
        try:
            yield True
        finally:
            renewing.cancel()
            with contextlib.suppress(Unavailable):
                await reports.release_lease(tenant, knowledge_base, self.holder)
