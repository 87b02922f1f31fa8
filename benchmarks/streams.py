"""Many open streams on one API process: what each costs, whether all of them end, whether the silent ones are kept alive; how fast a cancel
takes effect; and what gathering the deltas saves per token.

The stub's answers are slow for the first: three tokens, 25 s apart, so that every stream is silent for longer than a heartbeat.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.figures import Figure, median, percentile
from benchmarks.processes import cpu_s, resident_kib
from benchmarks.stub_process import launch_stub_provider, stub_model
from claw_client import Client
from ops.stack.launch import stack
from ops.stack.state import read_state

STREAMS = 2_000
WARM_UP = 200
OPENING_MAX = 64  # questions under way while streams are opened
SLOW = "stub?first_ms=50&tokens=3&token_ms=25000"
HEARTBEAT_S = 10.0
CANCELS = 20
TOKENS, GATHERED_STREAMS, GATHERED_ROUNDS = 300, 32, 2
QUICK = f"stub?first_ms=50&tokens={TOKENS}&token_ms=20"
WINDOWS_MS = {"gathered": 80, "alone": 0}
PROCESSES = {"api": "api", "chat": "chat"}  # component -> the name of its figure
POLL_S = 0.005


@dataclass(frozen=True, slots=True)
class StreamBench:
    """A running stack, a user of it, and the stub behind it."""

    client: Client
    home: Path
    stub: str

    def pid(self, component: str) -> int:
        """The process of one component, as the supervisor keeps it."""
        state = read_state(self.home)
        assert state is not None
        return state.components[component].pid


@dataclass(slots=True)
class Stream:
    """A reader's record: monotonic seconds of every chunk, and how the stream ended."""

    came_s: list[float] = field(default_factory=list)
    text: bytes = b""
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_complete(self) -> bool:
        """Whether the stream ended with a final event."""
        return b"event: completed" in self.text

    @property
    def silence_s(self) -> float:
        """The longest time without a byte."""
        return max((after - before for before, after in zip(self.came_s, self.came_s[1:], strict=False)), default=0.0)


async def run() -> list[Figure]:
    """One stack for open streams and cancels, one for each way of sending deltas."""
    async with launch_stub_provider() as stub:
        async with _bench(stub.url, SLOW, WINDOWS_MS["gathered"]) as bench:
            figures = [*await _open_streams(bench), *await _cancels(bench)]
        spent = {}
        for name, window_ms in WINDOWS_MS.items():
            async with _bench(stub.url, QUICK, window_ms) as bench:
                spent[name] = await _per_token_ms(bench)
    for component, name in PROCESSES.items():
        gathered, alone = spent["gathered"][component], spent["alone"][component]
        figures.append(Figure(f"{name}_cpu_per_token", round(gathered, 4), "ms", round(gathered / alone, 3), "every token sent alone"))
    return figures


@asynccontextmanager
async def _bench(stub: str, model: str, window_ms: int) -> AsyncIterator[StreamBench]:
    settings = {
        **stub_model(stub, model),
        "CLAW_MODEL_CONCURRENCY": str(STREAMS),
        "CLAW_MODEL_DELTA_WINDOW_MS": str(window_ms),
        "CLAW_LIMIT_ENABLED": "false",
        "CLAW_CAP_FREE_STREAMS_MAX": "0",
        "CLAW_CAP_TENANT_STREAMS_MAX": "0",
    }
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with stack(Path(home), settings) as up:
            timeout = aiohttp.ClientTimeout(total=None)
            async with aiohttp.ClientSession(up.url, connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
                client = await Client.register(session, "bench@example.org", "a long benchmark passphrase")
                yield StreamBench(client, Path(home), stub)


async def _conversations(bench: StreamBench, count: int) -> list[str]:
    room = asyncio.Semaphore(OPENING_MAX)

    async def one() -> str:
        async with room:
            return await bench.client.create_conversation(mode="assistant")  # without documents, too

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def _read(bench: StreamBench, conversation: str, stream: Stream, room: asyncio.Semaphore) -> None:
    """Ask and read to the end; ``room`` is held until the first text."""
    async with room:
        asked = bench.client.ask(conversation, "Which harbour?")
        answer = await asked.__aenter__()
        parts = answer.content.iter_any()
        while b"event: delta" not in stream.text:
            _take(stream, await anext(parts))
        stream.opened.set()
    try:
        async for part in parts:
            _take(stream, part)
    finally:
        await asked.__aexit__(None, None, None)


def _take(stream: Stream, part: bytes) -> None:
    stream.came_s.append(time.monotonic())
    stream.text += part


async def _open_streams(bench: StreamBench) -> list[Figure]:
    conversations = await _conversations(bench, STREAMS + WARM_UP)
    await _run_streams(bench, conversations[STREAMS:], None)
    api = bench.pid("api")
    before_kib = resident_kib(api)
    used_kib: list[float] = []
    streams = await _run_streams(bench, conversations[:STREAMS], lambda: used_kib.append(resident_kib(api) - before_kib))
    silences = [stream.silence_s for stream in streams]
    return [
        Figure("open_stream_memory", round(used_kib[0] / STREAMS, 1), "KiB", bar="<= 32 KiB"),
        Figure("open_streams_dropped", sum(not stream.is_complete for stream in streams), f"of {STREAMS}", bar="0"),
        Figure("heartbeat_late_max", round(max(silences) - HEARTBEAT_S, 2), "s"),
        Figure("heartbeat_late_p99", round(percentile(silences, 0.99) - HEARTBEAT_S, 2), "s"),
    ]


async def _run_streams(bench: StreamBench, conversations: list[str], all_open: Any) -> list[Stream]:
    """Every stream, read to its end; ``all_open`` is called once all of them are."""
    room, streams = asyncio.Semaphore(OPENING_MAX), [Stream() for _ in conversations]
    async with asyncio.TaskGroup() as group:
        for conversation, stream in zip(conversations, streams, strict=True):
            group.create_task(_read(bench, conversation, stream, room))
        for stream in streams:
            await stream.opened.wait()
        if all_open is not None:
            all_open()
    return streams


async def _cancels(bench: StreamBench) -> list[Figure]:
    """From the request to ``cancelled`` on the stream, and to the provider's connection being closed; one reply at a time."""
    told_s, closed_s = [], []
    session = bench.client.session
    for conversation in await _conversations(bench, CANCELS):
        async with bench.client.ask(conversation, "Which harbour?") as answer:
            text, parts = b"", answer.content.iter_any()
            while b"event: delta" not in text:
                text += await anext(parts)
            reply = text.split(b'"reply_id":"', 1)[1].split(b'"', 1)[0].decode()
            began_s = time.monotonic()
            closing = asyncio.create_task(_wait_closed(bench, began_s))
            path = f"/api/v1/conversations/{conversation}/replies/{reply}/cancel"
            async with session.post(path, headers=bench.client.headers) as accepted:
                accepted.raise_for_status()
            while b"event: cancelled" not in text:
                text += await anext(parts)
            told_s.append(time.monotonic() - began_s)
            closed_s.append(await closing)
    return [
        Figure("cancel_told_p50", round(median(told_s) * 1000, 1), "ms", bar="<= 200 ms"),
        Figure("cancel_told_max", round(max(told_s) * 1000, 1), "ms"),
        Figure("cancel_provider_closed_p50", round(median(closed_s) * 1000, 1), "ms", bar="<= 200 ms"),
        Figure("cancel_provider_closed_max", round(max(closed_s) * 1000, 1), "ms"),
    ]


async def _wait_closed(bench: StreamBench, began_s: float) -> float:
    """Seconds until the stub has no request open any more, seen every 5 ms."""
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(bench.stub.removesuffix("/v1") + "/stats") as answer:
                if (await answer.json())["open"] == 0:
                    return time.monotonic() - began_s
            await asyncio.sleep(POLL_S)


async def _per_token_ms(bench: StreamBench) -> dict[str, float]:
    """CPU milliseconds per token, by component, with some answers streaming at once; the first round is not counted."""
    conversations = await _conversations(bench, GATHERED_STREAMS)
    await _run_streams(bench, conversations, None)
    before = {component: cpu_s(bench.pid(component)) for component in PROCESSES}
    for _ in range(GATHERED_ROUNDS):
        streams = await _run_streams(bench, conversations, None)
        assert all(stream.is_complete for stream in streams)
    tokens = TOKENS * GATHERED_STREAMS * GATHERED_ROUNDS
    return {component: (cpu_s(bench.pid(component)) - spent_s) * 1000 / tokens for component, spent_s in before.items()}
