"""``claw`` commands as processes that share one import: ``python -m tests.support.claw_forks SOCKET`` forks them for
whoever connects there.

Each is a process of its own, with its own arguments, environment, session and standard streams; only the imports, up to four seconds of
computing, are done once.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ops import cli
from ops.stack.child import tether
from ops.stack.fork_server import MODULES, STREAMS, become_command, import_all
from ops.stack.launch import PROJECT

REQUEST_BYTES_MAX = 131_072


class ForkedCommand:
    """A command that runs, seen from whoever asked for it."""

    def __init__(self, connection: socket.socket, pid: int, typing: int, printing: int | None) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._connection, self._typing, self._printing = connection, typing, printing
        self._ending = asyncio.create_task(self._end())

    async def _end(self) -> int:
        with self._connection:
            self.returncode = int(await asyncio.get_running_loop().sock_recv(self._connection, REQUEST_BYTES_MAX) or -signal.SIGKILL)
        if self._typing >= 0:
            os.close(self._typing)
        return self.returncode

    async def wait(self) -> int:
        """The exit code, negative for a signal."""
        return await asyncio.shield(self._ending)

    async def communicate(self, typed: bytes) -> bytes:
        """What it prints until it ends; ``typed``, which must fit into a pipe, is its standard input."""
        assert self._printing is not None
        os.write(self._typing, typed)
        os.close(self._typing)
        self._typing = -1
        with os.fdopen(self._printing, "rb") as printing:
            printed = await asyncio.to_thread(printing.read)
        await self.wait()
        return printed

    def terminate(self) -> None:
        """Ask it to end."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGTERM)


class ClawForks:
    """The process that forks commands, listening at ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def run(self, arguments: tuple[str, ...], environ: Mapping[str, str], *, piped: bool = False) -> ForkedCommand:
        """``claw`` with these arguments; ``piped``: what it reads and prints goes through ``communicate``."""
        reading, typing = os.pipe()
        printing, output = os.pipe() if piped else (None, os.dup(1))
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(str(self._path))
        socket.send_fds(connection, [msgspec.json.encode((arguments, dict(environ)))], [reading, output, output if piped else 2])
        os.close(reading)
        os.close(output)
        connection.setblocking(False)
        pid = int(await asyncio.get_running_loop().sock_recv(connection, REQUEST_BYTES_MAX))
        return ForkedCommand(connection, pid, typing, printing)


@contextmanager
def claw_forks(folder: Path) -> Iterator[ClawForks]:
    """A process that forks commands, until the block ends; what is asked for while it imports waits."""
    path = folder / "claw.sock"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CLAW_")}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()
        server = subprocess.Popen(
            (sys.executable, "-P", "-m", "tests.support.claw_forks", str(listener.fileno())),
            cwd=PROJECT,
            env=environ,
            stdin=subprocess.DEVNULL,
            pass_fds=(listener.fileno(),),
            preexec_fn=tether(),  # noqa: PLW1509 - only two system calls run in it
        )
    with server:
        yield ClawForks(path)
        server.kill()


def serve(listener: socket.socket) -> int:
    """Fork for every connection, for ever. In a process that was forked: run its command and return the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for who waits for a command
    while True:
        connection, _ = listener.accept()
        server = os.getpid()
        if os.fork() == 0:
            tether(0, server)()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _wait_or_run(connection)
        connection.close()


def _wait_or_run(connection: socket.socket) -> int:
    """Fork the command, tell its process id, wait for it, tell its exit code."""
    message, streams, _, _ = socket.recv_fds(connection, REQUEST_BYTES_MAX, STREAMS)
    arguments, environ = msgspec.json.decode(message, type=tuple[tuple[str, ...], dict[str, str]])
    waiting = os.getpid()
    pid = os.fork()
    if pid == 0:
        become_command(arguments, environ, dict(enumerate(streams)))
        connection.detach()
        tether(0, waiting)()
        return cli.main(arguments)
    for stream in streams:
        os.close(stream)
    connection.send(str(pid).encode())
    connection.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
    os._exit(0)


if __name__ == "__main__":
    import_all(MODULES)
    sys.exit(serve(socket.socket(fileno=int(sys.argv[1]))))
