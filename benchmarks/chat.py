"""Added time to first token, and chats per second, against calling the stub provider directly in the same run.

The stub answers with a first token after 50 ms and 32 tokens at 5 ms. Client, stub and stack share the machine.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from os import environ
from pathlib import Path

import aiohttp

from benchmarks.figures import Figure, median, percentile
from ops.client import Client, announced, stack

MODEL = "stub?first_ms=50&tokens=32&token_ms=5"
PASSAGES = 60
ROUNDS = 3
CHATS = {1: 30, 16: 160, 64: 640}  # chats measured per number of streams
WARM_UP = {1: 10, 16: 64, 64: 320}  # cold rounds are clearly slower
QUESTION = "Which harbour does the lighthouse of station {n} guard?"


@dataclass(frozen=True, slots=True)
class Round:
    """What one round measured: seconds to first text of every chat, and chats per second."""

    first_s: list[float]
    rate: float


async def run() -> list[Figure]:
    """Rounds in pairs, direct then through the stack; medians over the pairs."""
    figures: list[Figure] = []
    provider = announced([sys.executable, "-m", "benchmarks.stub_provider", "--port", "0"], "listening ", environ)
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with (
            provider as stub,
            stack(Path(home), settings_for(stub.said)) as up,
            _session(None) as direct,
            _session(up.said) as through,
        ):
            client = await Client.register(through, "bench@example.org", "a long benchmark passphrase")
            await load(client)
            conversations = [await client.conversation() for _ in range(max(CHATS))]
            chats = (chats_direct(direct, stub.said), chats_through(client, conversations))
            for streams, count in CHATS.items():
                for chat in chats:
                    await _round(chat, streams, WARM_UP[streams])
                pairs = [(await _round(chats[0], streams, count), await _round(chats[1], streams, count)) for _ in range(ROUNDS)]
                figures += _figures(streams, pairs)
    return figures


def settings_for(provider: str) -> dict[str, str]:
    return {
        "CLAW_MODEL_PROVIDER": "openai",
        "CLAW_MODEL_BASE_URL": provider,
        "CLAW_MODEL_API_KEY": "bench",
        "CLAW_MODEL_NAME": MODEL,
        "CLAW_CACHE_ANSWERS": "off",  # every chat is the model's
        "CLAW_LIMIT_ENABLED": "false",
    }


def _session(url: str | None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(base_url=url, connector=aiohttp.TCPConnector(limit=0))


def _figures(streams: int, pairs: list[tuple[Round, Round]]) -> list[Figure]:
    def added_ms(share: float) -> float:
        return round(
            median([(percentile(through.first_s, share) - percentile(direct.first_s, share)) * 1000 for direct, through in pairs]), 1
        )

    ratio = round(median([through.rate / direct.rate for direct, through in pairs]), 3)
    rate = round(median([through.rate for _, through in pairs]), 1)
    bars = {1: "<= 15 ms", 64: "<= 75 ms"}
    return [
        Figure(f"first_token_added_p50_{streams}", added_ms(0.5), "ms", bar=bars.get(streams, "")),
        Figure(f"first_token_added_p99_{streams}", added_ms(0.99), "ms"),
        Figure(f"chats_per_second_{streams}", rate, "chats/s", ratio, "the stub called directly", ">= 130" if streams == 64 else ""),
    ]


async def load(client: Client) -> None:
    for n in range(PASSAGES):
        text = f"The lighthouse of station {n} guards harbour number {n * 7}. Its lamp was lit in {1800 + n}. Its keeper is Keeper{n}. "
        await client.submit(f"station-{n}", text * 4, title=f"Station {n}")
    for n in range(PASSAGES):
        await client.indexed(f"station-{n}")


Chat = Callable[[int, int], Awaitable[float]]  # (stream, number of the chat) -> seconds to first text


def chats_through(client: Client, conversations: list[str]) -> Chat:
    async def chat(stream: int, n: int) -> float:
        began = time.perf_counter()
        async with client.ask(conversations[stream], QUESTION.format(n=n % PASSAGES)) as answer:
            return await _first(answer, began, b"event: delta", b"event: completed")

    return chat


def chats_direct(session: aiohttp.ClientSession, provider: str) -> Chat:
    async def chat(_stream: int, n: int) -> float:
        began = time.perf_counter()
        body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": QUESTION.format(n=n % PASSAGES)}]}
        async with session.post(f"{provider}/chat/completions", json=body, headers={"Authorization": "Bearer bench"}) as answer:
            answer.raise_for_status()
            return await _first(answer, began, b'"content":', b"[DONE]")

    return chat


async def _first(answer: aiohttp.ClientResponse, began: float, first: bytes, last: bytes) -> float:
    """Seconds to the first text; reads to the end, and fails when it does not come."""
    first_s, tail = 0.0, b""
    async for part in answer.content.iter_any():
        tail = tail[-64:] + part
        if not first_s and first in tail:
            first_s = time.perf_counter() - began
        if last in tail:
            return first_s
    raise SystemExit(f"a stream ended without {last.decode()}: {tail[-300:]!r}")


async def _round(chat: Chat, streams: int, count: int) -> Round:
    numbers = iter(range(count))
    first_s: list[float] = []

    async def stream(which: int) -> None:
        for n in numbers:
            first_s.append(await chat(which, n))  # noqa: PERF401  the streams share the numbers

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for which in range(streams):
            group.create_task(stream(which))
    return Round(first_s, count / (time.perf_counter() - began))
