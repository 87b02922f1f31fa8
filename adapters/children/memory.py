"""Resident memory of a process and its descendants, and their number, as Linux counts it; on other systems 0."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
RESET_PEAK = "5"  # see proc_pid_clear_refs(5)

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TreeUsage:
    """What a process and its descendants hold."""

    resident_kib: int
    processes: int


def measure_tree(pid: int, *, processes_max: int) -> TreeUsage:
    """Resident memory of ``pid`` and its descendants; the count stops beyond ``processes_max``, at one more.

    Takes microseconds: the kernel keeps these counts.
    """
    resident_kib, found = 0, [pid]
    for each in found:  # which grows meanwhile
        with suppress(OSError, ValueError, IndexError):  # the process may end at any moment
            resident_kib += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * PAGE_KIB
        if len(found) <= processes_max > 1:
            found += list_children(each)[: processes_max + 1 - len(found)]
    return TreeUsage(resident_kib, len(found))


def list_children(pid: int) -> list[int]:
    """The process ids of its children."""
    children: list[int] = []
    with suppress(OSError, ValueError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (thread / "children").read_text().split())
    return children


def reset_peak(pid: int) -> None:
    """Restart the measurement of ``peak_kib``; where the kernel does not allow that, the peak is that of the process's whole life."""
    with suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text(RESET_PEAK)


def peak_kib(pid: int) -> int:
    """Peak resident memory of ``pid`` alone since ``reset_peak``, in KiB."""
    with suppress(OSError):
        if found := _PEAK.search(Path(f"/proc/{pid}/status").read_text()):
            return int(found[1])
    return 0
