"""What tests of doors without a conversation share."""

from typing import Any

import openai
from aiokafka import AIOKafkaConsumer, TopicPartition
from openai.types.chat import ChatCompletionChunk

from adapters.kafka import connection_options
from domain.chats.topics import CHATS_ASKED
from schemas.chats import Question
from streams.topics import Topic, decoder
from tests.support.api_process import House, Person


def client_of(house: House, key: str) -> openai.AsyncOpenAI:
    """The official client, without retries of its own."""
    return openai.AsyncOpenAI(base_url=f"{house.client.base_url}/v1", api_key=key, max_retries=0, timeout=20)


async def broken_off(chunks: openai.AsyncStream[ChatCompletionChunk]) -> tuple[str, openai.APIError]:
    """The text that a stream told, and the error it ended with."""
    text = ""
    try:
        async for chunk in chunks:
            text += chunk.choices[0].delta.content or ""
    except openai.APIError as error:
        return text, error
    raise AssertionError(f"it ended well: {text}")


async def key_of_scope(person: Person, *scopes: str) -> str:
    """An API key of theirs."""
    made = await person.call("POST", "/api-keys", json={"name": "door", "scopes": scopes})
    assert made.status_code == 201, made.text
    return str(made.json()["key"])


async def everything_on(house: House, topic: Topic) -> list[Any]:
    """All events of a topic by now, in the order of their time."""
    consumer = AIOKafkaConsumer(**connection_options(house.settings.kafka), auto_offset_reset="earliest")
    await consumer.start()
    decode, found = decoder(topic).decode, []
    try:
        name = house.settings.kafka.topic_prefix + topic.name
        partitions = [TopicPartition(name, number) for number in range(topic.partitions(house.settings.kafka))]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition, end in ends.items():
            await consumer.seek_to_beginning(partition)
            while await consumer.position(partition) < end:
                batch = (await consumer.getmany(partition, timeout_ms=500)).get(partition, [])
                found += [decode(record.value) for record in batch if record.value is not None]  # else a deleted conversation's
    finally:
        await consumer.stop()
    return sorted(found, key=lambda event: event.time)


async def asked_event(house: House, reply_id: str) -> Question:
    """The question of a reply as the log has it."""
    found = [event.data for event in await everything_on(house, CHATS_ASKED) if event.data.reply_id == reply_id]
    assert len(found) == 1
    question: Question = found[0]
    return question
