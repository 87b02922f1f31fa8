"""The progress of reindexes, for people to watch, and the lease of the worker that runs one. Both in Redis.

Losing either does no harm: the steps to take are in the index plan, and two workers at once would take the same steps twice.
"""

from datetime import datetime
from typing import Literal

import msgspec
import structlog
from msgspec import Struct

from adapters.redis.client import RedisClient
from adapters.redis.lease import release_lease, take_lease
from schemas.indexes import plan_key

KEPT_S = 7 * 86_400  # of the last report
LEASE_S = 10.0  # another worker takes over so long after a crash
RENEW_S = 3.0
MISSING_SHOWN_MAX = 100  # documents named in a report

Phase = Literal["building", "incomplete", "draining", "dropping", "done"]

log = structlog.get_logger(__name__)


class MissingDocument(Struct, frozen=True):
    """A document that readers see and the collection does not hold at this version; ``code`` is the error's."""

    document_id: str
    version: int
    code: str


class ReindexReport(Struct, frozen=True, kw_only=True):
    """Counts of ``documents`` that readers see, of those ``queued`` for the collection by this worker, and of those ``pending`` (also those
    on their way to both collections). ``old_points`` and ``new_points`` were counted when the new collection was complete: -1 is unknown.
    """

    revision: int  # of the plan
    phase: Phase
    generation: int  # of the collection that must hold everything
    documents: int = 0
    queued: int = 0
    pending: int = 0
    missing: tuple[MissingDocument, ...] = ()  # the first 100
    missing_total: int = 0
    old_points: int = -1
    new_points: int = -1
    updated_at: datetime


class ReindexReports:
    """Every method raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: RedisClient, prefix: str) -> None:
        self._redis, self._prefix = redis, prefix
        self._decode = msgspec.json.Decoder(ReindexReport).decode

    async def save(self, tenant: str, knowledge_base: str, report: ReindexReport) -> None:
        """Save the report for a week."""
        await self._redis.execute_command("SET", self._key("rebuild", tenant, knowledge_base), msgspec.json.encode(report), "EX", KEPT_S)

    async def get(self, tenant: str, knowledge_base: str) -> ReindexReport | None:
        """The last report, if it is of the last week."""
        raw = await self._redis.execute_command("GET", self._key("rebuild", tenant, knowledge_base))
        try:
            return None if raw is None else self._decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("rebuild_report_undecodable", error=str(error))
            return None

    async def acquire_lease(self, tenant: str, knowledge_base: str, holder: str) -> bool:
        """Take the lease, or renew it; False when another worker has it."""
        return await take_lease(self._redis, self._key("rebuild-lease", tenant, knowledge_base), holder, LEASE_S) == holder

    async def release_lease(self, tenant: str, knowledge_base: str, holder: str) -> None:
        """Give the lease up if it is still this holder's."""
        await release_lease(self._redis, self._key("rebuild-lease", tenant, knowledge_base), holder)

    def _key(self, kind: str, tenant: str, knowledge_base: str) -> str:
        return f"{self._prefix}:{kind}:{{{plan_key(tenant, knowledge_base)}}}"
