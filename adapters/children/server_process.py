"""A fork server from its parent's side: the process, its socket, and the pipes of its present child."""

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress

from adapters.children.protocol import FRAME_BYTES_MAX, MESSAGE_BYTES_MAX, Exited, Forked, Loaded, Ready, ServerMessage, server_decoder

REQUEST = b"fork"


class ServerDied(Exception):
    """The server ended."""


class ServerProcess:
    """Made by ``start``. ``child`` is the process id of the present child, 0 without one; ``exit_code`` of one that ended by itself."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self.process, self._control = process, control
        self.child = 0
        self.exit_code: int | None = None
        self.outdated = False  # the server has loaded more than the child has
        self.replies = asyncio.StreamReader(limit=FRAME_BYTES_MAX)
        self.tasks: asyncio.StreamWriter | None = None
        self._ends: tuple[asyncio.BaseTransport, ...] = ()

    @classmethod
    async def start(cls, arguments: Sequence[str], *, folder: str, environment: Mapping[str, str]) -> "ServerProcess":
        """Start the program."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)  # noqa: FBT003 - the standard library's
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                cwd=folder,
                env=environment,
                start_new_session=True,  # a process group of its own: its children end with it
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(process, ours)

    async def wait_ready(self) -> Ready:
        """The server's report that it has loaded. Raises ServerDied."""
        message = await self._receive()
        if not isinstance(message, Ready):
            raise ServerDied
        return message

    async def fork(self) -> None:
        """End the present child and start another, with new pipes. Raises ServerDied."""
        self._close_pipes()
        task_end, tasks = os.pipe()
        replies, reply_end = os.pipe()
        loop = asyncio.get_running_loop()
        try:
            socket.send_fds(self._control, [REQUEST], [task_end, reply_end])
        except OSError as error:
            os.close(tasks)
            os.close(replies)
            raise ServerDied from error
        finally:
            os.close(task_end)
            os.close(reply_end)
        self.replies = asyncio.StreamReader(limit=FRAME_BYTES_MAX)
        reader = self.replies
        read_end, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(replies, "rb", 0))
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(tasks, "wb", 0))
        self.tasks = asyncio.StreamWriter(transport, protocol, None, loop)
        self._ends = (read_end, transport)
        self.exit_code, self.outdated = None, False
        while not isinstance(message := await self._receive(), Forked):
            pass  # how an earlier child ended, or what the server loaded before it forked
        self.child = message.pid

    def take_news(self) -> None:
        """Take in what the server has reported since."""
        with suppress(BlockingIOError, OSError):
            while data := self._control.recv(MESSAGE_BYTES_MAX):
                self._note(server_decoder.decode(data))

    async def wait_exit(self) -> int:
        """The exit code of the child, below 0 by a signal. Raises ServerDied."""
        while self.exit_code is None:
            self._note(await self._receive())
        return self.exit_code

    def close(self) -> None:
        """Close socket and pipes: the server ends its child and itself."""
        self._close_pipes()
        self._control.close()

    def _close_pipes(self) -> None:
        for end in self._ends:
            end.close()
        self._ends, self.tasks = (), None

    def _note(self, message: ServerMessage) -> None:
        match message:
            case Exited():
                self.child, self.exit_code = 0, message.code
            case Loaded():
                self.outdated = True

    async def _receive(self) -> ServerMessage:
        try:
            data = await asyncio.get_running_loop().sock_recv(self._control, MESSAGE_BYTES_MAX)
        except OSError as error:
            raise ServerDied from error
        if not data:
            raise ServerDied
        message: ServerMessage = server_decoder.decode(data)
        return message
