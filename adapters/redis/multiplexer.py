"""Many callers on one Redis connection: commands are written as they come, several to a packet, and answered in order.

The driver's way, a pooled connection per command, costs about 120 µs of CPU and a system call each; this costs a fifth. Connecting
(TLS, ACL, database) stays the driver's, and so does everything that needs a connection of its own, such as pub/sub.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import hiredis
from redis._parsers import BaseParser
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

READ_BYTES = 262_144
PENDING_MAX = 20_000  # commands without an answer; more than a second's worth at full speed
CLOSE_S_MAX = 1.0
LATE_S = 0.02  # a check that comes so much too late was delayed by this process, and the answer may be there unread
LATE_CHECKS_MAX = 20  # of such checks in a row; then the command fails whatever the reason


class Multiplexer:
    """One connection at a time, made when it is first needed and again after it was lost. For one event loop.

    A command that is not answered within ``timeout_s`` means that the server hangs: the connection is dropped and everything that waits
    on it fails with redis' TimeoutError or ConnectionError.
    """

    def __init__(self, pool: BlockingConnectionPool, timeout_s: float) -> None:
        self._pool, self._timeout_s = pool, timeout_s
        self._link: _Link | None = None
        self._connecting: asyncio.Task[_Link] | None = None

    async def call(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Replies in order; an error reply is an exception in its place, not raised."""
        link = self._link
        if link is None or link.lost:
            link = await self._open_link()
        return await link.call(commands)

    async def close(self) -> None:
        """Close the connection; pending commands fail."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._link is not None:
            await self._link.close()
            self._link = None

    async def _open_link(self) -> "_Link":
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect(), name="redis-connecting")
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> "_Link":
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.connect()  # type: ignore[no-untyped-call]
        except TimeoutError as error:
            raise RedisTimeoutError("no connection in time") from error
        self._link = _Link(connection, self._timeout_s)
        return self._link


class _Link:
    """A connection and its pending batches, in order."""

    def __init__(self, connection: AbstractConnection, timeout_s: float) -> None:
        reader, writer = connection._reader, connection._writer  # noqa: SLF001 - the driver has no public way to share one
        assert reader is not None
        assert writer is not None
        connection._reader = connection._writer = None  # noqa: SLF001 - closed here from now on
        self.lost = False
        self._source, self._writer = reader, writer
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[_Batch, float]] = deque()  # one entry per reply that is due, with its deadline
        self._outgoing: list[bytes] = []
        parse_error: Callable[[str], Exception] = BaseParser.parse_error
        self._replies = hiredis.Reader(protocolError=InvalidResponse, replyError=parse_error)
        self._chances = LATE_CHECKS_MAX
        self._timer = self._loop.call_later(timeout_s, self._check)
        self._reading = asyncio.create_task(self._read(), name="redis-reading")

    async def call(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        if len(self._waiting) + len(commands) > PENDING_MAX:
            raise RedisTimeoutError(f"more than {PENDING_MAX} commands wait for an answer")
        if not commands:
            return []
        batch = _Batch(self._loop.create_future(), len(commands))
        entry = (batch, self._loop.time() + self._timeout_s)
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        for command in commands:
            self._outgoing.append(
                hiredis.pack_command((*command[0].split(), *map(_encode_argument, command[1:])))
            )  # CONFIG SET is two words
            self._waiting.append(entry)
        return await batch.done

    def _flush(self) -> None:
        """Write all commands of this iteration of the event loop at once."""
        packet, self._outgoing = b"".join(self._outgoing), []
        if not self.lost:
            self._writer.write(packet)

    async def _read(self) -> None:
        try:
            while data := await self._source.read(READ_BYTES):
                self._replies.feed(data)
                while (reply := self._replies.gets()) is not False:
                    self._waiting.popleft()[0].add_reply(reply)
            error: Exception = RedisConnectionError("the server closed the connection")
        except (OSError, InvalidResponse, IndexError) as broken:
            error = RedisConnectionError(f"the connection broke: {broken!r}")
        self._abort(error)

    def _check(self) -> None:
        """Handle an overdue command: the server hangs, unless this process did and has not yet read an answer that came in time."""
        now = self._loop.time()
        if not self._waiting or self._waiting[0][1] > now:
            self._chances = LATE_CHECKS_MAX
            self._timer = self._loop.call_at(self._waiting[0][1] if self._waiting else now + self._timeout_s, self._check)
        elif now - self._timer.when() > LATE_S and self._chances:
            self._chances -= 1
            self._timer = self._loop.call_later(LATE_S, self._check)
        else:
            self._abort(RedisTimeoutError(f"no answer in {self._timeout_s} s"))

    def _abort(self, error: Exception) -> None:
        if self.lost:
            return
        self.lost = True
        self._timer.cancel()
        self._reading.cancel()
        self._writer.transport.abort()
        waiting, self._waiting = self._waiting, deque()
        for batch, _ in waiting:
            batch.fail(error)

    async def close(self) -> None:
        self._abort(RedisConnectionError("the client was closed"))
        await asyncio.wait([self._reading])
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._writer.wait_closed()


class _Batch:
    """Replies of commands that were sent together."""

    __slots__ = ("_due", "_replies", "done")

    def __init__(self, done: asyncio.Future[list[Any]], due: int) -> None:
        self.done = done
        self._due = due
        self._replies: list[Any] = []

    def add_reply(self, reply: Any) -> None:
        self._replies.append(reply)
        if len(self._replies) == self._due and not self.done.done():  # done: its caller was cancelled
            self.done.set_result(self._replies)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def _encode_argument(value: Any) -> str | bytes | int | float:
    """As the driver encodes it; hiredis takes no subclasses and no memory views."""
    if type(value) in (str, bytes, int, float):
        return value  # type: ignore[no-any-return]
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return repr(float(value)) if isinstance(value, float) else str(value)
