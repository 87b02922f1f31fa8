"""Looks after index plans: every one that is not at rest has a worker that drives it to its end.

All there is to do stands in the plan on the log, so any worker goes on with it after any death; a lease keeps two from doing it at once.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from adapters.redis.client import RedisClient
from domain.areas import TOPICS
from domain.documents.topics import DOCUMENTS_SUBMITTED
from domain.documents.visibility import Visibility
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.plans import PlanWriter
from domain.indexes.reindex import Reindex, ReindexPorts
from domain.indexes.reindex_reports import RENEW_S, ReindexReports
from domain.read_models import ReadModels
from domain.retrieval.index_client import IndexClient
from schemas.errors import ClawError, Unavailable
from schemas.indexes import IndexPlan, plan_key
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.log.publisher import KafkaPublisher
from streams.log.range_reader import RangeReader
from streams.tables.record_writer import RecordWriter

BUILDS_MAX = 2  # knowledge bases at once in one process; the next ones wait
LOOK_S = 2.0  # between looks for a plan whose driver died
AFTER_FAILURE_S = 5.0

log = structlog.get_logger(__name__)


class Connection(Protocol):
    """What is opened with the first plan, and not before: an installation at rest pays nothing for it."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def reindexer(settings: Settings, redis: RedisClient, shelves: CollectionCatalogue) -> "Reindexer":
    """The one of this process; ``shelves`` is started and stopped by its owner."""
    clock, prefix = SystemClock(), settings.redis.key_prefix
    publisher, views = KafkaPublisher(settings.kafka, TOPICS), ReadModels(redis, prefix)
    inquiries = IndexClient(settings.kafka, publisher, clock)
    parts = ReindexPorts(
        kafka=settings.kafka,
        shelves=shelves,
        plans=PlanWriter(shelves, RecordWriter(redis, prefix, publisher, views, clock), publisher, clock, secrets.token_bytes, "rebuild"),
        rebuilds=ReindexReports(redis, prefix),
        visibility=Visibility(redis, prefix),
        views=views,
        log=publisher,
        inquiries=inquiries,
        gaps=RangeReader(settings.kafka, DOCUMENTS_SUBMITTED),
        clock=clock,
        random_bytes=secrets.token_bytes,
    )
    return Reindexer(parts, secrets.token_hex(8), (publisher, inquiries))


def needs_work(plan: IndexPlan) -> bool:
    """Whether something is left to do by itself."""
    return plan.state in ("building", "dropping") or (plan.state == "kept" and not plan.keep)


@dataclass(slots=True)
class Reindexer:
    """One per ``tables`` worker; ``holder`` is its name on leases."""

    parts: ReindexPorts
    holder: str
    connections: Sequence[Connection] = ()
    _watching: asyncio.Task[None] | None = None
    _driving: dict[str, asyncio.Task[None]] = field(default_factory=dict)  # by plan key
    _connected: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look after plans from now on; returns at once."""
        self._watching = asyncio.create_task(self._watch(), name="rebuilder")

    async def stop(self) -> None:
        """Leave off where it is: somebody else goes on."""
        tasks = [task for task in (self._watching, *self._driving.values()) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._watching, self._driving = None, {}
        if self._connected is not None:
            await asyncio.wait((self._connected,))
            for connection in reversed(self.connections):
                await connection.stop()
            self._connected = None

    async def _watch(self) -> None:
        changes = -1
        while True:
            for key, task in list(self._driving.items()):
                if task.done():
                    del self._driving[key]
                    if not task.cancelled() and (error := task.exception()) is not None:
                        log.error("rebuild_driver_failed", plan=key, exc_info=error)
            for plan in self.parts.shelves.plans():
                key = plan_key(plan.tenant, plan.knowledge_base_id)
                if needs_work(plan) and key not in self._driving and len(self._driving) < BUILDS_MAX:
                    self._driving[key] = asyncio.create_task(self._run_plan(plan.tenant, plan.knowledge_base_id), name=f"rebuild-{key}")
            changes = await self.parts.shelves.wait_change(changes, LOOK_S)

    async def _run_plan(self, tenant: str, knowledge_base: str) -> None:
        """As long as something is left to do and the lease is ours."""
        try:
            async with self._lease(tenant, knowledge_base) as held:
                while held and needs_work(plan := self.parts.shelves.plan(tenant, knowledge_base)):
                    self._connected = self._connected or asyncio.create_task(self._connect(), name="rebuild-connections")
                    await asyncio.shield(self._connected)
                    log.info("rebuild_driven", plan=plan_key(tenant, knowledge_base), state=plan.state, revision=plan.revision)
                    await Reindex(self.parts, plan).run()
        except ClawError as error:
            log.warning("rebuild_interrupted", plan=plan_key(tenant, knowledge_base), code=error.code, detail=error.detail)
            await asyncio.sleep(AFTER_FAILURE_S)

    async def _connect(self) -> None:
        for connection in self.connections:
            await connection.start()

    @contextlib.asynccontextmanager
    async def _lease(self, tenant: str, knowledge_base: str) -> AsyncIterator[bool]:
        """True while nobody else drives this plan; whoever loses the lease is cancelled."""
        rebuilds, driver = self.parts.rebuilds, asyncio.current_task()
        assert driver is not None
        if not await rebuilds.acquire_lease(tenant, knowledge_base, self.holder):
            yield False
            return

        async def renew() -> None:
            while True:
                await asyncio.sleep(RENEW_S)
                with contextlib.suppress(Unavailable):  # nobody else can take it either
                    if not await rebuilds.acquire_lease(tenant, knowledge_base, self.holder):
                        driver.cancel()
                        return

        renewing = asyncio.create_task(renew(), name="rebuild-lease")
        try:
            yield True
        finally:
            renewing.cancel()
            with contextlib.suppress(Unavailable):
                await rebuilds.release_lease(tenant, knowledge_base, self.holder)
