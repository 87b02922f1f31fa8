"""What processes cost, from the operating system's own accounts of them."""

import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def family(root: int) -> list[int]:
    """The process and everything below it."""
    parents = {int(entry.name): _parent(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    members = [root]
    for member in members:
        members += [pid for pid, parent in parents.items() if parent == member]
    return members


def cpu_s(pid: int) -> float:
    """Seconds of CPU it has used."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def resident_kib(pid: int) -> float:
    """Its resident memory in KiB."""
    return int(_stat(pid)[21]) * PAGE_BYTES / 1024


def _stat(pid: int | str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ["", "0"] + ["0"] * 50


def _parent(pid: str) -> int:
    return int(_stat(pid)[1])
