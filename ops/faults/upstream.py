"""An upstream system: a client of Kafka with documents of its own, and nothing of ours."""

import asyncio
import json
import random
from collections.abc import Callable
from itertools import count

from aiokafka import errors as kafka_errors

from adapters.kafka import connection_options, make_producer
from domain.documents.topics import inbox_topic
from ops.commands.keys import LOCAL_TENANT
from ops.faults.clients import RecordedClient
from ops.faults.history import ClientOperation, OperationOutcome
from ops.faults.load import DOCUMENTS, FaultLoad
from ops.faults.texts import document_name, document_text, version_token
from schemas.settings import KafkaSettings

PRODUCE_S_MAX = 10.0
INBOX_DOCUMENTS = range(DOCUMENTS, DOCUMENTS + 2)  # written by it alone


async def write_inbox(load: FaultLoad, client: RecordedClient, chance: random.Random, kafka: Callable[[], KafkaSettings]) -> None:
    """The upstream system of a tenant: documents and deletions on its inbox topic, one after the other."""
    serial = count(1)
    topic = inbox_topic(LOCAL_TENANT).name
    producer = make_producer(connection_options(kafka()), acks="all", request_timeout_ms=int(PRODUCE_S_MAX * 1000))
    await producer.start()
    try:
        while not load.over.is_set():
            number = chance.choice(INBOX_DOCUMENTS)
            token = version_token(client.tenant, number, next(serial)) if chance.random() < 0.8 else ""  # noqa: PLR2004
            begin = load.recorder.now()
            outcome: OperationOutcome = "unknown"
            try:
                async with asyncio.timeout(2 * PRODUCE_S_MAX):
                    await producer.send_and_wait(topic, _inbox_event(client, number, token), document_name(number).encode())
                outcome = "ok"
            except (kafka_errors.KafkaError, TimeoutError):
                pass
            load.recorder.add(
                ClientOperation(
                    begin=begin,
                    end=load.recorder.now(),
                    client=client.name,
                    tenant=client.tenant,
                    kind="inbox",
                    outcome=outcome,
                    knowledge_base=client.base,
                    document=document_name(number),
                    token=token,
                )
            )
            await load.pause(chance.uniform(0.3, 1.5))
    finally:
        await producer.stop()


def _inbox_event(client: RecordedClient, number: int, token: str) -> bytes | None:
    """A document; None deletes."""
    if not token:
        return None
    data = {"knowledge_base_id": client.base, "title": document_name(number), "text": document_text(number, token, 1)}
    event = {"specversion": "1.0", "id": token, "source": "/upstream", "type": "note", "data": data}
    return json.dumps(event).encode()
