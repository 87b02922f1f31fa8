"""Server-sent events straight on ASGI: frames are bytes already, so a stream costs one ``send`` per frame and nothing else."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from litestar import Litestar, Request, Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


def wants_events(request: Request[Any, Any, Any]) -> bool:
    """Whether the client asked for an event stream instead of a JSON answer."""
    return "text/event-stream" in request.headers.get("accept", "")


def encoded(event: str, event_id: str, data: bytes) -> bytes:
    """One event; ``data`` is JSON and so has no line breaks."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (event_id.encode(), event.encode(), data)


class EventStream(Response[Any]):
    """Relays ``frames`` until they end or the client goes; either way the generator is closed before the response is over."""

    def __init__(self, frames: AsyncGenerator[bytes, None]) -> None:
        super().__init__(None, media_type="text/event-stream")
        self._frames = frames

    def to_asgi_response(self, app: Litestar | None, request: Request[Any, Any, Any], **_: Any) -> ASGIResponse:
        """The application that sends the stream."""
        del app, request
        return _Sending(self._frames)


class _Sending(ASGIResponse):
    """The stream as the framework runs it."""

    def __init__(self, frames: AsyncGenerator[bytes, None]) -> None:
        super().__init__()
        self._frames = frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the frames end or the client goes."""
        del scope
        pump = asyncio.create_task(self._pump(send))
        gone = asyncio.create_task(disconnected(receive))
        try:
            await asyncio.wait((pump, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pump, gone):
                task.cancel()
            await asyncio.wait((pump, gone))
            await self._frames.aclose()
        if not pump.cancelled():
            pump.result()  # its failure is the response's

    async def _pump(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
        async for frame in self._frames:
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def disconnected(receive: Receive) -> None:
    """Returns when the client has gone; the body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass
