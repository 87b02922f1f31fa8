"""Server-sent events directly on ASGI: frames are encoded already, so a stream costs one ``send`` per frame and little else.

``send`` waits while the client does not read (64 KiB are buffered in its connection), and frames are produced on demand: a slow reader
costs its buffer and a cursor.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from typing import Any

from litestar import Litestar, Request, Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from domain.chats.relay import ReplyFrame

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would buffer events
]
RESUME_S_MAX = 2.0  # within which a stream that has nothing more for a reader who resumes shows it


def wants_events(request: Request[Any, Any, Any]) -> bool:
    """Whether the client asked for an event stream instead of a JSON answer."""
    return "text/event-stream" in request.headers.get("accept", "")


def event_frame(event: str, event_id: str, data: bytes) -> ReplyFrame:
    """One event; ``data`` is JSON without line breaks."""
    return ReplyFrame(event_id, event, data)


class EventStream(Response[Any]):
    """Sends ``frames`` until they end or the client disconnects; in both cases the generator is closed before the response ends.

    Frames that are bytes are sent unchanged. ``headers`` are added to those of every stream. One that ``resumes`` answers 204 when it
    ends without a frame: a browser's ``EventSource`` reconnects after every other end, for ever.
    """

    def __init__(
        self, frames: AsyncGenerator[ReplyFrame | bytes, None], headers: Mapping[str, str] | None = None, *, resumes: bool = False
    ) -> None:
        super().__init__(None, media_type="text/event-stream")
        self.frames, self.more, self.resumes = frames, headers or {}, resumes

    def to_asgi_response(self, app: Litestar | None, request: Request[Any, Any, Any], **_: Any) -> ASGIResponse:
        """The application that sends the stream."""
        del app, request
        more = [(name.lower().encode(), value.encode()) for name, value in self.more.items()]
        return _StreamResponse(self.frames, HEADERS + more, resumes=self.resumes)


class _StreamResponse(ASGIResponse):
    """The ASGI application of a stream."""

    def __init__(self, frames: AsyncGenerator[ReplyFrame | bytes, None], headers: list[tuple[bytes, bytes]], *, resumes: bool) -> None:
        super().__init__()
        self._frames, self._headers, self._resumes = frames, headers, resumes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the frames end or the client disconnects."""
        del scope
        pump = asyncio.create_task(self._pump(send))
        disconnected = asyncio.create_task(wait_for_disconnect(receive))
        try:
            await asyncio.wait((pump, disconnected), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pump, disconnected):
                task.cancel()
            await asyncio.wait((pump, disconnected))
            await self._frames.aclose()
        if not pump.cancelled():
            pump.result()  # its failure is the response's

    async def _pump(self, send: Send) -> None:
        first = asyncio.ensure_future(_next_frame(self._frames)) if self._resumes else None
        try:
            if first is not None:
                await asyncio.wait([first], timeout=RESUME_S_MAX)
                if first.done() and first.result() is None:
                    await send({"type": "http.response.start", "status": HTTPStatus.NO_CONTENT, "headers": []})
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
            await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": self._headers})
            if first is not None and (frame := await first) is not None:
                await _send_frame(send, frame)
            async for frame in self._frames:
                await _send_frame(send, frame)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if first is not None:
                first.cancel()
                await asyncio.wait([first])  # a generator in use cannot be closed


async def _next_frame(frames: AsyncGenerator[ReplyFrame | bytes, None]) -> ReplyFrame | bytes | None:
    return await anext(frames, None)


async def _send_frame(send: Send, frame: ReplyFrame | bytes) -> None:
    body = frame if isinstance(frame, bytes) else frame.sse()
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def wait_for_disconnect(receive: Receive) -> None:
    """Returns when the client has disconnected; the body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass
