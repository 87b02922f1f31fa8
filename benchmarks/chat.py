"""Added time to first token, and chats per second, against calling the stub provider directly in the same run.

The stub answers with a first token after 50 ms and 32 tokens at 5 ms. Client, stub and stack share the machine, and its speed drifts: what
a chat costs each process is therefore also given as CPU, against the CPU of the stub in the same round. `CLAW_BENCH_STREAMS=64` runs one
level only, `CLAW_BENCH_ROUNDS` sets the number of pairs.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from os import environ
from pathlib import Path

import aiohttp

from benchmarks.figures import Figure, median, percentile
from benchmarks.processes import cpu_by_name, cpu_s
from benchmarks.stub_process import launch_stub_provider, stub_model
from claw_client import Client
from ops.stack.launch import stack

MODEL = "stub?first_ms=50&tokens=32&token_ms=5"
PASSAGES = 60
ROUNDS = int(environ.get("CLAW_BENCH_ROUNDS", "3"))
CHATS = {1: 30, 16: 160, 64: 640, 128: 1_280}  # chats measured per number of streams
WARM_UP = {1: 10, 16: 64, 64: 320, 128: 640}  # cold rounds are clearly slower
BARS_MS = {1: "<= 12 ms", 64: "<= 60 ms"}
BARS_RATE = {64: ">= 160", 128: ">= 200"}
CPU_LEVELS = (16, 64, 128)  # with one stream, timers of the processes would dominate
CPU_MS_MIN = 0.05  # of one chat: below that it is background work of the process
STUB = "stub"
QUESTION = "Which harbour does the lighthouse of station {n} guard?"


@dataclass(frozen=True, slots=True)
class Round:
    """What one round measured: seconds to first text of every chat, chats per second, and milliseconds of CPU per chat by process."""

    first_s: list[float]
    rate: float
    cpu_ms: dict[str, float] = field(default_factory=dict)


async def run() -> list[Figure]:
    """Rounds in pairs, direct then through the stack; medians over the pairs."""
    figures: list[Figure] = []
    provider = launch_stub_provider()
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with (
            provider as stub,
            stack(Path(home), settings_for(stub.url)) as up,
            open_session(None) as direct,
            open_session(up.url) as through,
        ):
            client = await Client.register(through, "bench@example.org", "a long benchmark passphrase")
            await load(client)
            conversations = [await client.create_conversation() for _ in range(max(CHATS))]
            chats = (chats_direct(direct, stub.url), chats_through(client, conversations))

            def read_cpu() -> dict[str, float]:
                return {**cpu_by_name(up.process.pid), STUB: cpu_s(stub.process.pid)}

            for streams, count in _levels():
                for chat in chats:
                    await run_round(chat, streams, WARM_UP[streams])
                pairs = [
                    (await run_round(chats[0], streams, count), await measure_cpu(run_round(chats[1], streams, count), count, read_cpu))
                    for _ in range(ROUNDS)
                ]
                figures += _figures(streams, pairs)
    return figures


def _levels() -> list[tuple[int, int]]:
    wanted = environ.get("CLAW_BENCH_STREAMS", "")
    return [(streams, count) for streams, count in CHATS.items() if not wanted or str(streams) in wanted.split(",")]


async def measure_cpu(running: Awaitable[Round], count: int, read_cpu: Callable[[], dict[str, float]]) -> Round:
    """The round with what each process spent on one of its chats."""
    before = read_cpu()
    measured = await running
    cpu_ms = {name: (seconds - before.get(name, 0.0)) * 1000 / count for name, seconds in read_cpu().items()}
    return replace(measured, cpu_ms=cpu_ms)


def settings_for(provider: str) -> dict[str, str]:
    return {
        **stub_model(provider, MODEL),
        "CLAW_LIMIT_ENABLED": "false",
        "CLAW_CAP_FREE_STREAMS_MAX": "0",
        "CLAW_CAP_TENANT_STREAMS_MAX": "0",
    }


def open_session(url: str | None) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(base_url=url, connector=aiohttp.TCPConnector(limit=0))


def _figures(streams: int, pairs: list[tuple[Round, Round]]) -> list[Figure]:
    def percentile_added_ms(share: float) -> float:
        return round(
            median([(percentile(through.first_s, share) - percentile(direct.first_s, share)) * 1000 for direct, through in pairs]), 1
        )

    ratio = round(median([through.rate / direct.rate for direct, through in pairs]), 3)
    rate = round(median([through.rate for _, through in pairs]), 1)
    return [
        Figure(f"first_token_added_p50_{streams}", percentile_added_ms(0.5), "ms", bar=BARS_MS.get(streams, "")),
        Figure(f"first_token_added_p99_{streams}", percentile_added_ms(0.99), "ms"),
        Figure(f"chats_per_second_{streams}", rate, "chats/s", ratio, "the stub called directly", BARS_RATE.get(streams, "")),
        *(_cpu_figures(streams, [through for _, through in pairs]) if streams in CPU_LEVELS else ()),
    ]


def _cpu_figures(streams: int, rounds: list[Round]) -> list[Figure]:
    """Of each process, dearest first, and of the whole stack; the ratios are to the stub's own in the same round."""

    def figure(label: str, of: Callable[[Round], float]) -> Figure:
        ratio = median([of(each) / each.cpu_ms[STUB] for each in rounds])
        return Figure(f"cpu_{label}_{streams}", round(median([of(each) for each in rounds]), 2), "ms", round(ratio, 2), "the stub's own")

    def of_stack(each: Round) -> float:
        return sum(ms for name, ms in each.cpu_ms.items() if name != STUB)

    names = [name for name, ms in sorted(rounds[0].cpu_ms.items(), key=lambda item: -item[1]) if name != STUB and ms >= CPU_MS_MIN]
    return [figure("chat_stack", of_stack), *(figure(f"chat_{name}", lambda each, name=name: each.cpu_ms[name]) for name in names)]  # type: ignore[misc]


async def load(client: Client) -> None:
    for n in range(PASSAGES):
        text = f"The lighthouse of station {n} guards harbour number {n * 7}. Its lamp was lit in {1800 + n}. Its keeper is Keeper{n}. "
        await client.submit(f"station-{n}", text * 4, title=f"Station {n}")
    for n in range(PASSAGES):
        await client.wait_indexed(f"station-{n}")


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


async def run_round(chat: Chat, streams: int, count: int) -> Round:
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
