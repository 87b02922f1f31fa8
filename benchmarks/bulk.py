"""Chats and a bulk import at once: time to first token with and without an import, and the import's rate with and without chats.

The chats come one after the other, as fast as they are answered; stub, client and stack share the machine.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from benchmarks.chat import chats_through, load, settings_for
from benchmarks.figures import Figure, percentile
from benchmarks.importer import document_name
from benchmarks.stub_process import launch_stub_provider
from claw_client import Client
from ops.stack.launch import stack

DOCUMENTS = 8_000
WARM_UP_DOCUMENTS, WARM_UP_CHATS = 500, 20
CHATS = 120
POLL_S = 0.2
TAIL = 32  # the last documents, which the benchmark waits for: they are spread over all partitions, which are processed in order
WAIT_S_MAX = 120.0


async def run() -> list[Figure]:
    """Chats alone, an import alone, then both. The import comes from a process of its own: the chats' client must not wait for it."""
    provider = launch_stub_provider()
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with provider as stub, stack(Path(home), settings_for(stub.url)) as up, aiohttp.ClientSession(base_url=up.url) as session:
            person = await Client.register(session, "bench@example.org", "a long benchmark passphrase")
            machine = await Client.with_token(session, (Path(home) / "key").read_text(encoding="utf-8").strip())
            await load(person)
            chat = chats_through(person, [await person.create_conversation()])
            await _import_documents(machine, home, 1, WARM_UP_DOCUMENTS)
            for n in range(WARM_UP_CHATS):
                await chat(0, n)
            idle_s = [await chat(0, n) for n in range(CHATS)]
            alone_s = await _import_documents(machine, home, 2, DOCUMENTS)
            importing = asyncio.create_task(_import_documents(machine, home, 3, DOCUMENTS))
            busy_s: list[float] = []
            while not importing.done():
                busy_s.append(await chat(0, len(busy_s)))
            together_s = await importing
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


async def _import_documents(client: Client, home: str, seed: int, count: int) -> float:
    """Seconds from the first document sent until the last one of every partition's order is searchable."""
    command = (sys.executable, "-m", "benchmarks.importer", home, str(seed), str(count))
    importer = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert importer.stdout is not None
    await importer.stdout.readline()
    began = time.perf_counter()
    assert await importer.wait() == 0
    for number in range(count - TAIL, count):
        await client.wait_indexed(document_name(seed, number), poll_s=POLL_S, timeout_s=WAIT_S_MAX)
    return time.perf_counter() - began
