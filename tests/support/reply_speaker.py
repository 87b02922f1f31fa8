"""The part of an agent, spoken by the test: events of a reply where the API listens."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer

from adapters.kafka import connection_options
from api.chats.ports import ChatPorts
from api.core import Core
from api.http.ports import HttpPorts
from domain.chats.topics import CHATS_ANSWERED, MESSAGES_CHANGED
from schemas import ids
from schemas.chats import (
    Cancelled,
    Citation,
    Completed,
    Extended,
    Failed,
    Message,
    MessageChanged,
    ReplyCancelled,
    ReplyCompleted,
    ReplyExtended,
    ReplyFailed,
    ReplyStarted,
    ReplyThought,
    Source,
    Started,
    Thought,
)
from schemas.errors import Problem
from schemas.events import Event
from schemas.settings import Settings
from streams.log.outgoing import Outgoing
from streams.topics import Topic, decoder
from tests.support.api_process import House, Person

TRACE = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
PASSAGE: dict[str, Any] = {
    "marker": 1,
    "chunk_id": "c",
    "knowledge_base_id": "k",
    "document_id": "rules",
    "version": 3,
    "title": "Rules",
    "locator": "A > B",
}
CITATION = Citation(**PASSAGE, quote="25 days")


class Speaker:
    """Answers one reply of ``person`` as ``generate`` would."""

    def __init__(self, house: House, person: Person, conversation: str, reply: str) -> None:
        self.house, self.tenant = house, _tenant(house, person)
        self.conversation, self.reply, self.said = conversation, reply, 0

    async def started(self, attempt: int = 1) -> None:
        source = Source(**PASSAGE, score=0.9)
        await self._say(
            ReplyStarted, Started(conversation_id=self.conversation, attempt=attempt, model="m", keywords=("leave",), sources=(source,))
        )

    async def extended(self, seq: int, text: str, attempt: int = 1, cited: bool = False) -> None:
        citations = (CITATION,) if cited else ()
        await self._say(
            ReplyExtended, Extended(conversation_id=self.conversation, attempt=attempt, seq=seq, text=text, citations=citations)
        )

    async def thought(self, seq: int, text: str, attempt: int = 1) -> None:
        await self._say(ReplyThought, Thought(conversation_id=self.conversation, attempt=attempt, seq=seq, text=text))

    async def completed(self, text: str, attempt: int = 1, *, store: bool = True) -> None:
        if store:
            await self.stored(text, attempt)
        await self._say(
            ReplyCompleted, Completed(conversation_id=self.conversation, attempt=attempt, text=text, citations=(CITATION,), model="m")
        )

    async def failed(self) -> None:
        problem = Problem(status=502, code="model_unavailable", title="The model provider did not answer")
        await self.release()
        await self._say(ReplyFailed, Failed(conversation_id=self.conversation, attempt=1, problem=problem))

    async def cancelled(self, text: str) -> None:
        await self.release()
        await self._say(ReplyCancelled, Cancelled(conversation_id=self.conversation, attempt=1, text=text))

    async def stored(self, text: str, attempt: int = 1) -> None:
        ports = self.house.ports
        location = await ports(ChatPorts).reply_locks.locate(self.tenant, self.reply) if ports(Core).redis.is_up else None
        question = location and await ports(Core).read_models.messages.get(f"{self.tenant}/{self.conversation}", location.message_id)
        message = Message(
            id=self.reply,
            conversation_id=self.conversation,
            user_id="u",
            role="assistant",
            content=text,
            created_at=ports(Core).clock.now(),
            attempt=attempt,
            parent_id=question.id if question else ids.derive("question", self.reply),
            ancestors=(*question.ancestors, question.id) if question else (),
            model="m",
            citations=(CITATION,),
        )
        event = self._event(MessageChanged, message)
        partition = ports(Core).publisher.partition_for(MESSAGES_CHANGED, self.conversation)
        place = await ports(Core).publisher.publish(Outgoing(MESSAGES_CHANGED, event, partition=partition))
        await ports(Core).read_models.apply(event, place)
        await self.release()

    async def release(self) -> None:
        await self.house.ports(ChatPorts).reply_locks.release(self.tenant, self.conversation, self.reply)

    async def answer(self, text: str) -> None:
        """The whole of it."""
        await self.started()
        await self.extended(1, text)
        await self.completed(text)

    async def _say(self, kind: type[Event], data: object) -> None:
        ports = self.house.ports
        await ports(Core).publisher.publish(Outgoing(CHATS_ANSWERED, self._event(kind, data), partition=ports(ChatPorts).relay.partition))

    def _event(self, kind: type[Event], data: object) -> Any:
        self.said += 1
        return kind(
            id=ids.derive("test", self.reply, self.said),
            source="/claw/test",
            subject=self.reply,
            time=self.house.ports(Core).clock.now(),
            tenant=self.tenant,
            traceparent=TRACE,
            data=data,
        )


def _tenant(house: House, person: Person) -> str:
    return house.ports(HttpPorts).tokens.read(person.token, house.ports(Core).clock.now()).tenant


async def first_event(settings: Settings, topic: Topic, subject: str) -> Any:
    """The first event about ``subject`` on ``topic``."""
    return (await all_events(settings, topic, subject, 1))[0]


async def all_events(settings: Settings, topic: Topic, subject: str, count: int) -> list[Any]:
    """The first ``count`` events about ``subject`` on ``topic``."""
    consumer = AIOKafkaConsumer(
        settings.kafka.topic_prefix + topic.name, **connection_options(settings.kafka), auto_offset_reset="earliest"
    )
    await consumer.start()
    decode = decoder(topic).decode
    found: list[Any] = []
    try:
        async with asyncio.timeout(10):
            while len(found) < count:
                record = await consumer.getone()
                if record.value is None:
                    continue  # a tombstone of somebody's deleted conversation
                event = decode(record.value)
                if event.subject == subject:
                    found.append(event)
    finally:
        await consumer.stop()
    return found
