"""Where on the log a reply begins: saved in Redis for every replica, and remembered by this process in case Redis is down."""

from api.http.metrics import Metrics
from api.http.recent import Recent
from domain.chats.reply_lock import LOCATION_S, ReplyLocation, ReplyLocks
from schemas.errors import Unavailable

REPLIES_MAX = 10_000
STALE_S = 3_600.0  # as long as a conversation counts as running


class ReplyLocations:
    """One per process. Keys carry the tenant."""

    def __init__(self, locks: ReplyLocks, metrics: Metrics) -> None:
        self._locks, self._metrics = locks, metrics
        self.recent: Recent[tuple[str, str], ReplyLocation] = Recent(REPLIES_MAX)  # tenant, reply

    async def save(self, tenant: str, reply_id: str, location: ReplyLocation, life_s: int = LOCATION_S) -> None:
        """Let any replica find the reply for ``life_s`` seconds; with Redis down only this one can."""
        self.recent.put((tenant, reply_id), location)
        try:
            await self._locks.save_location(tenant, reply_id, location, life_s)
        except Unavailable:
            self._metrics.fallbacks.labels("locations").inc()

    async def find(self, tenant: str, reply_id: str) -> ReplyLocation | None:
        """The location, None for a reply that the tenant does not have any more. Unavailable with Redis down, unless it is known here."""
        try:
            return await self._locks.locate(tenant, reply_id)
        except Unavailable:
            location = self.find_recent(tenant, reply_id)
            if location is None:
                raise
            return location

    def find_recent(self, tenant: str, reply_id: str) -> ReplyLocation | None:
        """The location of a reply that was asked for in this process within the hour."""
        return self.recent.get((tenant, reply_id), STALE_S)
