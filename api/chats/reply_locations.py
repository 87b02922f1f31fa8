"""Where on the log a reply begins: saved in Redis for every replica, remembered by this process, and at last searched for on the log.

Redis may have been away when the question was asked, or may have lost its data since: that it knows nothing proves nothing.
"""

import structlog

from api.core import Core
from api.http.recent import Recent
from domain.chats.reply_lock import LOCATION_S, ReplyLocation, ReplyLocks
from domain.chats.reply_search import SINCE_S, ReplySearch
from domain.chats.topics import CHATS_ASKED
from schemas.errors import Unavailable

REPLIES_MAX = 10_000
STALE_S = 3_600.0  # as long as a conversation counts as running

log = structlog.get_logger(__name__)


class ReplyLocations:
    """One per process. Keys carry the tenant."""

    def __init__(self, core: Core, locks: ReplyLocks) -> None:
        self._core, self._locks = core, locks
        self._search = ReplySearch(core.settings.kafka)
        self._began_s = core.clock.monotonic_s()
        self.recent: Recent[tuple[str, str], ReplyLocation] = Recent(REPLIES_MAX)  # tenant, reply

    async def save(self, tenant: str, reply_id: str, location: ReplyLocation, life_s: int = LOCATION_S) -> ReplyLocation:
        """Let any replica find the reply for ``life_s`` seconds; with Redis down only this one can.

        The first location stays, and is returned: the same question asked again is answered where it was asked first.
        """
        known = self.find_recent(tenant, reply_id)
        try:
            first = await self._locks.save_location(tenant, reply_id, known or location, life_s)
        except Unavailable:
            self._core.metrics.fallbacks.labels("locations").inc()
            first = known or location
        self.recent.put((tenant, reply_id), first)
        return first

    async def find(self, tenant: str, reply_id: str) -> ReplyLocation | None:
        """The location, as Redis or this process knows it; None for a reply that neither does. Unavailable with Redis down, unless it is
        known here.
        """
        try:
            return await self._locks.locate(tenant, reply_id) or self.find_recent(tenant, reply_id)
        except Unavailable:
            location = self.find_recent(tenant, reply_id)
            if location is None:
                raise
            return location

    def find_recent(self, tenant: str, reply_id: str) -> ReplyLocation | None:
        """The location of a reply that was asked for in this process within the hour."""
        return self.recent.get((tenant, reply_id), STALE_S)

    async def search(self, tenant: str, conversation_id: str, reply_id: str) -> ReplyLocation | None:
        """The location of a reply that was asked for within the hour, wherever, from its question on the log; None when there is none.

        The log is read only if Redis may not know: it was away within the hour, or this process is younger. Raises Unavailable.
        """
        age_s = self._core.clock.monotonic_s() - self._began_s
        if age_s > SINCE_S and not self._core.redis.breaker.failed_within(SINCE_S):
            return None
        partition = self._core.publisher.partition_for(CHATS_ASKED, conversation_id)
        location = await self._search.find(tenant, conversation_id, reply_id, partition, self._core.clock.now())
        if location is not None:
            log.info("reply_found_on_log", reply_id=reply_id, partition=location.partition, offset=location.offset)
            await self.save(tenant, reply_id, location)
        return location
