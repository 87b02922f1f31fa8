"""Readiness: every part is checked, and those that are down are named."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from adapters.redis.client import RedisClient
from api.http.recent import Recent
from domain.chats.relay import Relay
from domain.chats.topics import CHATS_ASKED
from schemas.errors import TABLES_LOST, Unavailable
from schemas.settings import WORKER_GROUPS
from streams.log.publisher import KafkaPublisher
from streams.runtime.client_watchdog import ClientWatchdog
from streams.runtime.worker_registry import WorkerState, list_workers
from streams.tables.epoch import REMEDY, TableWatch
from streams.tables.epoch import State as TableState

INDEX_GROUP = "knowledge"  # the only one with access to the index
CHECK_S_MAX = 1.9  # all checks together; a probe waits at most 2 s
FRESH_S = 0.25  # probes of several load balancers share one check
RECENT_MAX = 1

State = Literal["up", "degraded", "down", "stuck", "lost", "unknown"]
BEARABLE = frozenset({("redis",), ("tables",)})  # what may be down while running conversations are still answered


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One part; ``lag``: events that are not processed yet. ``degraded``: it works, with the restriction in ``detail``."""

    state: State
    detail: str = ""
    workers: int = 0
    lag: int = 0


class Readiness(Struct, frozen=True, kw_only=True):
    """``degraded``: only Redis is down, or has lost its tables, and running conversations are still answered; or nothing is down and a part
    is degraded.
    """

    status: Literal["ready", "degraded", "down"]
    down: Annotated[tuple[str, ...], Meta(description="Names of the parts that are not up.")]
    degraded: Annotated[tuple[str, ...], Meta(description="Names of the parts that work with a restriction.")] = ()
    parts: dict[str, Part]


class Health:
    """Checks every part, within 2 s whatever hangs."""

    def __init__(
        self, redis: RedisClient, prefix: str, publisher: KafkaPublisher, relay: Relay, tables: TableWatch, watchdog: ClientWatchdog
    ) -> None:
        self._redis = redis
        self._tables = tables
        self._prefix = prefix
        self._publisher = publisher
        self._relay = relay
        self._watchdog = watchdog
        self._checking = asyncio.Lock()
        self._recent: Recent[str, Readiness] = Recent(RECENT_MAX)

    async def readiness(self) -> Readiness:
        """At most half a second old."""
        async with self._checking:
            known = self._recent.get("", FRESH_S)
            if known is None:
                known = await self._check()
                self._recent.put("", known)
            return known

    async def _check(self) -> Readiness:
        kafka, (redis, groups, models) = await asyncio.gather(self._kafka(), self._redis_and_groups())
        parts = {
            "kafka": kafka,
            "redis": redis,
            "tables": _tables_part(self._tables.state),
            "index": _index_part(groups[INDEX_GROUP]),
            "models": models,
            **{f"lane.{name}": groups[name] for name in WORKER_GROUPS},
        }
        down = tuple(name for name, part in parts.items() if part.state in {"down", "stuck", "lost"})
        degraded = tuple(name for name, part in parts.items() if part.state == "degraded")
        status: Literal["ready", "degraded", "down"] = "down" if down else "degraded" if degraded else "ready"
        return Readiness(status="degraded" if down in BEARABLE else status, down=down, degraded=degraded, parts=parts)

    async def _kafka(self) -> Part:
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                await self._publisher.end_offset(CHATS_ASKED, 0)
        except (Unavailable, TimeoutError):
            return Part(state="down", detail="Kafka does not answer")
        if problem := self._publisher.problem:
            return Part(state="down", detail=problem)
        if not self._relay.ready:
            return Part(state="down", detail="replies are not followed yet")
        if problem := self._watchdog.problem:
            return Part(state="down", detail=problem)
        return Part(state="up")

    async def _redis_and_groups(self) -> tuple[Part, dict[str, Part], Part]:
        """Redis, the worker groups, and the models that they call."""
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                workers = await list_workers(self._redis, self._prefix)
        except (Unavailable, TimeoutError) as error:
            unknown = Part(state="unknown", detail="workers report through Redis")
            is_up = isinstance(error, Unavailable) and error.code == TABLES_LOST
            redis = Part(state="up") if is_up else Part(state="down", detail="Redis does not answer")
            return redis, dict.fromkeys(WORKER_GROUPS, unknown), unknown
        groups = {name: _group_part([worker for worker in workers if worker.lane == name]) for name in WORKER_GROUPS}
        return Part(state="up"), groups, _models_part(workers)


def _group_part(reported: Sequence[WorkerState]) -> Part:
    """A worker group is up when a member is ready and no member with assigned partitions is stuck, degraded while partitions lie idle.

    Members that have fallen silent are dead or hang.
    """
    members = [worker for worker in reported if not worker.is_silent]
    if not members:
        silent_s = min((worker.silent_s for worker in reported), default=0.0)
        return Part(state="down", detail=f"no worker has reported for {silent_s:.0f} s" if reported else "no worker")
    lag = sum(worker.lag for worker in members)
    still = [worker for worker in members if worker.stuck or (worker.assigned and not worker.ready)]
    if still:
        worst = max(still, key=lambda worker: worker.standstill_s)
        detail = "; ".join(worst.problems) or f"no progress for {worst.standstill_s:.0f} s"
        return Part(state="stuck", detail=detail, workers=len(members), lag=lag)
    if not any(worker.ready for worker in members):
        detail = next((worker.problems[-1] for worker in members if worker.problems), "no worker has work assigned yet")
        return Part(state="down", detail=detail, workers=len(members), lag=lag)
    idle = max(worker.partitions for worker in members) - sum(worker.assigned for worker in members)
    if idle > 0:
        return Part(state="degraded", detail=f"{idle} partitions are assigned to no worker", workers=len(members), lag=lag)
    return Part(state="up", workers=len(members), lag=lag)


def _tables_part(state: TableState) -> Part:
    if state == "lost":
        return Part(state="lost", detail=f"tables lost: {REMEDY}")
    return Part(state="up" if state == "whole" else "unknown")


def _models_part(workers: Sequence[WorkerState]) -> Part:
    """The models that workers leave alone because they fail: answers come from others, or fail."""
    failing = sorted({model for worker in workers if not worker.is_silent for model in worker.failing})
    if failing:
        return Part(state="degraded", detail=f"{', '.join(failing)} failed in a row, and no call has succeeded since")
    return Part(state="up")


def _index_part(group: Part) -> Part:
    """The state of the index: that of the only worker group that uses it."""
    if group.state in {"up", "degraded", "unknown"}:
        return Part(state=group.state)
    return Part(state=group.state, detail=f"see lane.{INDEX_GROUP}")
