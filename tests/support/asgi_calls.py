"""Requests to the application itself, without a server: whatever bytes a server would pass on, and event streams that are left at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from litestar import Litestar

ANSWER_S_MAX = 15.0
BODY_BYTES_MAX = 100_000  # of an answer that are kept


@dataclass(frozen=True, slots=True)
class Call:
    """``target``: path and query as in a request line; header names in lower case."""

    method: str
    target: str
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""


@dataclass(slots=True)
class Answered:
    status: int = 0
    body: bytes = b""
    media_type: str = ""


async def send(app: Litestar, call: Call, client: tuple[str, int] = ("127.0.0.1", 9)) -> Answered:
    """The answer; of an event stream only its beginning."""
    path, _, query = call.target.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 80),
        "client": client,
        "scheme": "http",
        "root_path": "",
        "method": call.method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"localhost"), *call.headers],
        "state": {},
    }
    answered, left = Answered(), asyncio.Event()
    incoming = [{"type": "http.request", "body": call.body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def respond(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answered.status = message["status"]
            answered.media_type = next((value.decode() for name, value in message["headers"] if name == b"content-type"), "")
            if answered.media_type.startswith("text/event-stream"):
                left.set()
            return
        if len(answered.body) < BODY_BYTES_MAX:
            answered.body += message.get("body", b"")
        if not message.get("more_body", False):  # as ASGI has it: what is received after a whole response is that it was sent
            left.set()

    async with asyncio.timeout(ANSWER_S_MAX):
        await app(scope, receive, respond)  # type: ignore[arg-type]  # as a server calls it
    return answered
