"""What a document costs that is sent again: unchanged, or with one paragraph changed. The documents lane counts embeddings itself."""

import asyncio
import random
import re
import tempfile
import time
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaProducer

from benchmarks.documents import event, made
from benchmarks.figures import Figure
from ops.client import Client, stack
from ops.stack.state import read_state

DOCUMENTS = 1_000
WARM_UP = 200
PARAGRAPHS = 100
TIMES = ("submitted", "sent again")
POLL_S = 0.02
TERMINAL = {"submitted": {"indexed"}, "sent again": {"unchanged"}}
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
                await _sent(producer, client, made(rng, WARM_UP), "submitted")
                documents = made(rng, DOCUMENTS)
                first_s = await _sent(producer, client, documents, "submitted")
                embedded = await _embedded(session, up.said)
                again_s = await _sent(producer, client, documents, "sent again")
                embedded_again = await _embedded(session, up.said) - embedded
            finally:
                await producer.stop()
            edit = await _edited(session, up.said, client, rng)
    return [
        Figure("unchanged_per_second", round(DOCUMENTS / again_s), "documents/s", round(first_s / again_s, 1), "the first time", ">= 10x"),
        Figure("unchanged_embedded", embedded_again, "chunks", bar="0"),
        Figure("edit_chunks", edit[0], "chunks"),
        Figure("edit_embedded", edit[1], "chunks", bar="<= 3"),
    ]


async def _sent(producer: AIOKafkaProducer, client: Client, documents: list[tuple[str, str]], time_: str) -> float:
    """Seconds until every document has come to the end that it must."""
    began = time.perf_counter()
    await asyncio.gather(*[await producer.send("claw.inbox.default.v1", event(*each), each[0].encode()) for each in documents])
    left = [document for document, _ in documents]
    while left:
        while left and (await client.document(left[-1])).get("state") in TERMINAL[time_]:
            left.pop()
        if left:
            await asyncio.sleep(POLL_S)
    return time.perf_counter() - began


async def _embedded(session: aiohttp.ClientSession, _url: str) -> int:
    """Chunks whose vectors the documents lane has computed since its start."""
    async with session.get("/readyz") as answer:
        workers = (await answer.json())["workers"]
    (port,) = {worker["metrics_port"] for worker in workers if worker["lane"] == "documents"}
    async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        found = _COUNT.search(await answer.text())
    return int(float(found[1])) if found else 0


async def _edited(session: aiohttp.ClientSession, url: str, client: Client, rng: random.Random) -> tuple[int, int]:
    """Chunks of a long document, and how many of them were embedded again when one paragraph in the middle changed."""
    paragraphs = [f"# Part {n}\n\n{text}" for n, (_, text) in enumerate(made(rng, PARAGRAPHS, bytes_max=1_100))]
    first = await client.submit("book", "\n\n".join(paragraphs), media_type="text/markdown")
    await client.indexed("book", version=first["version"])
    before = await _embedded(session, url)
    paragraphs[PARAGRAPHS // 2] += " The edition of this year has one sentence more."
    second = await client.submit("book", "\n\n".join(paragraphs), media_type="text/markdown")
    state = await client.indexed("book", version=second["version"])
    return state["chunks"], await _embedded(session, url) - before
