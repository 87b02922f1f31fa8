"""The agents that answer, at work behind an API process: their real steps, fed from the log, many at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer

from adapters.kafka import connection_options
from adapters.models.dialogue.condensing import Condenser
from adapters.models.grounding.local import LocalModel
from adapters.models.port import AnswerModel
from agents.generate import Generate
from agents.retrieve import Retrieve
from api.chats.ports import ChatPorts
from api.core import Core
from domain.chats.reply_lock import CancelWatch
from domain.chats.reply_log import KafkaReplyLog
from schemas.errors import ClawError, Superseded
from schemas.settings import ModelSettings, RetrievalSettings
from streams.live import Live
from streams.log.outgoing import LogOffset
from streams.runtime.agent import Agent, Context
from streams.topics import decoder
from tests.support.api_process import House
from tests.support.index_library import Library


@asynccontextmanager
async def answering(house: House, library: Library, model: AnswerModel) -> AsyncIterator[None]:
    """Answers everything asked from now on with ``model``, from ``library``."""
    ports, prefix = house.ports, house.settings.redis.key_prefix
    watch = CancelWatch(ports(Core).redis, prefix)
    views, visibility, reply_log = ports(Core).read_models, ports(Core).visibility, KafkaReplyLog(house.settings.kafka)
    generate = Generate(model, Live(ModelSettings(delta_window_ms=0)), views, ports(ChatPorts).reply_locks, watch, visibility, reply_log)
    keyless = isinstance(model, LocalModel)
    retrieve = Retrieve(library.searching, Condenser(None, 1.0), None, Live(RetrievalSettings()), 8, words_decide=keyless)
    await watch.start()
    await model.start()
    workers: list[asyncio.Task[None]] = []
    consumers: list[AIOKafkaConsumer] = []
    try:
        for agent in (retrieve.agent(), generate.agent()):
            consumer = await _at_the_end(house, agent)
            consumers.append(consumer)
            workers.append(asyncio.create_task(_work(house, agent, consumer, decoder(agent.reads[0]).decode), name=agent.name))
        yield
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for consumer in consumers:  # here, since a task that is cancelled before it began runs nothing of itself
            await consumer.stop()
        await model.stop()
        await watch.stop()


async def _at_the_end(house: House, agent: Agent) -> AIOKafkaConsumer:
    (topic,) = agent.reads
    consumer = AIOKafkaConsumer(house.settings.kafka.topic_prefix + topic.name, **connection_options(house.settings.kafka))
    await consumer.start()
    await consumer.seek_to_end()
    for partition in consumer.assignment():
        await consumer.position(partition)
    return consumer


async def _work(house: House, agent: Agent, consumer: AIOKafkaConsumer, decode: Any) -> None:
    steps: set[asyncio.Task[None]] = set()
    try:
        async for record in consumer:
            place = LogOffset(record.topic, record.partition, record.offset)
            step = asyncio.create_task(_step(house, agent, decode(record.value), place))
            steps.add(step)
            step.add_done_callback(steps.discard)
    finally:
        for step in steps:
            step.cancel()
        await asyncio.gather(*steps, return_exceptions=True)


async def _step(house: House, agent: Agent, event: Any, place: LogOffset) -> None:
    """One event; what fails goes where the wrapper's last try would send it."""
    ports = house.ports

    async def owner() -> bool:
        return True

    context = Context(place=place, attempt=1, replayed=False, publisher=ports(Core).publisher, clock=ports(Core).clock, still_owner=owner)
    try:
        outgoing = await agent.step(event, context)
    except Superseded:
        return
    except ClawError as error:
        assert agent.failed is not None
        outgoing = await agent.failed(event, error.problem(), context)
    await ports(Core).publisher.publish_all(outgoing)
