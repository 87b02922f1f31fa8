"""What producers of upstream systems do with Kafka itself: codecs and transactions. Nothing of it stops anybody."""

import asyncio
import json
import uuid
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from claw_client import Client
from tests.support.found_passages import chunks, search
from tests.system.conftest import Up

INBOX = "claw.inbox.default.v1"
SEEN_S = 2.0  # a document that is read at all is searchable long before


def event(knowledge_base: str, document: str, text: str) -> bytes:
    said = {"knowledge_base_id": knowledge_base, "title": document, "text": text}
    return json.dumps({"specversion": "1.0", "id": uuid.uuid4().hex, "source": "/crm", "type": "note", "data": said}).encode()


async def test_every_codec_is_read(up: Up, owner: Client):
    """One batch each, of four documents; then one without a codec shows that nobody has stopped."""
    for codec in ("snappy", "lz4", "zstd", "gzip", None):
        names = [f"{codec}-{n}" for n in range(4)]
        producer = AIOKafkaProducer(**up.connection, compression_type=codec, linger_ms=100)
        await producer.start()
        try:
            texts = {name: f"Spare part {name} lies on shelf seven. " * 6 for name in names}
            await asyncio.gather(
                *[
                    await producer.send(INBOX, event(owner.knowledge_base, name, texts[name]), b"doc-" + name.encode(), partition=0)
                    for name in names
                ]
            )
        finally:
            await producer.stop()
        for name in names:
            await owner.wait_indexed(f"doc-{name}", timeout_s=30)
            assert f"Spare part {name}" in (await chunks(owner, f"doc-{name}"))[0]["text"]
    async with owner.session.get("/readyz") as answer:
        assert answer.status == 200


async def test_only_what_is_committed_is_ever_searchable(up: Up, owner: Client):
    """A committed document, an aborted one, an aborted change of the first, an open transaction; the lag returns to nothing."""
    base = owner.knowledge_base
    producer = AIOKafkaProducer(**up.connection, transactional_id=f"crm-{uuid.uuid4().hex}")
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(INBOX, event(base, "window", "The window of return is thirty days."), b"window", partition=1)
        await owner.wait_indexed("window")
        await aborted(producer, b"draft", event(base, "draft", "The window of return is nine hundred days."))
        await aborted(producer, b"window", event(base, "window", "The window of return is one day."))
        await producer.begin_transaction()
        await producer.send_and_wait(INBOX, event(base, "open", "The window of return is a secret yet."), b"open", partition=1)
        await asyncio.sleep(SEEN_S)
        assert await texts(owner) == {"window": "The window of return is thirty days."}
        assert not await owner.document("draft")
        assert not await owner.document("open")
        await no_lag(up, owner)
        await producer.abort_transaction()
        await no_lag(up, owner)
        assert await texts(owner) == {"window": "The window of return is thirty days."}
        async with producer.transaction():
            await producer.send_and_wait(INBOX, event(base, "window", "The window of return is sixty days."), b"window", partition=1)
        async with asyncio.timeout(30):
            while await texts(owner) != {"window": "The window of return is sixty days."}:
                await asyncio.sleep(0.1)
        await no_lag(up, owner)
    finally:
        await producer.stop()


async def aborted(producer: AIOKafkaProducer, key: bytes, value: bytes) -> None:
    await producer.begin_transaction()
    await producer.send_and_wait(INBOX, value, key, partition=1)
    await asyncio.sleep(SEEN_S / 4)  # while it is open, and after: nobody reads it
    await producer.abort_transaction()


async def texts(client: Client) -> dict[str, str]:
    """All that a search over everything finds."""
    return {hit["document_id"]: hit["text"] for hit in await search(client, "window of return", 10)}


async def no_lag(up: Up, client: Client) -> None:
    """The product says so, and so does the broker of the consumer group."""
    async with asyncio.timeout(20):
        while await lag_of_workers(client) or await lag_of_group(up):
            await asyncio.sleep(0.2)


async def lag_of_workers(client: Client) -> int:
    async with client.session.get("/readyz") as answer:
        body: dict[str, Any] = await answer.json()
    assert body["status"] == "ready"
    return sum(part.get("lag", 0) for part in body["parts"].values())


async def lag_of_group(up: Up) -> int:
    """Of the inbox: the end of what can be read, less what is committed."""
    consumer = AIOKafkaConsumer(**up.connection, isolation_level="read_committed")
    admin = AIOKafkaAdminClient(**up.connection)
    await asyncio.gather(consumer.start(), admin.start())
    try:
        ends = await consumer.end_offsets([TopicPartition(INBOX, n) for n in range(4)])
        done = await admin.list_consumer_group_offsets("claw.tables")
        return sum(end - done[place].offset for place, end in ends.items() if place in done)
    finally:
        await asyncio.gather(consumer.stop(), admin.close())
