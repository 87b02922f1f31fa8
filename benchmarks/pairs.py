"""What something that can be turned off costs a chat: CPU of a stack with it, against the same stack without it.

Both stacks run at once, on one stub; rounds of chats alternate between them, so that the machine's drift meets both. Of each process the
CPU of its own stack's round counts, against the stub's own in the same round. `CLAW_BENCH_ROUNDS` sets the number of pairs.
"""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks.chat import (
    CHATS,
    ROUNDS,
    STUB,
    WARM_UP,
    Chat,
    Round,
    chats_through,
    load,
    measure_cpu,
    open_session,
    run_round,
    settings_for,
)
from benchmarks.figures import Figure, median
from benchmarks.processes import cpu_by_name, cpu_s
from benchmarks.stub_process import launch_stub_provider
from claw_client import Client
from ops.stack.launch import PROJECT, stack

STREAMS = 64

Measure = Callable[[], Awaitable[Round]]


async def measure_cost(variable: str, words: tuple[str, str, str], *, bar: str) -> list[Figure]:
    """Rounds in pairs, with ``variable`` true and false; medians over the pairs. ``words`` for the figures: with it, without it, and what
    it is; ``bar`` of its share.
    """
    on, off, what = words
    async with AsyncExitStack() as opened:
        stub = await opened.enter_async_context(launch_stub_provider())
        with_it = await opened.enter_async_context(measuring(stub.url, stub.process.pid, {variable: "true"}))
        without = await opened.enter_async_context(measuring(stub.url, stub.process.pid, {variable: "false"}))
        pairs = [(await with_it(), await without()) for _ in range(ROUNDS)]
    shares = [stack_ms(one) / one.cpu_ms[STUB] / (stack_ms(plain) / plain.cpu_ms[STUB]) - 1 for one, plain in pairs]
    tables = [one.cpu_ms.get("tables", 0.0) - plain.cpu_ms.get("tables", 0.0) for one, plain in pairs]
    return [
        Figure(f"cpu_chat_{on}", round(median([stack_ms(one) for one, _ in pairs]), 2), "ms"),
        Figure(f"cpu_chat_{off}", round(median([stack_ms(plain) for _, plain in pairs]), 2), "ms"),
        Figure(f"cpu_share_of_{what}", round(100 * median(shares), 1), "%", bar=bar),
        Figure(f"cpu_tables_of_{what}", round(median(tables), 3), "ms"),
    ]


@asynccontextmanager
async def measuring(url: str, stub: int, own: Mapping[str, str], project: Path = PROJECT) -> AsyncIterator[Measure]:
    """A warm stack of the checkout ``project``, as a function that runs one round of chats through it."""
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        settings = settings_for(url) | dict(own)
        async with stack(Path(home), settings, project=project) as up, open_session(up.url) as session:
            client = await Client.register(session, "bench@example.org", "a long benchmark passphrase")
            await load(client)
            chat: Chat = chats_through(client, [await client.create_conversation() for _ in range(STREAMS)])
            await run_round(chat, STREAMS, WARM_UP[STREAMS])

            def read_cpu() -> dict[str, float]:
                return {**cpu_by_name(up.process.pid), STUB: cpu_s(stub)}

            async def measure() -> Round:
                return await measure_cpu(run_round(chat, STREAMS, CHATS[STREAMS]), CHATS[STREAMS], read_cpu)

            yield measure


def stack_ms(measured: Round) -> float:
    """Of all its processes."""
    return sum(ms for name, ms in measured.cpu_ms.items() if name != STUB)
