"""The HTTP status pages of a process, on a port of their own: ``/livez``, ``/metrics`` and others. GET only."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from schemas.errors import ConfigurationError
from schemas.settings import NodeSettings

REQUEST_BYTES_MAX = 8_192  # a scraper's request with all its headers
REQUEST_S_MAX = 5.0  # for a client to send its request and read the response

StatusResponse = tuple[HTTPStatus, str, bytes]  # status, content type, body


class StatusServer:
    """``pages`` maps a path to the function that makes its response, called at each request."""

    def __init__(self, pages: dict[str, Callable[[], StatusResponse]]) -> None:
        self._pages = pages
        self._server: asyncio.Server | None = None

    async def start(self, node: NodeSettings) -> int:
        """Listen; returns the port, a free one for 0. Raises ConfigurationError when it is taken."""
        try:
            self._server = await asyncio.start_server(self._serve, node.metrics_host, node.metrics_port, limit=REQUEST_BYTES_MAX)
        except OSError as error:
            where = f"{node.metrics_host}:{node.metrics_port}"
            raise ConfigurationError(f"CLAW_METRICS_HOST, CLAW_METRICS_PORT: {where} cannot be listened on: {error}") from error
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                request = await reader.readuntil(b"\r\n\r\n")
                status, content_type, body = self._answer(request)
                head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
                writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that sends no complete request in time gets no response
        finally:
            writer.close()

    def _answer(self, request: bytes) -> StatusResponse:
        method, _, rest = request.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0].decode(errors="replace")
        if method != b"GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"GET only\n"
        page = self._pages.get(path)
        return page() if page is not None else (HTTPStatus.NOT_FOUND, "text/plain", b"not found\n")


def liveness() -> StatusResponse:
    """The page of a process that responds."""
    return HTTPStatus.OK, "text/plain", b"alive\n"
