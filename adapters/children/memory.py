"""Resident memory of a process and its children, as Linux counts it; on other systems 0."""

import os
import re
from contextlib import suppress
from pathlib import Path

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
DESCENT_MAX = 2  # generations: a child and its children
RESET_PEAK = "5"  # see proc_pid_clear_refs(5)

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


def resident_kib(pid: int, descent: int = DESCENT_MAX) -> int:
    """Resident memory of ``pid`` and its children, in KiB. Takes microseconds: the kernel keeps these counts."""
    held = 0
    with suppress(OSError, ValueError, IndexError):  # the process may end at any moment
        held = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KIB
    if descent > 1:
        with suppress(OSError, ValueError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                for child in (thread / "children").read_text().split():
                    held += resident_kib(int(child), descent - 1)
    return held


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
