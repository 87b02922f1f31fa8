"""The connections of a command that writes: Redis and the log, for the length of the command."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from adapters.redis.client import RedisClient, connect
from domain.areas import TOPICS
from domain.configs.table_epoch import watch_tables
from schemas.errors import TABLES_LOST, Unavailable
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.log.publisher import KafkaPublisher
from streams.tables.epoch import REMEDY

PUBLISH_S_MIN = 3.5  # no reader waits for a command; below the 4 s for which a record's lease is held


@asynccontextmanager
async def open_connections(settings: Settings, *, lost_too: bool = False) -> AsyncIterator[tuple[RedisClient, KafkaPublisher]]:
    """Redis and a publisher to every topic, both closed at the end. An event has ``PUBLISH_S_MIN`` at least to be acknowledged.

    Raises Unavailable("tables_lost") when Redis has lost the tables, unless ``lost_too``.
    """
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        kafka = msgspec.structs.replace(settings.kafka, publish_timeout_s=max(settings.kafka.publish_timeout_s, PUBLISH_S_MIN))
        publisher = KafkaPublisher(kafka, TOPICS)
        stack.push_async_callback(publisher.stop)
        await publisher.start()
        if not lost_too:
            watch = watch_tables(settings, redis, publisher, SystemClock())
            stack.push_async_callback(watch.stop)
            if await watch.check() == "lost":
                raise Unavailable(TABLES_LOST, REMEDY)
        yield redis, publisher
