"""When the work of an erasure goes on: a durable timer for each that is not final."""

from collections.abc import Sequence

from adapters.redis.client import RedisClient
from schemas.erasures import Erasure
from streams.runtime.timers import Timers, move_settings, ms_of

NAME = "erasures"


def erasure_timers(redis: RedisClient, prefix: str) -> Timers:
    """The timers, by erasure id."""
    return Timers(redis, prefix, NAME)


async def set_timers(timers: Timers, erasures: Sequence[tuple[Erasure, int]]) -> None:
    """Set the timers of erasures, given with their partitions. Raises Unavailable("redis_unavailable")."""
    times = [(partition, each.id, None if each.next_at is None else ms_of(each.next_at)) for each, partition in erasures]
    await timers.set_many([setting for partition, id_, at_ms in times for setting in move_settings(partition, id_, at_ms)])
