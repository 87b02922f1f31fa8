"""The outermost layer of every request: request id, trace context and timing. Plain ASGI, because it runs for every request.

Headers that inner layers add through ``response_headers_of(scope)`` are sent with every response, errors included.
"""

import re
import time
from collections.abc import Callable, MutableMapping
from http import HTTPStatus
from typing import Any, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from api.http.metrics import Metrics
from schemas import ids
from schemas.traces import new_traceparent, valid_traceparent

_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")  # printable, no separators: it is written to logs and echoed in a header
REQUESTS: frozenset[str] = frozenset({ScopeType.HTTP, ScopeType.WEBSOCKET})  # and not the lifespan of the server
HEADS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})  # a request has one of them
UNMATCHED = "unmatched"  # metric label of requests without a route, whose paths are unbounded

BROWSERS = ((b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"), (b"referrer-policy", b"no-referrer"))
NO_STORE = (b"cache-control", b"no-store")  # of an answer that does not say itself how long it may be kept

Headers = list[tuple[bytes, bytes]]


class Envelope:
    """Wraps an ASGI application; ``random_bytes(n)`` gives n random bytes."""

    def __init__(self, app: ASGIApp, metrics: Metrics, random_bytes: Callable[[int], bytes]) -> None:
        self._app = app
        self._metrics = metrics
        self._random_bytes = random_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] not in REQUESTS:
            await self._app(scope, receive, send)
            return
        request_id, traceparent = self._identify(scope["headers"])
        state = cast("MutableMapping[str, Any]", scope.setdefault("state", {}))
        state["request_id"], state["traceparent"] = request_id, traceparent
        headers: Headers = [(b"x-request-id", request_id.encode()), *BROWSERS]
        state["response_headers"] = headers
        began = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            if message["type"] in HEADS:
                head = cast("dict[str, Any]", message)
                own = head.get("headers", ())
                head["headers"] = [*own, *headers] if any(name == b"cache-control" for name, _ in own) else [*own, *headers, NO_STORE]
                method, status = str(scope.get("method", "GET")), int(head.get("status", HTTPStatus.SWITCHING_PROTOCOLS))
                self._metrics.count_response(method, scope.get("path_template") or UNMATCHED, status, time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _identify(self, headers: Any) -> tuple[str, str]:
        request_id = traceparent = ""
        for name, value in headers:
            if name == b"x-request-id" and _SANE_ID.fullmatch(value):
                request_id = value.decode("ascii")
            elif name == b"traceparent":
                offered = value.decode("latin-1")
                traceparent = offered if valid_traceparent(offered) else ""
        return (
            request_id or ids.random_id(self._random_bytes),
            traceparent or new_traceparent(self._random_bytes),
        )


def request_id_of(scope: Scope) -> str:
    """The id of the request: the client's, or a generated one."""
    return str(cast("MutableMapping[str, Any]", scope["state"]).get("request_id", ""))


def traceparent_of(scope: Scope) -> str:
    """The request's trace context: the correlation id of everything it causes."""
    return str(cast("MutableMapping[str, Any]", scope["state"])["traceparent"])


def response_headers_of(scope: Scope) -> Headers:
    """Headers that are sent with the response, whatever it is."""
    return cast("Headers", cast("MutableMapping[str, Any]", scope["state"])["response_headers"])
