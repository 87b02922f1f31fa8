"""What a document costs that is sent again: unchanged, or with one paragraph changed. The documents lane counts embeddings itself."""

import asyncio
import json
import random
import re
import tempfile
import time
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaProducer

from benchmarks.documents import event, listed, made
from benchmarks.figures import Figure
from ops.client import Client, stack
from ops.stack.state import read_state

DOCUMENTS = 1_000
WARM_UP = 200
PARAGRAPHS = 100
POLL_S = 0.02
WAIT_S_MAX = 120.0
_COUNT = re.compile(r"^claw_chunks_embedded_total ([0-9.e+]+)", re.MULTILINE)


async def run() -> list[Figure]:
    """The same thousand documents twice through the inbox topic; then a document of a hundred chunks and an edit of it through HTTP."""
    rng = random.Random(11)
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with stack(Path(home), {"CLAW_LIMIT_ENABLED": "false"}) as up, aiohttp.ClientSession(base_url=up.said) as session:
            client = await Client.with_token(session, (Path(home) / "key").read_text(encoding="utf-8").strip())
            state = read_state(Path(home))
            assert state is not None
            producer = AIOKafkaProducer(bootstrap_servers=state.kafka, acks="all")
            await producer.start()
            try:
                await _sent(producer, client, made(rng, WARM_UP), "indexed")
                documents = made(rng, DOCUMENTS)
                first_s = await _sent(producer, client, documents, "indexed")
                embedded = await _embedded(session, Path(home))
                again_s = await _sent(producer, client, documents, "unchanged")
                embedded_again = await _embedded(session, Path(home)) - embedded
            finally:
                await producer.stop()
            edit = await _edited(session, Path(home), client, rng)
    return [
        Figure("unchanged_per_second", round(DOCUMENTS / again_s), "documents/s", round(first_s / again_s, 1), "the first time", ">= 10x"),
        Figure("unchanged_embedded", embedded_again, "chunks", bar="0"),
        Figure("edit_chunks", edit[0], "chunks"),
        Figure("edit_embedded", edit[1], "chunks", bar="<= 3"),
    ]


async def _sent(producer: AIOKafkaProducer, client: Client, documents: list[tuple[str, str]], state: str) -> float:
    """Seconds until every document has come to this state."""
    began = time.perf_counter()
    await asyncio.gather(*[await producer.send("claw.inbox.default.v1", event(*each), each[0].encode()) for each in documents])
    await _in(client, documents[-1][0], state)
    left = {document for document, _ in documents}
    while left:
        left -= await listed(client, state)
    return time.perf_counter() - began


async def _in(client: Client, document: str, state: str) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while True:
            if (await client.document(document)).get("state") == state:
                return
            await asyncio.sleep(POLL_S)


async def _embedded(session: aiohttp.ClientSession, home: Path) -> int:
    """Chunks whose vectors the documents lane has computed since its start."""
    lines = (home / "logs" / "documents.log").read_text(encoding="utf-8").splitlines()
    (port,) = {json.loads(line)["metrics_port"] for line in lines if '"lane_started"' in line}
    async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        found = _COUNT.search(await answer.text())
    return int(float(found[1])) if found else 0


async def _edited(session: aiohttp.ClientSession, home: Path, client: Client, rng: random.Random) -> tuple[int, int]:
    """Chunks of a long document, and how many of them were embedded again when one paragraph in the middle changed."""
    paragraphs = [f"# Part {n}\n\n{text}" for n, (_, text) in enumerate(made(rng, PARAGRAPHS, bytes_max=1_100))]
    first = await client.submit("book", "\n\n".join(paragraphs), media_type="text/markdown")
    await client.indexed("book", version=first["version"])
    before = await _embedded(session, home)
    paragraphs[PARAGRAPHS // 2] += " The edition of this year has one sentence more."
    second = await client.submit("book", "\n\n".join(paragraphs), media_type="text/markdown")
    state = await client.indexed("book", version=second["version"])
    return state["chunks"], await _embedded(session, home) - before
