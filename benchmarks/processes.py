"""Processes of a stack as the operating system accounts for them: their names, CPU time and memory."""

import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def process_tree(root: int) -> list[int]:
    """The process and everything below it."""
    parents = {int(entry.name): _parent(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    members = [root]
    for member in members:
        members += [pid for pid, parent in parents.items() if parent == member]
    return members


def cpu_s(pid: int) -> float:
    """User and system time of all threads so far, also of those that have ended; 0 for a process that is gone."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def cpu_by_name(root: int) -> dict[str, float]:
    """Seconds of CPU so far of the stack below ``root``, by name of the process; children of workers count to ``children``."""
    spent: dict[str, float] = {}
    for pid in process_tree(root):
        spent[process_name(pid)] = spent.get(process_name(pid), 0.0) + cpu_s(pid)
    return spent


def process_name(pid: int) -> str:
    """The worker group of a worker; ``api``, ``up``, ``kafka``, ``redis``; ``children`` for child processes of workers."""
    words = _command(pid)
    if any(word.endswith("kafka.Kafka") for word in words):
        return "kafka"
    if words and "redis-server" in words[0]:
        return "redis"
    if "ops.cli" in words:
        words = words[words.index("ops.cli") + 1 :]
    elif words and words[0].startswith("claw "):  # forked: its title is one word
        words = words[0].split()[1:]
    else:
        return "children"
    return words[-1] if words[0] == "worker" else words[0]


def resident_kib(pid: int) -> float:
    """Its resident memory in KiB."""
    return int(_stat(pid)[21]) * PAGE_BYTES / 1024


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")[:-1]
    except OSError:
        return []


def _stat(pid: int | str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ["", "0"] + ["0"] * 50


def _parent(pid: str) -> int:
    return int(_stat(pid)[1])
