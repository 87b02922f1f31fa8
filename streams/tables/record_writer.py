"""Compare-and-set for records, which a log does not have: a short lease per entity around check, publish and write-through."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from adapters.redis.client import RedisClient
from adapters.redis.lease import release_lease, take_lease
from schemas.errors import Unavailable
from streams.clock import Clock
from streams.log.outgoing import LogOffset, Outgoing, Publisher
from streams.tables.projection import Tables

LEASE_S = 5.0  # after this another writer may take the lease
HELD_S_MAX = 4.0  # the holder stops before that; the rest is for clocks that differ and for a release on its way
WAIT_S_MAX = 2.0  # for a lease that another writer holds
RETRY_S = 0.02  # between attempts, with as much jitter


class RecordWriter:
    """The writer of record topics. With Redis down every method raises Unavailable("redis_unavailable"): nothing is changed unchecked."""

    def __init__(
        self,
        redis: RedisClient,
        prefix: str,
        publisher: Publisher,
        tables: Tables,
        clock: Clock,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._publisher = publisher
        self._tables = tables
        self._clock = clock
        self._jitter = jitter

    @asynccontextmanager
    async def lease(self, entity: str) -> AsyncIterator[None]:
        """Hold the lease of an entity, such as ``conversation/<id>`` or ``email/<scope>``, for at most 4 s.

        Raises Unavailable("overloaded") when another writer holds it for longer than 2 s, or when the 4 s are over.
        """
        key, token = f"{self._prefix}:record-lease:{{{entity}}}", secrets.token_hex(16)
        await self._take(key, token)
        try:
            async with asyncio.timeout(HELD_S_MAX) as limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise Unavailable("overloaded") from error
        finally:
            await self._release(key, token)

    async def change(self, *outgoing: Outgoing) -> Sequence[LogOffset]:
        """Publish record events and write them through, so that they can be read back when this returns.

        Raises Unavailable("kafka_unavailable") when the log does not take them; Unavailable("redis_unavailable") when they are on the log
        but not yet in the tables (the projection brings them there: repeating the same request is safe).
        """
        if not self._redis.is_up:
            await self._redis.execute_command("PING")
        places = await self._publisher.publish_all(outgoing)
        for each, place in zip(outgoing, places, strict=True):
            await self._tables.apply(each.event, place)
        return places

    async def _take(self, key: str, token: str) -> None:
        deadline_s = self._clock.monotonic_s() + WAIT_S_MAX
        while await take_lease(self._redis, key, token, LEASE_S) != token:
            if self._clock.monotonic_s() >= deadline_s:
                raise Unavailable("overloaded")
            await asyncio.sleep(RETRY_S * (1 + self._jitter()))

    async def _release(self, key: str, token: str) -> None:
        try:
            await release_lease(self._redis, key, token)
        except Unavailable:
            return  # it expires by itself, and the work under it is done
