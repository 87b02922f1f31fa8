"""Pages of other origins may call the API when the operator lists them: the CORS protocol, inside the envelope, around everything else.

What widgets call (``ApiArea.any_origin``) every page may, without a cookie: a preflight has no credential that could say whose key will
follow, and an answer with ``*`` gives a page nothing that a program without a browser does not have. Whether the key is for the page's
origin is decided behind the gate, whose refusal the page can then read.

So errors, streams and refused requests carry the headers as well, and a preflight, which browsers send without a credential, meets neither
authentication nor limits. WebSockets have a check of their own (``api/socket/handshake.py``): browsers do not apply CORS to them.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from schemas.errors import ConfigurationError

ANY = "*"
METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
EXPOSED = (
    b"X-Request-ID, Location, ETag, Retry-After, RateLimit, RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset,"
    b" X-Ignored-Parameters, X-Should-Retry, Content-Disposition, WWW-Authenticate, Allow"
)
PREFLIGHT_S_MAX = b"600"  # a browser asks again after this: so long a taken origin may linger
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,30}://[^/\s,*@?#]{1,253}")  # browser extensions and desktop shells have schemes of their own
_HEADER_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")  # echoed: what a header may be called, and nothing else

Headers = list[tuple[bytes, bytes]]

ALLOW_ORIGIN = b"access-control-allow-origin"
ANYBODY: Headers = [(ALLOW_ORIGIN, b"*")]  # without credentials, and the same for everybody: nothing varies


def parse_origins(listed: str) -> frozenset[str]:
    """The origins of a comma-separated list, in lower case. Raises ConfigurationError for what is none."""
    origins = frozenset(each.strip().rstrip("/").lower() for each in listed.split(",") if each.strip())
    for origin in origins - {ANY}:
        if _ORIGIN.fullmatch(origin) is None:
            raise ConfigurationError(f"CLAW_CORS_ORIGINS: {origin!r} is no origin: write scheme://host[:port], or * alone, without a path")
    return origins


class Cors:
    """Wraps an ASGI application; ``origins`` of ``parse_origins``, ``any_origin`` as in ``ApiArea``."""

    def __init__(self, app: ASGIApp, origins: frozenset[str], any_origin: Sequence[str] = ()) -> None:
        self._app = app
        self._origins = origins
        self._exact = frozenset(path for path in any_origin if not path.endswith("/"))
        self._beginnings = tuple(path for path in any_origin if path.endswith("/"))
        self._vary = (b"vary", b"Origin")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        is_open = scope["path"] in self._exact or scope["path"].startswith(self._beginnings)
        if not is_open and not self._origins:
            await self._app(scope, receive, send)
            return
        said = _origin_headers(scope["headers"])
        headers = ANYBODY if is_open else self._headers(said.get(b"origin", b""))
        allowed = any(name == ALLOW_ORIGIN for name, _ in headers)
        if allowed and scope["method"] == "OPTIONS" and b"access-control-request-method" in said:
            listed = not is_open and self._is_listed(said.get(b"origin", b""))
            await _answer_preflight(send, [*headers, *_preflight_headers(said, listed=listed)])
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                head = cast("dict[str, Any]", message)
                exposed = [(b"access-control-expose-headers", EXPOSED)] if allowed else []
                head["headers"] = [*head.get("headers", ()), *headers, *exposed]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _headers(self, origin: bytes) -> Headers:
        """For any answer. Credentials only for an origin by its name: with ``*`` anybody's page would act as the person in front."""
        if origin and self._is_listed(origin):
            return [self._vary, (ALLOW_ORIGIN, origin), (b"access-control-allow-credentials", b"true")]
        if origin and ANY in self._origins:
            return [self._vary, *ANYBODY]
        return [self._vary]  # caches keep the answers to others apart, also from one without an origin

    def _is_listed(self, origin: bytes) -> bool:
        return origin.decode("latin-1").lower() in self._origins - {ANY}


def _origin_headers(headers: Any) -> dict[bytes, bytes]:
    return {name: value for name, value in headers if name == b"origin" or name.startswith(b"access-control-request-")}


def _preflight_headers(said: dict[bytes, bytes], *, listed: bool) -> Headers:
    headers: Headers = [
        (b"access-control-allow-methods", METHODS),
        (b"access-control-max-age", PREFLIGHT_S_MAX),
        (b"vary", b"Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    asked = said.get(b"access-control-request-headers", b"")
    if _HEADER_NAMES.fullmatch(asked):
        headers.append((b"access-control-allow-headers", asked))
    if listed and said.get(b"access-control-request-private-network") == b"true":
        headers.append((b"access-control-allow-private-network", b"true"))  # a public page that calls an API on loopback
    return headers


async def _answer_preflight(send: Send, headers: Headers) -> None:
    await send(cast("Any", {"type": "http.response.start", "status": int(HTTPStatus.NO_CONTENT), "headers": headers}))
    await send(cast("Any", {"type": "http.response.body", "body": b"", "more_body": False}))
