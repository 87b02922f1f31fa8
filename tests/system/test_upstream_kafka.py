"""What producers of upstream systems do with Kafka itself: codecs and transactions. Nothing of it stops anybody."""

import asyncio
import json
import os
import signal
import struct
import uuid
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from claw_client import Client
from tests.support.found_passages import chunks, search
from tests.system.conftest import Up, records

INBOX = "claw.inbox.default.v1"
FETCH_S = 1.2  # a fetch waits half a second at the broker
MARK = "The chest is sealed. "
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


async def test_a_batch_that_nobody_can_read_is_passed_and_named(up: Up, owner: Client):
    """One grows without end when it is decompressed, one is damaged on the broker's disk; the documents around them are read."""
    producer = AIOKafkaProducer(**up.connection, compression_type="zstd", max_request_size=64 << 20, max_batch_size=64 << 20)
    await producer.start()
    reader = up.process("tables").pid
    try:
        bomb = await producer.send_and_wait(INBOX, bytes(20 << 20), b"bomb", partition=2)
        os.kill(reader, signal.SIGSTOP)
        await asyncio.sleep(FETCH_S)  # its fetch has ended at the broker: the next one reads what is on the disk by then
        damaged = await producer.send_and_wait(INBOX, event(owner.knowledge_base, "damaged", MARK * 4), b"damaged", partition=2)
        damage(up.home, damaged.offset)
        await producer.send_and_wait(INBOX, event(owner.knowledge_base, "behind", "The ferry lands at noon."), b"behind", partition=2)
    finally:
        os.kill(reader, signal.SIGCONT)
        await producer.stop()
    await owner.wait_indexed("behind", timeout_s=30)
    assert not await owner.document("damaged")
    found = {
        (headers["offset"], headers["code"], headers["error"])
        for headers in [dict(each.headers) for each in await records(up, "claw.dead-letters.v1")]
        if headers["topic"] == INBOX.encode() and headers["partition"] == b"2" and int(headers["offset"]) >= bomb.offset
    }
    offsets = [str(each.offset).encode() for each in (bomb, damaged)]
    assert found == {(offsets[0], b"batch_unreadable", b"size"), (offsets[1], b"batch_unreadable", b"checksum")}
    _, printed = await up.command("doctor")
    (line,) = [line for line in printed.splitlines() if " batches " in line]
    assert line.startswith("warn")
    assert f"{INBOX}:2:{damaged.offset}" in line
    await no_lag(up, owner)


def damage(home: Path, offset: int) -> None:
    """Change the last byte of the batch that begins at this offset, in the log of partition 2."""
    (segment,) = home.rglob(f"{INBOX}-2/*.log")
    data, at = segment.read_bytes(), 0
    while True:
        base, length = struct.unpack_from(">qi", data, at)
        if base == offset:
            break
        at += 12 + length
    with segment.open("r+b") as file:
        file.seek(at + 12 + length - 1)
        file.write(bytes([data[at + 12 + length - 1] ^ 0xFF]))


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
