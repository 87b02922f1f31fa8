"""The state of a home folder: a lock that ends with its holder, and a file with the running processes, for `claw down` and `doctor`."""

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from ops.stack.credentials import make_private_folder
from schemas.errors import ConfigurationError


class ProcessRecord(Struct, frozen=True, kw_only=True):
    """A process as recorded. ``born`` distinguishes it from a later one with the same id."""

    pid: int
    born: str
    where: str = ""  # host:port it answers on
    restarts: int = 0


class StackState(Struct, frozen=True, kw_only=True):
    """The contents of ``<home>/run/stack.json``, written by `claw up`."""

    url: str
    kafka: str  # host:port
    redis: str  # URL, without the credentials of an embedded server
    supervisor: ProcessRecord
    ready: bool = False
    components: dict[str, ProcessRecord] = msgspec.field(default_factory=dict)


def state_path(home: Path) -> Path:
    return home / "run" / "stack.json"


def read_state(home: Path) -> StackState | None:
    """The state last written, whether or not the stack still runs; None when there is none or it cannot be read."""
    try:
        return msgspec.json.decode(state_path(home).read_bytes(), type=StackState)
    except (OSError, msgspec.DecodeError):
        return None


def write_state(home: Path, state: StackState) -> None:
    """Replace the file in one step: a reader sees the old or the new one."""
    path = state_path(home)
    side = path.with_suffix(".new")
    side.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=2))
    side.replace(path)


def is_running(home: Path) -> bool:
    """Whether a supervisor holds this home."""
    try:
        with _lock_path(home).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextlib.contextmanager
def hold(home: Path) -> Iterator[None]:
    """Hold this home; raises ConfigurationError when another supervisor holds it, or when it cannot be written."""
    try:
        make_private_folder(home)  # it will contain other people's documents and questions, and credentials
        _lock_path(home).parent.mkdir(exist_ok=True)
        file = _lock_path(home).open("a")
    except OSError as error:
        raise ConfigurationError(f"CLAW_HOME: {home} cannot be written: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            running = read_state(home)
            who = f" (pid {running.supervisor.pid}, {running.url})" if running else ""
            raise ConfigurationError(
                f"a stack already runs in {home}{who}: stop it with `claw down`, or set CLAW_HOME to another folder"
            ) from None
        yield


def this_process() -> ProcessRecord:
    return ProcessRecord(pid=os.getpid(), born=start_ticks(os.getpid()))


def start_ticks(pid: int) -> str:
    """The start time of the process, in the system's own unit; empty where the system does not report it or the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def is_alive(process: ProcessRecord) -> bool:
    """Whether this same process still runs (a zombie does not)."""
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # a process of another user is not part of this stack
    with contextlib.suppress(OSError):
        if Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
    return start_ticks(process.pid) == process.born


def end_leftovers(home: Path) -> list[str]:
    """Kill the processes that a killed supervisor left (where the kernel did not); only while no supervisor runs. Returns names."""
    state = read_state(home)
    ended: list[str] = []
    for name, process in state.components.items() if state else ():
        if is_alive(process):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
                ended.append(name)
    state_path(home).unlink(missing_ok=True)
    return ended


def _lock_path(home: Path) -> Path:
    return home / "run" / "lock"
