"""The connections of a command that writes: Redis and the log, for the length of the command."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.redis.client import RedisClient, connect
from domain.areas import TOPICS
from schemas.settings import Settings
from streams.log.publisher import KafkaPublisher


@asynccontextmanager
async def open_connections(settings: Settings) -> AsyncIterator[tuple[RedisClient, KafkaPublisher]]:
    """Redis and a publisher to every topic, both closed at the end."""
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        publisher = KafkaPublisher(settings.kafka, TOPICS)
        stack.push_async_callback(publisher.stop)
        await publisher.start()
        yield redis, publisher
