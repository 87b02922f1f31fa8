"""Documents of 2 KB from submission to searchable: rate through Kafka in bulk, and the time of one alone.

The baseline of the rate is the same bytes put on a bare topic with the same client: what the log alone takes. That of one document is one
record written and read back, measured before each document: a document is five records one after another.
"""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
from aiokafka import AIOKafkaProducer, TopicPartition

from adapters.kafka import connection_options, make_consumer
from benchmarks.figures import Figure, percentile
from claw_client import Client
from ops.stack.embedded import locate
from ops.stack.launch import stack

DOCUMENTS = 2_000
ALONE = 40
WARM_UP = 300
BYTES = 2_048
WORDS = (
    "harbour lighthouse keeper signal storm ledger archive river bridge copper engine winter letter garden island market council journey "
    "captain anchor compass meadow quarry lantern harvest tunnel station village glacier orchard"
).split()
POLL_S = 0.05


async def run() -> list[Figure]:
    """In bulk through the inbox topic; alone through HTTP."""
    rng = random.Random(7)
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with stack(Path(home), {"CLAW_LIMIT_ENABLED": "false"}) as up, aiohttp.ClientSession(base_url=up.url) as session:
            client = await Client.with_token(session, (Path(home) / "key").read_text(encoding="utf-8").strip())
            connection = connection_options(locate(Path(home)).kafka)
            producer = AIOKafkaProducer(**connection, acks="all")
            await producer.start()
            try:
                await bulk(producer, client, make_documents(rng, WARM_UP))
                bare_s = await _time_bare_produce(producer, make_documents(rng, DOCUMENTS))
                bulk_s = await bulk(producer, client, make_documents(rng, DOCUMENTS))
                alone_ms, hop_ms = await _time_alone(producer, connection, client, make_documents(rng, ALONE))
            finally:
                await producer.stop()
    alone_p50, hop_p50 = percentile(alone_ms, 0.5), percentile(hop_ms, 0.5)
    return [
        Figure("documents_per_second", round(DOCUMENTS / bulk_s), "documents/s", round(bare_s / bulk_s, 3), "bare produce", ">= 250"),
        Figure("searchable_alone_p50", round(alone_p50, 1), "ms", round(alone_p50 / hop_p50, 1), "one record through the log", "<= 30 ms"),
        Figure("searchable_alone_p99", round(percentile(alone_ms, 0.99), 1), "ms", bar="<= 250 ms"),
    ]


def make_documents(rng: random.Random, count: int, bytes_max: int = BYTES) -> list[tuple[str, str]]:
    """Documents of random words, as (id, text)."""
    documents = []
    for _ in range(count):
        text = ""
        while len(text) < bytes_max:
            text += " ".join(rng.choices(WORDS, k=12)).capitalize() + ". "
        documents.append((str(uuid4()), text[:bytes_max]))
    return documents


def inbox_event(document: str, text: str) -> bytes:
    """A document as an upstream system publishes it."""
    said = {"specversion": "1.0", "id": document, "source": "/bench", "type": "bench.document", "data": {"title": document, "text": text}}
    return json.dumps(said).encode()


async def _time_bare_produce(producer: AIOKafkaProducer, documents: list[tuple[str, str]]) -> float:
    began = time.perf_counter()
    sent = [await producer.send("claw.dead-letters.v1", inbox_event(*each), each[0].encode()) for each in documents]
    await asyncio.gather(*sent)
    return time.perf_counter() - began


async def bulk(producer: AIOKafkaProducer, client: Client, documents: list[tuple[str, str]]) -> float:
    """Seconds until every document is searchable."""
    began = time.perf_counter()
    sent = [await producer.send("claw.inbox.default.v1", inbox_event(*each), each[0].encode()) for each in documents]
    await asyncio.gather(*sent)
    await client.wait_indexed(documents[-1][0], poll_s=POLL_S)
    left = {document for document, _ in documents}
    while left:
        left -= await list_in_state(client, "indexed")
    return time.perf_counter() - began


async def list_in_state(client: Client, state: str) -> set[str]:
    """All documents in this state now, a hundred a page: one request per document would measure the requests."""
    found: set[str] = set()
    cursor: str | None = ""
    while cursor is not None:
        async with client.session.get(client.documents, params={"limit": 100, "cursor": cursor}, headers=client.headers) as answer:
            page = await answer.json()
        found |= {item["document_id"] for item in page["items"] if item["state"] == state}
        cursor = page["next_cursor"]
    return found


async def _time_alone(
    producer: AIOKafkaProducer, connection: Mapping[str, Any], client: Client, documents: list[tuple[str, str]]
) -> tuple[list[float], list[float]]:
    """Milliseconds of one document at a time, and of one record through the log before each."""
    reader, place = make_consumer(connection, group_id=None), TopicPartition("claw.dead-letters.v1", 0)
    await reader.start()
    try:
        reader.assign([place])
        await reader.seek_to_end(place)
        alone_ms, hop_ms = [], []
        for document, text in documents:
            began = time.perf_counter()
            await producer.send(place.topic, inbox_event(document, text), partition=place.partition)
            while not (await reader.getmany(place, timeout_ms=1_000)).get(place):
                pass
            hop_ms.append((time.perf_counter() - began) * 1000)
            alone_ms.append(await _alone(client, text))
    finally:
        await reader.stop()
    return alone_ms, hop_ms


async def _alone(client: Client, text: str) -> float:
    document = str(uuid4())
    began = time.perf_counter()
    await client.submit(document, text)
    await client.wait_indexed(document, poll_s=0.003)
    return (time.perf_counter() - began) * 1000
