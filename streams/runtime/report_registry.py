"""Reports that processes save in Redis about themselves, which expire when no further one comes."""

from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from adapters.redis.client import RedisClient

TTL_S = 10  # a process without a report for this long is gone
NAMES_MAX = 1_000  # names kept; the oldest reports go first


R = TypeVar("R", bound=Struct)


class ReportRegistry(Generic[R]):
    """The newest report of each process under ``key``, by its name. Methods raise Unavailable.

    ``kind`` has the field ``silent_s``: the seconds since the report was saved, set when it is read.
    """

    def __init__(self, redis: RedisClient, key: str, kind: type[R]) -> None:
        self._redis, self._key, self._kind = redis, key, kind

    async def save(self, name: str, report: R) -> None:
        """Save the report of a process."""
        seconds, micros = await self._redis.time()
        batch = self._redis.pipeline()
        batch.set(f"{self._key}:{name}", msgspec.json.encode(report), ex=TTL_S)
        batch.zadd(self._key, {name: seconds + micros / 1e6})
        batch.zremrangebyscore(self._key, 0, seconds - TTL_S)
        batch.zremrangebyrank(self._key, 0, -NAMES_MAX - 1)
        await batch.execute()

    async def remove(self, name: str) -> None:
        """The process has ended."""
        batch = self._redis.pipeline()
        batch.delete(f"{self._key}:{name}")
        batch.zrem(self._key, name)
        await batch.execute()

    async def list(self) -> list[R]:
        """Every process that reported within the last 10 s, by name."""
        batch = self._redis.pipeline()
        batch.time()
        batch.zrange(self._key, 0, NAMES_MAX - 1, withscores=True)
        (seconds, micros), found = await batch.execute()
        now_s, reported_s = seconds + micros / 1e6, dict(sorted(found))
        if not reported_s:
            return []
        batch = self._redis.pipeline()
        for name in reported_s:
            batch.get(f"{self._key}:{name.decode()}")
        return [
            msgspec.structs.replace(msgspec.json.decode(report, type=self._kind), silent_s=max(0.0, now_s - at_s))
            for at_s, report in zip(reported_s.values(), await batch.execute(), strict=True)
            if report is not None
        ]
