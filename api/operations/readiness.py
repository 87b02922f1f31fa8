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
from streams.runtime.worker_registry import WorkerState, list_workers
from streams.tables.epoch import REMEDY, TableWatch
from streams.tables.epoch import State as TableState

INDEX_GROUP = "knowledge"  # the only one with access to the index
CHECK_S_MAX = 1.9  # all checks together; a probe waits at most 2 s
FRESH_S = 0.5  # probes of several load balancers share one check
RECENT_MAX = 1

State = Literal["up", "down", "stuck", "lost", "unknown"]
DEGRADED = frozenset({("redis",), ("tables",)})  # what may be down while running conversations are still answered


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One part; ``lag``: events that are not processed yet."""

    state: State
    detail: str = ""
    workers: int = 0
    lag: int = 0


class Readiness(Struct, frozen=True, kw_only=True):
    """``degraded``: only Redis is down, or has lost its tables; running conversations are still answered."""

    status: Literal["ready", "degraded", "down"]
    down: Annotated[tuple[str, ...], Meta(description="Names of the parts that are not up.")]
    parts: dict[str, Part]


class Health:
    """Checks every part, within 2 s whatever hangs."""

    def __init__(self, redis: RedisClient, prefix: str, publisher: KafkaPublisher, relay: Relay, tables: TableWatch) -> None:
        self._redis = redis
        self._tables = tables
        self._prefix = prefix
        self._publisher = publisher
        self._relay = relay
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
        kafka, (redis, groups) = await asyncio.gather(self._kafka(), self._redis_and_groups())
        parts = {
            "kafka": kafka,
            "redis": redis,
            "tables": _tables_part(self._tables.state),
            "index": _index_part(groups[INDEX_GROUP]),
            **{f"lane.{name}": groups[name] for name in WORKER_GROUPS},
        }
        down = tuple(name for name, part in parts.items() if part.state not in {"up", "unknown"})
        status: Literal["ready", "degraded", "down"] = "ready" if not down else "degraded" if down in DEGRADED else "down"
        return Readiness(status=status, down=down, parts=parts)

    async def _kafka(self) -> Part:
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                await self._publisher.end_offset(CHATS_ASKED, 0)
        except (Unavailable, TimeoutError):
            return Part(state="down", detail="Kafka does not answer")
        if not self._relay.ready:
            return Part(state="down", detail="replies are not followed yet")
        return Part(state="up")

    async def _redis_and_groups(self) -> tuple[Part, dict[str, Part]]:
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                alive = await list_workers(self._redis, self._prefix)
        except (Unavailable, TimeoutError) as error:
            unknown = Part(state="unknown", detail="workers report through Redis")
            if isinstance(error, Unavailable) and error.code == TABLES_LOST:
                return Part(state="up"), dict.fromkeys(WORKER_GROUPS, unknown)
            return Part(state="down", detail="Redis does not answer"), dict.fromkeys(WORKER_GROUPS, unknown)
        return Part(state="up"), {name: _group_part([worker for worker in alive if worker.lane == name]) for name in WORKER_GROUPS}


def _group_part(members: Sequence[WorkerState]) -> Part:
    """A worker group is up when a member is ready and no member with assigned partitions is stuck."""
    if not members:
        return Part(state="down", detail="no worker")
    lag = sum(worker.lag for worker in members)
    still = [worker for worker in members if worker.stuck or (worker.assigned and not worker.ready)]
    if still:
        longest_s = max(worker.standstill_s for worker in still)
        return Part(state="stuck", detail=f"no progress for {longest_s:.0f} s", workers=len(members), lag=lag)
    if not any(worker.ready for worker in members):
        return Part(state="down", detail="no worker has work assigned yet", workers=len(members), lag=lag)
    return Part(state="up", workers=len(members), lag=lag)


def _tables_part(state: TableState) -> Part:
    if state == "lost":
        return Part(state="lost", detail=f"tables lost: {REMEDY}")
    return Part(state="up" if state == "whole" else "unknown")


def _index_part(group: Part) -> Part:
    """The state of the index: that of the only worker group that uses it."""
    if group.state in {"up", "unknown"}:
        return Part(state=group.state)
    return Part(state=group.state, detail=f"see lane.{INDEX_GROUP}")
