"""Server-sent events directly on ASGI: frames are encoded already, so a stream costs one ``send`` per frame and little else.

``send`` waits while the client does not read (64 KiB are buffered in its connection), and frames are produced on demand: a slow reader
costs its buffer and a cursor.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from litestar import Litestar, Request, Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from api.http.request import ApiRequest
from domain.chats.relay import ReplyFrame

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would buffer events
]
CREDENTIAL_CHECK_S = 3.0  # of an open stream: its process answers it from memory, or with a round trip to Redis an account
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

    def to_asgi_response(self, app: Litestar | None, request: Any, **_: Any) -> ASGIResponse:
        """The application that sends the stream."""
        del app
        more = [(name.lower().encode(), value.encode()) for name, value in self.more.items()]
        return _StreamResponse(self.frames, HEADERS + more, resumes=self.resumes, ended=partial(_wait_for_credential_end, request))


class _StreamResponse(ASGIResponse):
    """The ASGI application of a stream."""

    def __init__(
        self,
        frames: AsyncGenerator[ReplyFrame | bytes, None],
        headers: list[tuple[bytes, bytes]],
        *,
        resumes: bool,
        ended: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        super().__init__()
        self._frames, self._headers, self._resumes, self._ended = frames, headers, resumes, ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the frames end, the client disconnects, or its credential is accepted no more."""
        del scope
        pump = asyncio.create_task(self._pump(send))
        disconnected, ended = asyncio.create_task(wait_for_disconnect(receive)), asyncio.create_task(self._ended())
        others = (disconnected, ended)
        try:
            await asyncio.wait((pump, *others), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pump, *others):
                task.cancel()
            await asyncio.wait((pump, *others))
            await self._frames.aclose()
        if not pump.cancelled():
            pump.result()  # its failure is the response's
        elif not ended.cancelled():
            ended.result()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

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


async def _wait_for_credential_end(request: ApiRequest) -> None:
    """Returns within seconds after the caller's session, key or account has ended."""
    while True:
        await asyncio.sleep(CREDENTIAL_CHECK_S)
        if not await request.http.identities.is_active(request.user):
            return


async def _next_frame(frames: AsyncGenerator[ReplyFrame | bytes, None]) -> ReplyFrame | bytes | None:
    return await anext(frames, None)


async def _send_frame(send: Send, frame: ReplyFrame | bytes) -> None:
    body = frame if isinstance(frame, bytes) else frame.sse()
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def wait_for_disconnect(receive: Receive) -> None:
    """Returns when the client has disconnected; the body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass
