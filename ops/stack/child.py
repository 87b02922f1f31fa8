"""One child process: started in its own session, watched, always ended.

A child never outlives its parent: the kernel kills it when the parent dies, whatever killed the parent. Children are started from the main
thread, because the kernel ties this to the thread that forked.
"""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PROBE_EVERY_S = 0.05  # while starting and stopping only; a probe is one small request on loopback
PR_SET_PDEATHSIG = 1
TAIL_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A command to run and its probe. ``answers`` is one probe: it never raises and takes at most about 2 s."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    log: Path
    answers: Callable[[], Awaitable[bool]]
    where: str = ""  # host:port shown to people
    ready_s: float = 60.0  # a cold JVM or a cold import on a busy 2-core machine stays below a third of it
    stop_s: float = 6.0  # after SIGTERM; then SIGKILL
    nice: int = 0


class ProcessHandle(Protocol):
    """A child of this process: what ``subprocess.Popen`` has."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self) -> int: ...


class StartFailed(Exception):
    """The child ended, or did not answer in time, before it was ready; ``code`` is its exit code (None: it still ran)."""

    def __init__(self, component: Component, code: int | None) -> None:
        how = f"ended with {describe_exit(code)}" if code is not None else f"did not answer within {component.ready_s:g} s"
        super().__init__(f"{component.name} {how}; see {component.log}")
        self.component, self.code = component, code

    def tail(self) -> str:
        """The last lines of the component's log."""
        with contextlib.suppress(OSError), self.component.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-TAIL_LINES:])
        return ""


class ComponentProcess:
    """A running component."""

    def __init__(self, component: Component, output: int | None = None, forked: ProcessHandle | None = None) -> None:
        """``forked`` already, or fork and exec at once: then it prints to the file descriptor ``output``, None: to its log.

        Raises OSError when it cannot be run.
        """
        self.component = component
        self._process = forked or self._execute(component, output)
        self.pid = self._process.pid
        self.started_s = time.monotonic()

    @staticmethod
    def _execute(component: Component, output: int | None) -> ProcessHandle:
        component.log.parent.mkdir(parents=True, exist_ok=True)
        with component.log.open("ab") if output is None else contextlib.nullcontext(output) as log:
            return subprocess.Popen(  # noqa: S603 - our own command line, no shell
                component.command,
                env=dict(component.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops things in order
                preexec_fn=tether(component.nice),  # noqa: PLW1509 - only two system calls run in it
            )

    @property
    def code(self) -> int | None:
        """The exit code; None while the child runs."""
        return self._process.poll()

    async def wait_ready(self) -> None:
        """Wait until the probe succeeds; raises Ended."""
        deadline = time.monotonic() + self.component.ready_s
        while not await self.component.answers():
            if self.code is not None:
                raise StartFailed(self.component, self.code)
            if time.monotonic() > deadline:
                raise StartFailed(self.component, None)
            await asyncio.sleep(PROBE_EVERY_S)
        if self.code is not None:  # another process answered on its port
            raise StartFailed(self.component, self.code)

    def wait(self) -> int:
        """Block until the child ends (run this in a thread), then kill what remains in its session."""
        code = self._process.wait()
        self.signal(signal.SIGKILL)
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send ``number`` to the child and all of its own children."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def stop(self, grace_s: float | None = None) -> bool:
        """SIGTERM, then after ``grace_s`` (default: the component's) SIGKILL; True when it ended by itself."""
        deadline = time.monotonic() + (self.component.stop_s if grace_s is None else grace_s)
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        while self.code is None and time.monotonic() < deadline:  # noqa: ASYNC110 - a process's end is no event of this loop
            await asyncio.sleep(PROBE_EVERY_S)
        graceful = self.code is not None
        self.signal(signal.SIGKILL)
        while self.code is None:  # noqa: ASYNC110 - same
            await asyncio.sleep(PROBE_EVERY_S)
        return graceful


def describe_exit(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def tether(nice: int = 0, parent: int | None = None) -> Callable[[], None]:
    """The function between fork and exec: tie the child's life to that of ``parent`` (None: this process) and lower its priority."""
    parent = os.getpid() if parent is None else parent
    prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None

    def between_fork_and_exec() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died before prctl took effect
                os._exit(1)
        if nice:
            os.nice(nice)

    return between_fork_and_exec
