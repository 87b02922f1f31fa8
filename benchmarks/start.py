"""From ``claw up`` in an empty folder to the end of a first cited answer, packages and jars in place."""

import asyncio
import tempfile
import time
from pathlib import Path

import aiohttp

from benchmarks.figures import Figure, median
from claw_client import Client, events
from ops.stack.launch import stack

RUNS = 3
TEXT = "The lighthouse of Amrum was built in 1875 and is 41.8 metres high. Its lamp stands 63 metres above the sea."
QUESTION = "When was the lighthouse of Amrum built?"


async def run() -> list[Figure]:
    """Medians over RUNS cold starts."""
    ready_s, answer_s = [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
            began = time.perf_counter()
            async with stack(Path(home), {}) as up, aiohttp.ClientSession(base_url=up.url) as session:
                ready_s.append(time.perf_counter() - began)
                await _first_answer(session)
                answer_s.append(time.perf_counter() - began)
    return [
        Figure("cold_start_ready", round(median(ready_s), 1), "s"),
        Figure("cold_start_first_answer", round(median(answer_s), 1), "s", bar="<= 20 s"),
    ]


async def _first_answer(session: aiohttp.ClientSession) -> None:
    client = await Client.register(session, "bench@example.org", "a long benchmark passphrase")
    await client.submit("amrum", TEXT)
    await client.wait_indexed("amrum")
    async with asyncio.timeout(30), client.ask(await client.create_conversation(), QUESTION) as answer:
        async for sent in events(answer.content):
            if sent.name == "completed" and not sent.data["citations"]:
                raise SystemExit("the first answer cites nothing")
