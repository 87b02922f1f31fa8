"""What people feel of a bulk import, and the import of people: time to first token idle and during one, the import's rate alone and then.

The chats come one after the other, as fast as they are answered; stub, client and stack share the machine.
"""

import asyncio
import random
import sys
import tempfile
from os import environ
from pathlib import Path

import aiohttp
from aiokafka import AIOKafkaProducer

from benchmarks.chat import chats_through, load, settings_for
from benchmarks.documents import bulk, made
from benchmarks.figures import Figure, percentile
from ops.client import Client, announced, stack
from ops.stack.state import read_state

DOCUMENTS = 2_000
WARM_UP_DOCUMENTS, WARM_UP_CHATS = 300, 20
CHATS = 120
STREAMS = 1


async def run() -> list[Figure]:
    """Chats alone, an import alone, then both."""
    rng = random.Random(5)
    provider = announced([sys.executable, "-m", "benchmarks.stub_provider", "--port", "0"], "listening ", environ)
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with provider as stub, stack(Path(home), settings_for(stub.said)) as up, aiohttp.ClientSession(base_url=up.said) as session:
            person = await Client.register(session, "bench@example.org", "a long benchmark passphrase")
            machine = await Client.with_token(session, (Path(home) / "key").read_text(encoding="utf-8").strip())
            await load(person)
            chat = chats_through(person, [await person.conversation() for _ in range(STREAMS)])
            state = read_state(Path(home))
            assert state is not None
            producer = AIOKafkaProducer(bootstrap_servers=state.kafka, acks="all")
            await producer.start()
            try:
                await bulk(producer, machine, made(rng, WARM_UP_DOCUMENTS))
                for n in range(WARM_UP_CHATS):
                    await chat(0, n)
                idle_s = [await chat(0, n) for n in range(CHATS)]
                alone_s = await bulk(producer, machine, made(rng, DOCUMENTS))
                importing = asyncio.create_task(bulk(producer, machine, made(rng, DOCUMENTS)))
                busy_s: list[float] = []
                while not importing.done():
                    busy_s.append(await chat(0, len(busy_s)))
                together_s = await importing
            finally:
                await producer.stop()
    idle_ms, busy_ms = percentile(idle_s, 0.99) * 1000, percentile(busy_s, 0.99) * 1000
    return [
        Figure("first_token_p99_idle", round(idle_ms, 1), "ms"),
        Figure("first_token_p99_importing", round(busy_ms, 1), "ms", round(busy_ms / idle_ms, 2), "idle", "<= 2x"),
        Figure(
            "first_token_p50_importing",
            round(percentile(busy_s, 0.5) * 1000, 1),
            "ms",
            round(percentile(busy_s, 0.5) / percentile(idle_s, 0.5), 2),
            "idle",
        ),
        Figure("import_rate_with_chats", round(DOCUMENTS / together_s), "documents/s", round(alone_s / together_s, 2), "alone", ">= 0.3x"),
        Figure("chats_while_importing", len(busy_s), "chats"),
    ]
