"""`claw api`: the HTTP server around the application."""

import asyncio
from typing import Any

import msgspec
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ops.processes import logs, runtime, websockets
from ops.stack.ports import is_free
from schemas.errors import ConfigurationError, Refused
from schemas.settings import Settings

BACKLOG_MAX = 2048  # connections the kernel holds before we accept them; more are refused at once instead of waiting unseen
KEEP_ALIVE_S = 75  # of idle connections; longer than the 60 s of usual proxies, so that the proxy closes first
CONNECTIONS_MARGIN = 2_000  # plain requests in flight beside the event streams; beyond that the server says 503 itself
HEAD_BYTES_MAX = 32_768  # request line and headers; the parser itself has no bound
HEAD_S = 15.0  # from the connection, or a request's first byte, to the end of its headers


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol with a bound on the size and the time of a request's head, and its refusals as problem documents."""

    _head_bytes = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._deadline is None:
            self._head_bytes = 0
        elif self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response(f"The head of the request is longer than {HEAD_BYTES_MAX} bytes.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._head_done()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        body = msgspec.json.encode(Refused("invalid_request", msg).problem())
        fields = ("content-type: application/problem+json", f"content-length: {len(body)}", "connection: close")
        self.transport.write("\r\n".join(("HTTP/1.1 400 Bad Request", *fields, "", "")).encode() + body)
        self.transport.close()

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self.transport.close)

    def _head_done(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; requests in flight get ``shutdown_grace_s``. Raises ConfigurationError when the port is taken."""
    from api.app import create_app  # noqa: PLC0415 - a second of imports that `claw api --help` need not wait for

    node = settings.node
    if node.port and not is_free(node.port, node.host):
        raise ConfigurationError(f"CLAW_PORT: port {node.port} on {node.host} is taken; set CLAW_PORT to another (0 takes a free one)")
    logs.configure(node, "api")
    runtime.prepare()
    server = uvicorn.Server(configuration(create_app(settings), settings))
    runtime.tune_gc()
    server.run()
    return 0 if server.started else 1


def configuration(app: Any, settings: Settings) -> uvicorn.Config:
    """How ``app`` is served."""
    return uvicorn.Config(
        app,
        host=settings.node.host,
        port=settings.node.port,
        loop="uvloop",
        http=BoundedHttp,
        **websockets.options(settings.socket),
        lifespan="on",
        access_log=False,  # metrics and the problem log have what matters, without a line per request
        log_config=None,
        proxy_headers=False,  # X-Forwarded-For is walked by the application, through trusted proxies only
        server_header=False,
        backlog=BACKLOG_MAX,
        limit_concurrency=settings.limits.streams_max + settings.socket.sockets_max + CONNECTIONS_MARGIN,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, int(settings.node.shutdown_grace_s)),
    )
