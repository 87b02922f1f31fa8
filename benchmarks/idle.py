"""CPU and memory of the idle stack, as the operating system accounts for its processes."""

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.processes import cpu_s, process_tree, resident_kib
from ops.stack.launch import stack

SETTLE_S = 15.0
MEASURE_S = 30.0


async def run() -> list[Figure]:
    """Share of one core over MEASURE_S seconds, and resident memory at their end."""
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with stack(Path(home), {}) as up:
            await asyncio.sleep(SETTLE_S)
            members = process_tree(up.process.pid)
            before, began = {pid: cpu_s(pid) for pid in members}, time.perf_counter()
            await asyncio.sleep(MEASURE_S)
            spent = sum(cpu_s(pid) - before_s for pid, before_s in before.items())
            share = spent / (time.perf_counter() - began) * 100
            return [
                Figure("idle_cpu", round(share, 2), "% of a core", bar="<= 5 %"),
                Figure("idle_memory", round(sum(resident_kib(pid) for pid in members) / 1024), "MiB"),
                Figure("processes", len(members), "processes"),
            ]
