"""Cost of a document sent again: unchanged, or with one paragraph changed. The documents lane counts embeddings itself."""

import asyncio
import json
import random
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiokafka import AIOKafkaProducer

from adapters.kafka import connection_options, make_consumer
from benchmarks.documents import inbox_event, list_in_state, make_documents
from benchmarks.figures import Figure, median
from claw_client import Client
from domain.documents.topics import DOCUMENTS_PROGRESSED
from ops.stack.embedded import locate
from ops.stack.launch import stack
from schemas.documents import DocumentProgressed

DOCUMENTS = 1_000
WARM_UP = 200
PARAGRAPHS = 100
POLL_S = 0.05
REPEATS = 5  # of a seventh of a second each
WAIT_S_MAX = 120.0
_PROGRESS = msgspec.json.Decoder(DocumentProgressed)
_COUNT = re.compile(r"^claw_chunks_embedded_total ([0-9.e+]+)", re.MULTILINE)


async def run() -> list[Figure]:
    """The same thousand documents twice through the inbox topic; then a document of a hundred chunks and an edit of it through HTTP."""
    rng = random.Random(11)
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with stack(Path(home), {"CLAW_LIMIT_ENABLED": "false"}) as up, aiohttp.ClientSession(base_url=up.url) as session:
            client = await Client.with_token(session, (Path(home) / "key").read_text(encoding="utf-8").strip())
            connection = connection_options(locate(Path(home)).kafka)
            await _send_all(connection, client, make_documents(rng, WARM_UP), "indexed")
            documents = make_documents(rng, DOCUMENTS)
            first_s = await _send_all(connection, client, documents, "indexed")
            embedded = await _count_embedded(session, Path(home))
            again_s = median([await _send_all(connection, client, documents, "unchanged") for _ in range(REPEATS)])
            embedded_again = await _count_embedded(session, Path(home)) - embedded
            edit = await _edit_document(session, Path(home), client, rng)
    return [
        Figure("unchanged_per_second", round(DOCUMENTS / again_s), "documents/s", round(first_s / again_s, 1), "the first time", ">= 10x"),
        Figure("unchanged_embedded", embedded_again, "chunks", bar="0"),
        Figure("edit_chunks", edit[0], "chunks"),
        Figure("edit_embedded", edit[1], "chunks", bar="<= 3"),
    ]


async def _send_all(connection: Mapping[str, Any], client: Client, documents: list[tuple[str, str]], wanted: str) -> float:
    """Seconds until ``documents.progressed``, as an upstream system reads it, reports the state ``wanted`` for every document."""
    left = {document for document, _ in documents}
    producer = AIOKafkaProducer(**connection, acks="all")
    consumer = make_consumer(connection, DOCUMENTS_PROGRESSED.name, auto_offset_reset="latest")
    await asyncio.gather(producer.start(), consumer.start())
    try:
        await asyncio.gather(consumer.seek_to_end(), producer.partitions_for("claw.inbox.default.v1"))
        began = time.perf_counter()
        sent = [await producer.send("claw.inbox.default.v1", inbox_event(*each), each[0].encode()) for each in documents]
        async with asyncio.timeout(WAIT_S_MAX):
            while left:
                for records in (await consumer.getmany(timeout_ms=1_000)).values():
                    told = [_PROGRESS.decode(record.value or b"").data for record in records]
                    left -= {each.document_id for each in told if each.state == wanted}
        took_s = time.perf_counter() - began
        await asyncio.gather(*sent)
    finally:
        await asyncio.gather(producer.stop(), consumer.stop())
    async with asyncio.timeout(WAIT_S_MAX):  # the tables follow a moment later
        while not {document for document, _ in documents} <= await list_in_state(client, wanted):  # noqa: ASYNC110 - another process's
            await asyncio.sleep(POLL_S)
    return took_s


async def _count_embedded(session: aiohttp.ClientSession, home: Path) -> int:
    """Chunks whose vectors the documents lane has computed since its start."""
    lines = (home / "logs" / "documents.log").read_text(encoding="utf-8").splitlines()
    (port,) = {json.loads(line)["metrics_port"] for line in lines if '"lane_started"' in line}
    async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        found = _COUNT.search(await answer.text())
    return int(float(found[1])) if found else 0


async def _edit_document(session: aiohttp.ClientSession, home: Path, client: Client, rng: random.Random) -> tuple[int, int]:
    """Chunks of a long document, and how many of them were embedded again when one paragraph in the middle changed."""
    paragraphs = [f"# Part {n}\n\n{text}" for n, (_, text) in enumerate(make_documents(rng, PARAGRAPHS, bytes_max=1_100))]
    first = await client.submit("book", "\n\n".join(paragraphs), media_type="text/markdown")
    await client.wait_indexed("book", version=first["version"])
    before = await _count_embedded(session, home)
    paragraphs[PARAGRAPHS // 2] += " The edition of this year has one sentence more."
    second = await client.submit("book", "\n\n".join(paragraphs), media_type="text/markdown")
    state = await client.wait_indexed("book", version=second["version"])
    return state["chunks"], await _count_embedded(session, home) - before
