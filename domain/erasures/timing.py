"""When the work of an erasure goes on: a durable timer for each that is not final."""

from collections.abc import Sequence

from adapters.redis.client import RedisClient
from schemas.erasures import Erasure
from streams.runtime.timers import Timers, TimerSetting

NAME = "erasures"


def erasure_timers(redis: RedisClient, prefix: str) -> Timers:
    """The timers, by erasure id."""
    return Timers(redis, prefix, NAME)


async def set_timers(timers: Timers, erasures: Sequence[tuple[Erasure, int]]) -> None:
    """Set the timers of erasures, given with their partitions. Raises Unavailable("redis_unavailable").

    A timer only moves forward by itself, so it is set off first.
    """
    settings = []
    for erasure, partition in erasures:
        settings.append(TimerSetting(partition, erasure.id, None))
        if erasure.next_at is not None:
            settings.append(TimerSetting(partition, erasure.id, int(erasure.next_at.timestamp() * 1000)))
    await timers.set_many(settings)
