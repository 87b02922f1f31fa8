"""Which version of a document readers may see: one Redis record per document, every field only grows, one script per change.

A document is visible at version ``visible`` if that is above ``deleted``, else not at all. The knowledge lane also keeps a ``Mirror`` of
these records from the progress topic, to go on answering while Redis is down.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog
from msgspec import Struct

from adapters.redis import Client, Script
from schemas.errors import Unavailable

NEVER = -1  # versions are offsets and start at 0
KEYS_PER_TRIP = 500  # records read in one pipeline
IN_FLIGHT_S = 3_600  # a document whose worker died without saying so stops counting after this
IN_FLIGHT_MAX = 1_000  # documents remembered per tenant; only "more than 64" matters, and a backlog of millions must not fill Redis

log = structlog.get_logger(__name__)

# KEYS record; ARGV version, then the fields to raise to it. Replies latest, visible, deleted.
_RAISE = Script("""
local version = tonumber(ARGV[1])
for i = 2, #ARGV do
  if (tonumber(redis.call('HGET', KEYS[1], ARGV[i])) or -1) < version then redis.call('HSET', KEYS[1], ARGV[i], ARGV[1]) end
end
return redis.call('HMGET', KEYS[1], 'latest', 'visible', 'deleted')
""")

# KEYS in-flight set; ARGV member, seconds until it is forgotten, largest size. Replies how many are in flight with this one.
_ENTER = Script("""
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local size = redis.call('ZCARD', KEYS[1])
if redis.call('ZSCORE', KEYS[1], ARGV[1]) or size < tonumber(ARGV[3]) then
  size = size + redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  return size
end
return size + 1
""")


class Standing(Struct, frozen=True):
    """Highest version that was submitted, fully indexed, withdrawn; -1 for none."""

    latest: int = NEVER
    visible: int = NEVER
    deleted: int = NEVER

    @property
    def shown(self) -> int | None:
        """The version readers may see."""
        return self.visible if self.visible > self.deleted else None

    def shows(self, version: int) -> bool:
        """Readers may see this very version."""
        return version == self.visible and version > self.deleted

    def supersedes(self, version: int) -> bool:
        """Work on this version is in vain: there is a newer one, or it was withdrawn."""
        return version < self.latest or version <= self.deleted


class Standings(Protocol):
    """Whoever knows where documents stand; raises Unavailable("redis_unavailable")."""

    async def of(self, keys: Sequence[str]) -> dict[str, Standing]: ...


class Visibility:
    """The records in Redis. ``key`` is ``tenant/kb/document``; every method raises Unavailable("redis_unavailable")."""

    def __init__(self, redis: Client, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    async def submitted(self, key: str, version: int) -> Standing:
        """There is a new version on its way."""
        return await self._raise(key, version, "latest")

    async def withdrawn(self, key: str, version: int) -> Standing:
        """Its owner deleted it: once this returns, no reader sees any version up to this one."""
        return await self._raise(key, version, "deleted", "latest")

    async def indexed(self, key: str, version: int) -> bool:
        """Every chunk of the version is in the index. True if readers see it now; False if a newer version or a withdrawal came first."""
        return (await self._raise(key, version, "visible")).shows(version)

    async def superseded(self, key: str, version: int) -> bool:
        """Work on this version is in vain."""
        return (await self.of((key,)))[key].supersedes(version)

    async def of(self, keys: Sequence[str]) -> dict[str, Standing]:
        """Where each document stands; an unknown one stands nowhere."""
        found: dict[str, Standing] = {}
        for start in range(0, len(keys), KEYS_PER_TRIP):
            some = keys[start : start + KEYS_PER_TRIP]
            batch = self._redis.pipeline()
            for key in some:
                batch.execute_command("HMGET", self._record(key), "latest", "visible", "deleted")
            found.update((key, _standing(row)) for key, row in zip(some, await batch.execute(), strict=True))
        return found

    async def enter(self, tenant: str, key: str, version: int) -> int:
        """Count this version as in flight; a repeat counts once. Replies how many of the tenant's are in flight, this one included
        (exact up to 1,000).
        """
        return int(await _ENTER(self._redis, (self._in_flight(tenant),), (f"{version}/{key}", IN_FLIGHT_S, IN_FLIGHT_MAX)))

    async def leave(self, tenant: str, key: str, version: int) -> None:
        """This version has arrived, failed or been dropped; a repeat does nothing."""
        await self._redis.execute_command("ZREM", self._in_flight(tenant), f"{version}/{key}")

    async def _raise(self, key: str, version: int, *fields: str) -> Standing:
        return _standing(await _RAISE(self._redis, (self._record(key),), (version, *fields)))

    def _record(self, key: str) -> str:
        return f"{self._prefix}:visibility:{{{key}}}"

    def _in_flight(self, tenant: str) -> str:
        return f"{self._prefix}:inflight:{{{tenant}}}"


class Sight:
    """What readers ask: Redis, and while it is down the mirror. ``fell_back`` is called once per answer the mirror gave."""

    def __init__(self, visibility: Standings, mirror: Standings, fell_back: Callable[[], object] = lambda: None) -> None:
        self._visibility = visibility
        self._mirror = mirror
        self._fell_back = fell_back
        self._on_mirror = False

    @property
    def on_mirror(self) -> bool:
        """The last answer came from the mirror."""
        return self._on_mirror

    async def of(self, keys: Sequence[str]) -> dict[str, Standing]:
        """Where each document stands; raises Unavailable when Redis is down and the mirror has not caught up since its start."""
        try:
            found = await self._visibility.of(keys)
        except Unavailable:
            found = await self._mirror.of(keys)
            self._fell_back()
            if not self._on_mirror:
                log.warning("visibility_from_mirror")
            self._on_mirror = True
            return found
        self._on_mirror = False
        return found


def _standing(row: Sequence[bytes | None]) -> Standing:
    return Standing(*(_version(value) for value in row))


def _version(value: bytes | None) -> int:
    if value is None:
        return NEVER
    try:
        return int(value)
    except ValueError:
        log.warning("visibility_undecodable", value=value[:64])
        return NEVER
