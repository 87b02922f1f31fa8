"""Twenty users chat while every hostile pattern of ``benchmarks.hostile_connections`` runs: ``make chaos-http``.

The users chat alone and under attack (``CLAW_TEST_CHAOS_HTTP_S`` seconds, 60), in turns, each from an address of its own, with the limits
that an installation has by default but for the budget of model tokens. Both are measured in the same run, so that the ratio holds on a
machine that others use, too. The exit status is 1 when a bar is missed.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from os import environ
from pathlib import Path

import aiohttp
import uvloop

from benchmarks.figures import Figure, percentile, save_figures, show
from benchmarks.hostile_connections import PATTERNS
from benchmarks.processes import cpu_s, resident_kib
from benchmarks.stub_process import launch_stub_provider, stub_model
from claw_client import ApiError, Client
from ops.stack.launch import stack
from ops.stack.state import read_state

USERS = 20
EVERY_S = 2.0  # a user asks
ROUNDS = 3  # idle, then attacked, so that a machine that slows down meanwhile slows both
ATTACK_S = float(environ.get("CLAW_TEST_CHAOS_HTTP_S", "60")) / ROUNDS
IDLE_S = ATTACK_S / 2
WARM_UP_S = 6.0
SAMPLE_S = 0.5
RATIO_MAX = 2.0
GROWTH_MIB_MAX = 96.0
MODEL = "stub?first_ms=50&tokens=32&token_ms=5"
SETTINGS = {
    "CLAW_LIMIT_TOKENS_FREE_PER_MINUTE": "0",
    "CLAW_LIMIT_TOKENS_FREE_PER_DAY": "0",
    "CLAW_LIMIT_STREAMS_MAX": "200",  # so few that the silent connections alone fill the server
    "CLAW_SOCKET_SOCKETS_MAX": "100",
    "CLAW_HTTP_CONNECTIONS_MAX": "300",
}


@dataclass(slots=True)
class Chats:
    """What the users saw: seconds to the first token and of whole answers, and refusals by their code."""

    first_s: list[float] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


async def run() -> list[Figure]:
    """A stack of its own, idle and attacked."""
    async with AsyncExitStack() as running:
        stub = await running.enter_async_context(launch_stub_provider())
        home = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="claw-bench-")))
        up = await running.enter_async_context(stack(home, SETTINGS | stub_model(stub.url, MODEL)))
        users = [await running.enter_async_context(_user(up.url, number)) for number in range(USERS)]
        conversations = [await user.create_conversation(mode="assistant") for user in users]
        state = read_state(home)
        assert state is not None
        pid = state.components["api"].pid
        await _chat(users, conversations, WARM_UP_S, Chats())
        before_mib = resident_kib(pid) / 1024
        sampling = asyncio.create_task(_sample_mib(pid))
        idle, attacked, opened, spent_s = Chats(), Chats(), Counter[str](), 0.0
        for _ in range(ROUNDS):
            await _chat(users, conversations, IDLE_S, idle)
            attacking, before_s = asyncio.create_task(_attack(up.url)), cpu_s(pid)
            await _chat(users, conversations, ATTACK_S, attacked)
            spent_s += cpu_s(pid) - before_s
            opened += await attacking
        sampling.cancel()
        samples = await sampling
    print(json.dumps({"opened": opened, "memory_mib": [round(each) for each in samples], "refused": attacked.refused}), file=sys.stderr)
    return [
        *_latencies(idle, attacked),
        Figure("refused", sum((idle.refused + attacked.refused).values()), f"of {len(attacked.whole_s)} questions", bar="0"),
        Figure("memory_growth", round(max(samples) - before_mib, 1), "MiB", bar=f"<= {GROWTH_MIB_MAX:g} MiB"),
        Figure("memory_end", round(samples[-1], 1), "MiB", round(samples[-1] / before_mib, 2), f"before ({before_mib:.0f} MiB)"),
        Figure("api_cpu", round(spent_s / (ROUNDS * ATTACK_S) * 100), "% of a core"),
        Figure("patterns", sum(1 for each in PATTERNS if opened[each.name]), f"of {len(PATTERNS)} kinds of connections", bar=">= 20"),
        Figure("hostile_connections", opened.total(), "connections"),
    ]


@asynccontextmanager
async def _user(url: str, number: int) -> AsyncIterator[Client]:
    """A new user with an address of its own."""
    connector = aiohttp.TCPConnector(local_addr=(f"127.0.1.{number + 1}", 0))
    async with aiohttp.ClientSession(url, connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield await Client.register(session, f"user{number}@example.org", "a long benchmark passphrase")


async def _chat(users: list[Client], conversations: list[str], seconds: float, chats: Chats) -> None:
    """Every user asks every ``EVERY_S``, spread over that time."""
    end_s = time.monotonic() + seconds

    async def one(number: int) -> None:
        await asyncio.sleep(EVERY_S * number / len(users))
        while (began_s := time.monotonic()) < end_s:
            try:
                await _ask(users[number], conversations[number], chats)
            except ApiError as error:
                chats.refused[error.code] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                chats.refused[type(error).__name__] += 1
            await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began_s)))

    await asyncio.gather(*map(one, range(len(users))))


async def _ask(user: Client, conversation: str, chats: Chats) -> None:
    began_s, first_s, text = time.monotonic(), 0.0, b""
    async with user.ask(conversation, "Which harbour does the lighthouse guard?") as answer:
        async for part in answer.content.iter_any():
            text += part
            if not first_s and b"event: delta" in text:
                first_s = time.monotonic() - began_s
    if b"event: completed" not in text:
        chats.refused["no answer"] += 1
        return
    chats.first_s.append(first_s)
    chats.whole_s.append(time.monotonic() - began_s)


async def _attack(url: str) -> Counter[str]:
    """All patterns, in a process of their own; the connections that each opened."""
    command = ["-m", "benchmarks.hostile_connections", "--port", url.rpartition(":")[2], "--seconds", str(ATTACK_S)]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    return Counter(json.loads(output))


async def _sample_mib(pid: int) -> list[float]:
    """The memory of the process, until cancelled."""
    samples = []
    try:
        while True:
            samples.append(resident_kib(pid) / 1024)
            await asyncio.sleep(SAMPLE_S)
    except asyncio.CancelledError:
        return samples


def _latencies(idle: Chats, attacked: Chats) -> list[Figure]:
    figures = []
    for what, alone, under in (("first", idle.first_s, attacked.first_s), ("whole", idle.whole_s, attacked.whole_s)):
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            base, value = percentile(alone, share) * 1000, percentile(under, share) * 1000
            bar = f"<= {RATIO_MAX:g}x" if name == "p99" else ""
            figures.append(Figure(f"{what}_{name}", round(value, 1), "ms", round(value / base, 2), f"idle ({base:.1f} ms)", bar))
    return figures


def missed(figures: list[Figure]) -> list[str]:
    """The names of the figures that miss their bar."""
    value = {figure.name: figure for figure in figures}
    slow = [name for name in ("first_p99", "whole_p99") if (value[name].ratio or 0.0) > RATIO_MAX]
    return [
        *slow,
        *(["refused"] if value["refused"].value else []),
        *(["memory_growth"] if value["memory_growth"].value > GROWTH_MIB_MAX else []),
    ]


def main() -> int:
    """Exit status 1 when a bar is missed."""
    figures = uvloop.run(run())
    for figure in figures:
        show(figure)
    if "CLAW_TEST_CHAOS_HTTP_S" not in environ:
        save_figures("chaos-http", figures, "make chaos-http")
    names = missed(figures)
    if names:
        print(f"missed: {', '.join(names)}", file=sys.stderr)
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
