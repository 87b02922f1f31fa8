"""uvicorn's WebSocket connection with an end to every wait, and without the client's credential in its log lines."""

import asyncio
import logging
from functools import partial
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from ops.processes.connections import ConnectionCounts
from schemas.settings.sockets import SocketSettings

PING_S = 20.0  # of silence from us, at the level of the protocol; below the 60 s after which usual proxies give up
PONG_S = 40.0  # then the client counts as gone; one that reads slowly answers the ping late
CLOSE_S_MAX = 10.0  # for a client to read what was sent last and to close
UNREAD_BYTES_MAX = (
    4_194_304  # that the client has not taken: beyond what is sent to a slow reader, only pongs that nobody reads come so far
)
HARD_FACTOR = 4  # times the largest frame: below it a frame is answered with a problem, beyond it closes the connection (1009)

_quiet = logging.getLogger("claw.websockets")


def options(settings: SocketSettings, counts: ConnectionCounts) -> dict[str, Any]:
    """The WebSocket options of uvicorn's configuration."""
    _quiet.setLevel(logging.WARNING)  # below that it writes URLs and headers
    return {
        "ws": partial(BoundedWebSocket, counts=counts),
        "ws_max_size": settings.frame_bytes_max * HARD_FACTOR,
        "ws_ping_interval": PING_S,
        "ws_ping_timeout": PONG_S,
        "ws_per_message_deflate": False,  # some 64 KiB more per connection, and the frames are short
    }


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, counts: ConnectionCounts, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._counts = counts
        self._key: str | None = None
        self.logger = self.conn.logger = _quiet
        self.conn.debug = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._key = self._counts.enter(self.client)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self.transport.abort()

    def handle_parser_exception(self) -> None:
        if self.conn.close_sent is None:  # the client sent frames, and wrong ones, before its handshake was answered
            self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE, "reason": ""})
            self.transport.abort()
        else:
            super().handle_parser_exception()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._key is not None:
            self._counts.leave(self._key)
            self._key = None
        super().connection_lost(exc)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()  # a client that answers no ping reads no close frame

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self.loop.call_later(CLOSE_S_MAX, self.transport.abort)
