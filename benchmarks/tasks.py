"""What tracking tasks costs a chat: CPU of a stack with the agent ``track``, against the same stack without it.

Both stacks run at once, on one stub; rounds of chats alternate between them, so that the machine's drift meets both. Of each process the
CPU of its own stack's round counts, against the stub's own in the same round. `CLAW_BENCH_ROUNDS` sets the number of pairs.
"""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
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
from ops.stack.launch import stack

STREAMS = 64
SHARE_MAX = 0.10

Measure = Callable[[], Awaitable[Round]]


async def run() -> list[Figure]:
    """Rounds in pairs; medians over the pairs."""
    async with AsyncExitStack() as opened:
        stub = await opened.enter_async_context(launch_stub_provider())
        with_tasks = await opened.enter_async_context(_measuring(stub.url, stub.process.pid, tracked=True))
        without = await opened.enter_async_context(_measuring(stub.url, stub.process.pid, tracked=False))
        pairs = [(await with_tasks(), await without()) for _ in range(ROUNDS)]
    shares = [_stack_ms(tracked) / tracked.cpu_ms[STUB] / (_stack_ms(plain) / plain.cpu_ms[STUB]) - 1 for tracked, plain in pairs]
    tables = [tracked.cpu_ms.get("tables", 0.0) - plain.cpu_ms.get("tables", 0.0) for tracked, plain in pairs]
    return [
        Figure("cpu_chat_tracked", round(median([_stack_ms(tracked) for tracked, _ in pairs]), 2), "ms"),
        Figure("cpu_chat_untracked", round(median([_stack_ms(plain) for _, plain in pairs]), 2), "ms"),
        Figure("cpu_share_of_tracking", round(100 * median(shares), 1), "%", bar=f"<= {SHARE_MAX:.0%}"),
        Figure("cpu_tables_of_tracking", round(median(tables), 3), "ms"),
    ]


@asynccontextmanager
async def _measuring(url: str, stub: int, *, tracked: bool) -> AsyncIterator[Measure]:
    """A warm stack, as a function that runs one round of chats through it."""
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        settings = settings_for(url) | {"CLAW_TASKS_TRACKED": str(tracked).lower()}
        async with stack(Path(home), settings) as up, open_session(up.url) as session:
            client = await Client.register(session, "bench@example.org", "a long benchmark passphrase")
            await load(client)
            chat: Chat = chats_through(client, [await client.create_conversation() for _ in range(STREAMS)])
            await run_round(chat, STREAMS, WARM_UP[STREAMS])

            def read_cpu() -> dict[str, float]:
                return {**cpu_by_name(up.process.pid), STUB: cpu_s(stub)}

            async def measure() -> Round:
                return await measure_cpu(run_round(chat, STREAMS, CHATS[STREAMS]), CHATS[STREAMS], read_cpu)

            yield measure


def _stack_ms(measured: Round) -> float:
    return sum(ms for name, ms in measured.cpu_ms.items() if name != STUB)
