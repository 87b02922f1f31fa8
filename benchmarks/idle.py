"""CPU and memory of the whole stack while nobody asks anything, from the operating system's own accounts of its processes."""

import asyncio
import os
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from ops.client import stack

SETTLE_S = 15.0
MEASURE_S = 30.0


async def run() -> list[Figure]:
    """Share of one core over MEASURE_S seconds, and resident memory at their end."""
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with stack(Path(home), {}) as up:
            await asyncio.sleep(SETTLE_S)
            family = _family(up.process.pid)
            before, began = {pid: _cpu_s(pid) for pid in family}, time.perf_counter()
            await asyncio.sleep(MEASURE_S)
            spent = sum(_cpu_s(pid) - cpu_s for pid, cpu_s in before.items())
            share = spent / (time.perf_counter() - began) * 100
            return [
                Figure("idle_cpu", round(share, 2), "% of a core", bar="<= 5 %"),
                Figure("idle_memory", round(sum(_resident_mib(pid) for pid in family)), "MiB"),
                Figure("processes", len(family), "processes"),
            ]


def _family(root: int) -> list[int]:
    """The process and everything below it."""
    parents = {int(entry.name): _parent(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    family = [root]
    for member in family:
        family += [pid for pid, parent in parents.items() if parent == member]
    return family


def _stat(pid: int | str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ["", "0"] + ["0"] * 50


def _parent(pid: str) -> int:
    return int(_stat(pid)[1])


def _cpu_s(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    return int(_stat(pid)[21]) * os.sysconf("SC_PAGE_SIZE") / 1_048_576
