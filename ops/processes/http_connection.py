"""uvicorn's HTTP connection with a bound on everything a client may send, and its refusals as problem documents.

A request's body is bounded by the application, which alone knows how large it may be. Everything else is bounded here: the head in bytes
and time, what frames the body (chunk sizes and extensions; trailers are refused), the rate and the time of the body, what still arrives
after an early answer, the time in which an answer is taken, and the number of connections.
"""

import asyncio
from http import HTTPStatus
from typing import Any

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from ops.processes.connections import ConnectionCounts
from schemas.errors import Refused
from schemas.settings.http import HttpSettings

CHECK_S = 1.0  # how often the rate of a body is looked at
CHUNK_BYTES = 20  # that frame a chunk: its size in up to 16 hexadecimal digits, and two line ends
DRAIN_S = 5.0  # for the rest of a body after an early answer: closing at once would destroy the answer on its way
DRAIN_BYTES_MAX = 4_194_304
CLOSE_S_MAX = 10.0  # for a client to take what was sent last
PIPELINED_MAX = 32  # requests that wait for the answer to an earlier one; each is some 4 KiB here for 20 bytes of the client's

_HEAD, _BODY, _DRAIN, _IDLE = "head", "body", "drain", "idle"  # what is expected of the client; idle: nothing


class ForgivingTransport:
    """A transport that drops what is written once it is closed, as asyncio's does: uvloop's raises, and an answer to somebody who has just
    left would be an error in the log.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        if not self.is_closing():
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class BoundedHttp(HttpToolsProtocol):
    """One connection of a client."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        settings: HttpSettings,
        counts: ConnectionCounts,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._settings, self._counts = settings, counts
        self._key: str | None = None  # of the connection in the counts
        self._has_place = True  # on a server that may be full
        self._expects = _IDLE
        self._timer: asyncio.TimerHandle | None = None
        self._refusal: Refused | None = None  # raised within a callback of the parser, sent after it
        self._head_bytes = 0  # of the headers that are complete
        self._other_bytes = 0  # of the request that are no body, from the read after the one it began in
        self._began = False  # a request, in this read
        self._unread: asyncio.TimerHandle | None = None  # while the client takes nothing of the answer
        self._body_bytes = 0  # while a body is expected
        self._body_began_s = self._body_pause_s = 0.0

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(ForgivingTransport(transport))  # type: ignore[arg-type]
        self._key = self._counts.enter(self.client)
        if self._counts.is_over(self._key):
            self._refuse(Refused("too_many_connections", "CLAW_HTTP_CONNECTIONS_PER_ADDRESS_MAX bounds the connections of one address."))
        elif self._counts.has_too_many(self._key):
            self._refuse(self._full())
        else:
            self._has_place = self._counts.make_room(self.loop.time())
            self._expect(_HEAD, self._settings.head_s)
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect(_IDLE)
        self._end_unread()
        self._leave()
        super().connection_lost(exc)

    def make_way(self) -> None:
        """Close a connection that waits: others have requests."""
        self._expect(_IDLE)
        self._leave()
        self._close()

    def _leave(self) -> None:
        self._counts.serve(self)
        if self._key is not None:
            self._counts.leave(self._key)
            self._key = None

    def _wait(self) -> None:
        if self._key is not None:
            self._counts.wait(self, self._key, self.loop.time())

    # What arrives

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # refused: what was on its way is not read
        body_bytes = self._body_bytes
        self._began = False
        super().data_received(data)
        if self.transport.get_protocol() is not self:  # a WebSocket now, which counts itself
            self._expect(_IDLE)
            self._leave()
            return
        if self._began or self._expects is _IDLE:
            self._other_bytes = 0  # the read may hold many requests: how much of it is this one's is not known
            return
        self._other_bytes += len(data) - (self._body_bytes - body_bytes)
        if self._other_bytes > self._settings.head_bytes_max:
            self._refuse(self._too_large())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._began = True
        self._head_bytes = self._body_bytes = 0
        self._expect(_HEAD, self._settings.head_s)

    def on_url(self, url: bytes) -> None:
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._expects is not _HEAD:
            self._stop_parsing(Refused("invalid_request", "Trailers after a body are not accepted: send these fields as headers."))
        self._count_head(len(name) + len(value) + len(": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._counts.serve(self)
        if not self._has_place:
            self._has_place = self._counts.make_room(self.loop.time())
            if not self._has_place:
                self._stop_parsing(self._full())
        if len(self.pipeline) >= PIPELINED_MAX:
            self._stop_parsing(
                Refused("invalid_request", f"At most {PIPELINED_MAX} requests may wait on one connection: read their answers.")
            )
        if any(name in {b"content-length", b"transfer-encoding"} for name, _ in self.headers):
            self._body_began_s, self._body_pause_s = self.loop.time(), 0.0
            self._expect(_BODY, CHECK_S)
        else:
            self._expect(_IDLE)
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """The parser has read the size of a chunk: that much framing is everybody's."""
        self._other_bytes -= CHUNK_BYTES

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._expects is _DRAIN and self._body_bytes > DRAIN_BYTES_MAX:
            self._close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._expect(_IDLE)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.pipeline and not self.transport.is_closing():
            self.flow.pause_reading()  # requests wait here already: the answer to one of them is no reason to read more
        if self._expects is _BODY:  # answered early: refused, or nobody wanted the body
            self._body_bytes = 0
            self._expect(_DRAIN, DRAIN_S)
            self._wait()
        elif self.cycle is None or self.cycle.response_complete:
            self._wait()

    # What is sent

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self._settings.unread_s, self.transport.abort)
        self._wait()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_unread()
        if self.cycle is not None and not self.cycle.response_complete:
            self._counts.serve(self)

    def _end_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    # What is refused

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or Refused("invalid_request", msg))

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._settings.head_bytes_max:
            self._stop_parsing(self._too_large())

    def _full(self) -> Refused:
        return Refused("overloaded", "This server has too many connections open.")

    def _too_large(self) -> Refused:
        return Refused("head_too_large", f"All of a request but its body may have {self._settings.head_bytes_max} bytes.")

    def _stop_parsing(self, refusal: Refused) -> None:
        self._refusal = refusal
        raise refusal  # the parser makes an error of its own of it, after which uvicorn asks for the 400

    def _refuse(self, refusal: Refused) -> None:
        """Answer with the problem, if no answer has begun, and close."""
        if self.transport.is_closing():
            return
        self._expect(_IDLE)
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            problem = refusal.problem()
            status = HTTPStatus(problem.status)
            body = msgspec.json.encode(problem)
            fields = ("content-type: application/problem+json", f"content-length: {len(body)}", "connection: close")
            self.transport.write("\r\n".join((f"HTTP/1.1 {status.value} {status.phrase}", *fields, "", "")).encode() + body)
        self._close()

    def _close(self) -> None:
        """Send what is left, to a client that takes it."""
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self.loop.call_later(CLOSE_S_MAX, self.transport.abort)

    # The time

    def _expect(self, what: str, seconds: float = 0.0) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._expects = what
        if what is not _IDLE:
            self._timer = self.loop.call_later(seconds, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer = None
        if self._expects is _HEAD and self.flow.read_paused:
            self._expect(_HEAD, self._settings.head_s)  # an earlier request on this connection is being answered
            return
        if self._expects is not _BODY:
            self._close()  # a head that does not end is nobody's request yet; after an early answer nothing is owed
            return
        if self.flow.read_paused:
            self._body_pause_s += CHECK_S  # it is we who do not read
        spent_s = self.loop.time() - self._body_began_s - self._body_pause_s
        allowed_s = min(self._settings.body_s_max, self._settings.body_s + self._body_bytes / self._settings.body_bytes_per_s_min)
        if spent_s > allowed_s:
            rate = f"{self._settings.body_bytes_per_s_min} bytes a second after {self._settings.body_s:g} s"
            self._refuse(Refused("request_too_slow", f"A body arrives at {rate}, and within {self._settings.body_s_max:g} s."))
        else:
            self._expect(_BODY, CHECK_S)
            if self._body_bytes < self._settings.body_bytes_per_s_min * spent_s:
                self._wait()  # a full server does not grant body_s
            else:
                self._counts.serve(self)
