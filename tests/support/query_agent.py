"""The lookup agent at work behind an API process: the real step on a real index, fed from the log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from adapters.kafka import connection_options
from agents.query import QueryService
from api.core import Core
from domain.retrieval.topics import REQUESTS_ASKED
from schemas.settings import Settings
from streams.log.outgoing import LogOffset
from streams.runtime.agent import Context
from streams.topics import decoder
from tests.support.api_process import House
from tests.support.index_library import Library, Plans, closed_engine, opened_engine


@asynccontextmanager
async def working(house: House, folder: Path) -> AsyncIterator[Library]:
    """Answers everything asked from now on."""
    engine = await opened_engine(folder)
    library = Library({"": engine}, house.ports(Core).visibility, Plans())
    consumer = await _at_the_end(house.settings)
    agent = asyncio.create_task(_answering(house, library, consumer))
    try:
        yield library
    finally:
        agent.cancel()
        await asyncio.wait([agent])
        await consumer.stop()
        await closed_engine(engine)


async def _at_the_end(settings: Settings) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(settings.kafka.topic_prefix + REQUESTS_ASKED.name, **connection_options(settings.kafka))
    await consumer.start()
    await consumer.seek_to_end()
    for partition in consumer.assignment():
        await consumer.position(partition)
    return consumer


async def _answering(house: House, library: Library, consumer: AIOKafkaConsumer) -> None:
    lookup, decode, ports = QueryService(library.searching, 4), decoder(REQUESTS_ASKED).decode, house.ports

    async def owner() -> bool:
        return True

    async for record in consumer:
        place = LogOffset(record.topic, record.partition, record.offset)
        context = Context(
            place=place, attempt=0, replayed=False, publisher=ports(Core).publisher, clock=ports(Core).clock, still_owner=owner
        )
        await ports(Core).publisher.publish_all(await lookup.step(decode(record.value), context))  # type: ignore[arg-type]
