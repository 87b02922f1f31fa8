"""A process that imports what the parts of the stack import, once, and forks them; ``python -m ops.stack.fork_server`` is that process.

Imports take four seconds of CPU in each worker and in the API. A fork of a process that has done them is up in milliseconds, when the
stack starts as after a death, and shares the memory of what was imported. multiprocessing's own fork server is not used: its children are
children of the server and end with it, and they inherit the environment of their parent. These are orphaned at once, so that the
supervisor inherits them (it is their "subreaper", which Linux alone has; elsewhere, and whenever the server does not answer, a part is
executed).
"""

import asyncio
import contextlib
import ctypes
import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module

import msgspec
from msgspec import Struct

from adapters.children.memory import list_children
from ops.stack.child import Component, tether

MODULES = ("ops.processes.api", "ops.processes.worker", "api.app", "litestar.plugins.pydantic")  # what `claw api` and `claw worker` import
REQUEST_BYTES_MAX = 131_072  # an environment and arguments; a larger one is executed instead
READY_S = 30.0  # for the imports, on a busy machine; then parts are executed
ANSWER_S = 5.0  # for a fork: milliseconds
ORPHAN_S = 5.0  # for the supervisor to become a part's parent
PR_SET_CHILD_SUBREAPER = 36
CLAW = (sys.executable, "-P", "-m", "ops.cli")  # a command that begins so can be forked
STREAMS = 3  # standard input, output, errors
READY = b"ready"


class ForkRequest(Struct, frozen=True, kw_only=True):
    """What to run: the arguments of ``claw``, the whole environment, the niceness, the process that is to inherit the part."""

    arguments: tuple[str, ...]
    environ: dict[str, str]
    nice: int
    parent: int


class ForkedProcess:
    """A child of this process that it did not fork itself; what ``subprocess.Popen`` is otherwise."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None
        self._waiting = threading.Lock()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self._waiting.acquire(blocking=False):
            try:
                if self._code is None:
                    self._reap(os.WNOHANG)
            finally:
                self._waiting.release()
        return self._code

    def wait(self) -> int:
        """Block until it ends."""
        with self._waiting:
            if self._code is None:
                self._reap(0)
        assert self._code is not None
        return self._code

    def _reap(self, options: int) -> None:
        try:
            pid, status = os.waitpid(self.pid, options)
        except ChildProcessError:  # somebody else has reaped it
            self._code = 0
        else:
            self._code = os.waitstatus_to_exitcode(status) if pid else None


class ForkServerProcess:
    """The running server, seen from the supervisor, which must be the only thread that uses it."""

    def __init__(self, environ: Mapping[str, str], modules: Sequence[str] = MODULES) -> None:
        """Start it with the environment the parts have in common; its own errors are printed here. Raises OSError where that cannot be."""
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
                (sys.executable, "-P", "-m", "ops.stack.fork_server", str(theirs.fileno()), *modules),
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                preexec_fn=tether(),  # noqa: PLW1509 - only two system calls run in it
            )
        self._connection.settimeout(0)
        self.ready = False
        self._importing: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    async def wait_ready(self, timeout_s: float = READY_S) -> bool:
        """Wait until everything is imported; False when it ended or takes longer (0: is not ready now). Several may wait at a time."""
        if not self.ready:
            if self._importing is None or self._importing.done():
                self._importing = asyncio.create_task(self._receive_ready(), name="fork-server-importing")
            await asyncio.wait((self._importing,), timeout=timeout_s)
        return self.ready and self.is_alive

    async def _receive_ready(self) -> None:
        """A loop has one reader of a socket, which the next one takes the place of: everybody waits for this one."""
        with contextlib.suppress(OSError):
            self.ready = await asyncio.get_running_loop().sock_recv(self._connection, REQUEST_BYTES_MAX) == READY

    def fork(self, component: Component, output: int) -> ForkedProcess | None:
        """The component, printing to ``output``; None where it has to be executed. A server that does not answer is stopped."""
        environ, parent = dict(component.environ), os.getpid()
        request = ForkRequest(arguments=component.command[len(CLAW) :], environ=environ, nice=component.nice, parent=parent)
        message = msgspec.json.encode(request)
        if not self.ready or not is_forkable(component) or len(message) > REQUEST_BYTES_MAX:
            return None
        try:
            self._connection.settimeout(ANSWER_S)
            socket.send_fds(self._connection, [message], [output])
            if pid := int(self._connection.recv(REQUEST_BYTES_MAX)):
                return ForkedProcess(pid)
        except (OSError, ValueError):  # it is dead or stopped
            self.stop()
        return None

    def stop(self) -> None:
        """End the server; what it forked runs on."""
        self.ready = False
        if self._importing is not None:
            self._importing.cancel()
        self._connection.close()
        self._process.kill()
        self._process.wait()


def start(environ: Mapping[str, str], modules: Sequence[str] = MODULES) -> ForkServerProcess | None:
    """A fork server whose forks are this process's children; None where the platform has no such thing."""
    if sys.platform != "linux" or ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        return None
    with contextlib.suppress(OSError):
        return ForkServerProcess(environ, modules)
    return None


def is_forkable(component: Component) -> bool:
    """Whether its command is one of ours."""
    return component.command[: len(CLAW)] == CLAW


def reap_orphans(known: Collection[int]) -> None:
    """Reap dead children that this process only inherited: those of another session which are not ``known``."""
    session = os.getsid(0)
    for pid in set(list_children(os.getpid())) - set(known):
        with contextlib.suppress(OSError):
            if os.getsid(pid) != session:
                os.waitpid(pid, os.WNOHANG)


def serve(connection: socket.socket) -> ForkRequest | None:
    """Fork for every request. Returns the request in the process forked for it, None in the server when the supervisor has gone."""
    connection.send(READY)
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(connection, REQUEST_BYTES_MAX, 1)
        except OSError:
            return None
        if not message:
            return None
        request = msgspec.json.decode(message, type=ForkRequest)
        pid = _fork_orphan()
        if pid is None:
            _become_part(request, *descriptors)
            return request
        connection.send(str(pid).encode())
        for descriptor in descriptors:
            os.close(descriptor)


def _fork_orphan() -> int | None:
    """Fork twice, so that the part has no parent here: its process id, 0 when no process could be made; None in the part itself."""
    read_end, write_end = os.pipe()
    between = os.fork()
    if between == 0:
        try:
            part = os.fork()
        except OSError:  # no processes left
            os._exit(1)
        if part:
            os.write(write_end, str(part).encode())
            os._exit(0)
        os.close(read_end)
        os.close(write_end)
        return None
    os.close(write_end)
    os.waitpid(between, 0)
    with os.fdopen(read_end, "rb") as told:
        return int(told.read() or 0)


def _become_part(request: ForkRequest, output: int) -> None:
    become_command(request.arguments, request.environ, {1: output, 2: output})
    deadline = time.monotonic() + ORPHAN_S
    while os.getppid() != request.parent and time.monotonic() < deadline:
        time.sleep(0.001)
    tether(request.nice, request.parent)()


def become_command(arguments: Sequence[str], environ: Mapping[str, str], streams: Mapping[int, int]) -> None:
    """In a forked process, what happens between fork and exec otherwise, and what an interpreter does with its arguments and environment
    when it starts. ``streams``: which file descriptors become its standard ones; all others are closed.
    """
    os.setsid()
    for number, stream in streams.items():
        os.dup2(stream, number)
    os.closerange(STREAMS, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["claw", *arguments]


def import_all(modules: Sequence[str]) -> None:
    """Import, and keep the collector away from what is there: it would copy every page that it marks."""
    for module in modules:
        import_module(module)
    gc.collect()
    gc.freeze()


def main(descriptor: int, modules: Sequence[str]) -> int:
    """Import, serve; in a forked process: run the command. Returns the exit code."""
    import setproctitle  # noqa: PLC0415 - the supervisor imports this module, too

    from ops import cli  # noqa: PLC0415 - same

    connection = socket.socket(fileno=descriptor)
    import_all(modules)
    setproctitle.getproctitle()  # it finds its memory before the environment changes
    request = serve(connection)
    if request is None:
        return 0
    connection.detach()  # closed already
    setproctitle.setproctitle(" ".join(sys.argv))
    return cli.main(request.arguments)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
