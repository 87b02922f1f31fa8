"""What a chat costs each process now, against another checkout: ``CLAW_TEST_BEFORE=/path/to/it make bench BENCH=before``.

Both stacks run at once, and rounds of chats alternate between them (``benchmarks/pairs.py``). The other checkout needs an environment of
its own (``make environment``). Ratios are of the CPU of a chat, each divided by the stub's own in the same round.
"""

from os import environ
from pathlib import Path

from benchmarks.chat import ROUNDS, STUB, Round
from benchmarks.figures import Figure, median
from benchmarks.pairs import measuring, stack_ms
from benchmarks.stub_process import launch_stub_provider

BEFORE = Path(environ["CLAW_TEST_BEFORE"]).resolve() if environ.get("CLAW_TEST_BEFORE") else None
PROCESSES = ("tables", "chat", "knowledge", "api", "kafka", "redis", "documents")


async def run() -> list[Figure]:
    """Medians over the pairs; nothing without another checkout."""
    if BEFORE is None:
        return []
    async with (
        launch_stub_provider() as stub,
        measuring(stub.url, stub.process.pid, {}, BEFORE) as before,
        measuring(stub.url, stub.process.pid, {}) as now,
    ):
        pairs = [(await before(), await now()) for _ in range(ROUNDS)]
    return [_figure("stack", [(stack_ms(then), stack_ms(this)) for then, this in pairs], pairs, "<= 1.05x"), *_list_processes(pairs)]


def _list_processes(pairs: list[tuple[Round, Round]]) -> list[Figure]:
    """Those that spend anything on a chat."""
    spent = {name: [(then.cpu_ms.get(name, 0.0), this.cpu_ms.get(name, 0.0)) for then, this in pairs] for name in PROCESSES}
    return [
        _figure(name, each, pairs, "<= 1.3x" if name == "tables" else "")
        for name, each in spent.items()
        if all(then and this for then, this in each)
    ]


def _figure(name: str, spent: list[tuple[float, float]], pairs: list[tuple[Round, Round]], bar: str) -> Figure:
    ratios = [
        (now_ms / now.cpu_ms[STUB]) / (before_ms / before.cpu_ms[STUB])
        for (before_ms, now_ms), (before, now) in zip(spent, pairs, strict=True)
    ]
    value = median([now_ms for _, now_ms in spent])
    return Figure(f"cpu_chat_{name}_now", round(value, 2), "ms", round(median(ratios), 2), "the other checkout", bar)
