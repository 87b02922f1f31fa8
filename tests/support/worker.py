"""A lane's worker as its own process: ``python -m tests.support.worker LANE``, configured by the environment."""

import asyncio
import os
import signal
import sys

import structlog

from adapters.redis.client import connect
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.log.publisher import KafkaPublisher
from streams.runtime.worker import Worker
from streams.topics import DEAD_LETTERS
from tests.support.poked import lane


async def main() -> int:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.TimeStamper("%H:%M:%S.%f"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
    settings = Settings.from_env(os.environ)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    redis = connect(settings.redis)
    publisher = KafkaPublisher(settings.kafka, topics=(DEAD_LETTERS,))
    await publisher.start()
    try:
        worker = Worker(settings, lane(sys.argv[1], redis, settings.redis.key_prefix), publisher, redis, SystemClock())
        return await worker.run(stop)
    finally:
        await publisher.stop()
        await redis.aclose()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
