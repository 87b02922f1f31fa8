"""The rebuild of all tables in Redis from the log, and the epoch that says that they are whole again (``streams/tables/epoch.py``).

State that exists only in Redis is not restored; docs/operations.md describes the effects of its loss.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from adapters.kafka import TopicPartition
from adapters.redis.client import RedisClient, connect
from adapters.redis.lease import release_lease, renew_lease, take_lease
from domain.areas import rebuilds
from domain.configs.table_epoch import make_epoch
from domain.limits.decisions import DecisionCounters
from domain.limits.topics import LIMITS_DECIDED
from domain.read_models import ReadModels
from domain.statistics.settings import StatisticsSettings
from domain.statistics.table import StatisticsTable
from domain.usage.counters import usage_counter
from domain.usage.topics import USAGE_RECORDED
from schemas.errors import TABLES_LOST, ClawError, Unavailable
from schemas.settings import Settings
from streams.log.reader import open_log_reader, read_group_offsets
from streams.tables.epoch import EpochLog, StoredEpoch, TableWatch
from streams.tables.rebuild import RebuildPorts, RebuildResult

WORKER_GROUP = "tables"  # of the counters
LEASE_S = 30.0  # of whoever rebuilds, renewed at a third of it: another process takes over so long after a death
WAIT_S = 1.0  # between two looks whether the rebuild of another process has ended
RETRY_S = 5.0  # after a rebuild that failed

Report = Callable[[str, RebuildResult, float], None]  # table, result, seconds

log = structlog.get_logger(__name__)


async def rebuild_tables(settings: Settings, redis: RedisClient, names: Sequence[str], report: Report) -> None:
    """Rebuild these tables, one after the other, while the installation serves. ``redis`` is not held back. Raises Unavailable."""
    tables = rebuilds()
    async with open_log_reader(settings.kafka) as reader:
        ports = RebuildPorts(settings, redis, reader, ReadModels(redis, settings.redis.key_prefix))
        for name in names:
            began = time.monotonic()
            report(name, await tables[name](ports), time.monotonic() - began)


async def rebuild_all(settings: Settings, redis: RedisClient, recorded: EpochLog, report: Report) -> None:
    """Rebuild every table; lost ones count as whole then, under a new epoch. Waits for another process that is at it.

    Raises Unavailable, also when Redis loses what was built.
    """
    stored = StoredEpoch(redis, settings.redis.key_prefix)
    async with _hold_lease(redis, stored.lease) as holder:
        epoch = await stored.read()
        is_whole = bool(epoch) and epoch == await recorded.read()
        await rebuild_tables(settings, redis, tuple(rebuilds()), report)
        if is_whole:
            return
        epoch = make_epoch()
        await recorded.write(epoch)  # first: a death in between leaves tables that count as lost
        if not await stored.renew(epoch, holder):
            raise Unavailable(TABLES_LOST, "Redis lost what was rebuilt, or this process was suspended for too long")
    log.info("table_epoch_begun", epoch=epoch)


@asynccontextmanager
async def _hold_lease(redis: RedisClient, lease: str) -> AsyncIterator[str]:
    """The lease of the rebuild, renewed until the block ends."""
    holder = secrets.token_hex(16)
    while True:
        if await take_lease(redis, lease, holder, LEASE_S) == holder:
            break
        await asyncio.sleep(WAIT_S)

    async def renew() -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            with suppress(Unavailable):
                await renew_lease(redis, lease, holder, LEASE_S)

    renewing = asyncio.create_task(renew(), name="table-rebuild-lease")
    try:
        yield holder
    finally:
        renewing.cancel()
        await asyncio.wait((renewing,))
        with suppress(Unavailable):
            await release_lease(redis, lease, holder)


async def find_setback(settings: Settings, redis: RedisClient) -> str:
    """A counter whose mark is below what its worker group has committed, in words; "" for none. Raises Unavailable.

    A mark moves before the commit, so a Redis with a lower one is older than the commit, and its record tables are as old as its counters.
    Statistics that have counted nothing yet came with an update, or were switched on. Call it before the counters catch up.
    """
    committed = await read_group_offsets(settings.kafka, (WORKER_GROUP,))
    prefix, kafka = settings.redis.key_prefix, settings.kafka
    decisions = DecisionCounters(redis, prefix, LIMITS_DECIDED.partitions(kafka))
    statistics = StatisticsTable(redis, settings).sources if settings.of(StatisticsSettings).counted else ()
    begun = [source for source in statistics if any([await source.counter.mark(n) >= 0 for n in range(source.counter.partitions)])]
    for topic, counter in (
        (USAGE_RECORDED, usage_counter(redis, prefix, USAGE_RECORDED.partitions(kafka))),
        (LIMITS_DECIDED, decisions.minutes),
        (LIMITS_DECIDED, decisions.hours),
        *((source.topic, source.counter) for source in begun),
    ):
        for partition in range(counter.partitions):
            offset = committed.get(TopicPartition(kafka.topic_prefix + topic.name, partition), 0)
            mark = await counter.mark(partition)
            if mark < offset - 1:
                return f"{counter.name} of partition {partition} ends at {mark}, and {offset - 1} was counted"
    return ""


class SetbackCheck:
    """Looks once, at the start of a ``tables`` worker, whether Redis went back in time while no process watched it: then it has lost the
    tables. Starts after the watch, and before the counters.
    """

    def __init__(self, settings: Settings, watch: TableWatch) -> None:
        self._settings, self._watch = settings, watch

    async def start(self) -> None:
        """With Redis or the log away nothing is found."""
        if self._watch.state != "whole":
            return
        redis = connect(self._settings.redis)
        try:
            found = await find_setback(self._settings, redis)
            if found:
                log.error("tables_set_back", reason=found)
                await self._watch.stored.discard()
                await self._watch.check()
        except Unavailable as error:
            log.warning("table_marks_unknown", error=f"{error.code}: {error.detail}")
        finally:
            await redis.aclose()

    async def stop(self) -> None:
        """Nothing is left to stop."""


class TableRebuilder:
    """Rebuilds the tables by itself once the watch finds them lost. One per ``tables`` worker."""

    def __init__(self, settings: Settings, watch: TableWatch, recorded: EpochLog) -> None:
        self._settings, self._watch, self._recorded = settings, watch, recorded
        self._redis = connect(settings.redis)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to wait for a loss; returns at once."""
        self._task = asyncio.create_task(self._run(), name="table-rebuilder")

    async def stop(self) -> None:
        """Stop where it is; another worker, or the next one, begins again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None
        await self._redis.aclose()

    async def _run(self) -> None:
        while True:
            await self._watch.wait_for("lost")
            try:
                await self._rebuild()
            except ClawError as error:
                log.warning("table_rebuild_put_off", error=f"{error.code}: {error.detail}", again_in_s=RETRY_S)
                await asyncio.sleep(RETRY_S)

    async def _rebuild(self) -> None:
        began = time.monotonic()
        log.warning("table_rebuild_begun")

        def report(table: str, result: RebuildResult, seconds: float) -> None:
            log.info("table_rebuilt", table=table, events=result.events, unreadable=result.unreadable, seconds=round(seconds, 3))

        await rebuild_all(self._settings, self._redis, self._recorded, report)
        log.warning("table_rebuild_ended", seconds=round(time.monotonic() - began, 3))
        await self._watch.check()
