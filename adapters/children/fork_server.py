"""The fork server: a process that has loaded and confined itself, and forks a child for each tenant. See ``process`` for the child.

It never sees a document. Its parent sends it, over a socket that no child inherits, the two pipes of the next child; it ends the child
before and everything that one started, empties the folder, and forks. So no byte of one tenant reaches another, neither in memory, nor in
the folder, nor in a pipe, and a new child costs milliseconds instead of loading its modules again.
"""

import gc
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec

from adapters.children.folders import empty_folder
from adapters.children.memory import list_children
from adapters.children.protocol import MESSAGE_BYTES_MAX, Exited, Forked, Loaded, Ready, ServerMessage

IDLE_S = 1.5  # without a request: then the rarely needed modules are loaded
STDIN = 0
PIPES = 2  # that a request carries: tasks to read, replies to write


class ForkServer:
    """One child at a time. ``serve`` runs in the child, with the descriptors of its pipes, and returns its exit code."""

    def __init__(self, folder: str, serve: Callable[[int, int], int], load_more: Iterator[None]) -> None:
        self._folder, self._serve, self._rest = folder, serve, load_more
        self._control = socket.socket(fileno=os.dup(STDIN))
        os.dup2(os.open(os.devnull, os.O_RDONLY), STDIN)
        self._woken, self._wake = os.pipe()
        for descriptor in (self._woken, self._wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._child = 0

    def run(self, ready: Ready) -> None:
        """Serve until the parent closes the socket."""
        self._report(ready)
        loaded = False
        while True:
            watched: list[socket.socket | int] = [self._control, self._woken]
            readable, _, _ = select.select(watched, [], [], None if loaded else IDLE_S)
            if not readable:
                loaded = self._load()
            if self._woken in readable:
                self._reap()
            if self._control in readable:
                request, pipes, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES_MAX, PIPES)
                if not request:
                    self._end_child()
                    return
                self._replace_child(pipes)

    def _load(self) -> bool:
        """Load one more module after another until a request comes; whether all are loaded. The next child then has them."""
        for _ in self._rest:
            if select.select([self._control], [], [], 0)[0]:
                return False
        self._report(Loaded())
        return True

    def _replace_child(self, pipes: list[int]) -> None:
        self._end_child()
        gc.freeze()  # the collector would copy every page that it marks
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for descriptor in (self._woken, self._wake):
                    os.close(descriptor)
                self._control.close()
                if os.getppid() == parent:
                    code = self._serve(*pipes)
            finally:
                os._exit(code)
        self._child = pid
        for descriptor in pipes:
            os.close(descriptor)
        self._report(Forked(pid))

    def _reap(self) -> None:
        """Collect what ended; the child's end is reported."""
        with suppress(BlockingIOError):
            while os.read(self._woken, 1024):
                pass
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._child:
                    self._child = 0
                    self._report(Exited(os.waitstatus_to_exitcode(status)))

    def _end_child(self) -> None:
        """End the child and all that it started: orphans become children of this process, a subreaper."""
        self._child = 0
        while children := list_children(os.getpid()):
            for pid in children:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in children:
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)
        empty_folder(self._folder)

    def _report(self, message: ServerMessage) -> None:
        self._control.sendall(msgspec.msgpack.encode(message))
