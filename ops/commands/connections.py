"""The connections of a command that writes: Redis and the log, for the length of the command."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from adapters.redis.client import RedisClient, connect
from domain.areas import TOPICS
from schemas.settings import Settings
from streams.log.publisher import KafkaPublisher

PUBLISH_S_MIN = 3.5  # no reader waits for a command; below the 4 s for which a record's lease is held


@asynccontextmanager
async def open_connections(settings: Settings) -> AsyncIterator[tuple[RedisClient, KafkaPublisher]]:
    """Redis and a publisher to every topic, both closed at the end. An event has ``PUBLISH_S_MIN`` at least to be acknowledged."""
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        kafka = msgspec.structs.replace(settings.kafka, publish_timeout_s=max(settings.kafka.publish_timeout_s, PUBLISH_S_MIN))
        publisher = KafkaPublisher(kafka, TOPICS)
        stack.push_async_callback(publisher.stop)
        await publisher.start()
        yield redis, publisher
