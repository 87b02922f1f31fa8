"""A model provider to measure and test against: the chat, embeddings and models calls of OpenAI and of BigModel, with faults on demand.

    python -m benchmarks.stub_provider --port 0 --first-ms 50 --tokens 32 --token-ms 5

prints ``listening http://127.0.0.1:PORT/v1``; BigModel's dialect is under ``/api/paas/v4``. What it says is deterministic. A request may ask for
another ``Behaviour`` by the query of its URL, by the header ``X-Stub: tokens=8&fault=429``, or by the model's name
(``stub?tokens=8&fault=429``); later ones win. ``GET /stats`` counts requests and open streams and shows the last request.

Faults: ``429``, ``500``, ``503``, ``400``, ``401``, ``403`` (instead of an answer) · ``hang_before``, ``hang_middle`` (silence until the client
leaves) · ``cut_before``, ``cut_middle`` (the connection breaks) · ``broken_frame`` · ``error_object`` (half way) · ``split_utf8`` (every frame in
two writes, cut inside a character) · ``crlf`` · ``comments`` · ``no_usage`` · ``no_done`` · ``no_finish`` · ``html``. ``times=N`` limits a
fault to the first N requests for that model name.
"""

import argparse
import asyncio
import base64
import hashlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import uvloop
from aiohttp import web
from msgspec import Struct, field

CREATED = 1_700_000_000
STATUS_FAULTS: dict[str, tuple[str, str]] = {
    "400": ("invalid_request_error", "bad_request"),
    "401": ("authentication_error", "invalid_api_key"),
    "403": ("permission_error", "forbidden"),
    "429": ("rate_limit_error", "rate_limit_exceeded"),
    "500": ("server_error", "server_error"),
    "503": ("server_error", "overloaded"),
}
BODY_BYTES_MAX = 8_388_608
DIMENSIONS = 256
_WORDS = ("知识库", "记录", "了", "这", "一点", "：", "the", " log", " is", " the", " system", "，", "🙂", "每个", "事件", "。")


class Behaviour(Struct, frozen=True, kw_only=True):
    """How one request is answered. ``text`` replaces the token text; ``cite`` puts the marker ``[cite]`` after every eighth token."""

    first_ms: float = 0.0
    tokens: int = 32
    token_ms: float = 0.0
    fault: str = ""
    times: int = 1_000_000
    retry_after: str = ""
    code: str = ""  # error code instead of the fault's own
    finish: str = "stop"
    cite: int = 0
    text: str = ""

    def pieces(self) -> list[str]:
        """The tokens of the answer."""
        if self.text:
            return [self.text[i : i + 3] for i in range(0, len(self.text), 3)]
        marker = f"[{self.cite}]" if self.cite else ""
        return [_WORDS[i % len(_WORDS)] + (marker if i % 8 == 7 else "") for i in range(self.tokens)]


class Stats(Struct, kw_only=True):
    """Counts since the start. ``open`` is the number of requests being answered now."""

    requests: int = 0
    open: int = 0
    disconnected: int = 0
    by_path: dict[str, int] = field(default_factory=dict)
    last_request: Any = None
    last_authorization_sha256: str = ""


class _Spoilt(Exception):
    """The answer ends here, on purpose."""


class StubProvider:
    """The server's routes and its counts."""

    def __init__(self, default: Behaviour = Behaviour(), key: str = "") -> None:  # noqa: B008 - frozen
        self._default, self._key = default, key
        self._faults: Counter[str] = Counter()
        self.stats = Stats()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        for root in ("/v1", "/api/paas/v4"):
            app.router.add_post(f"{root}/chat/completions", self._chat)
            app.router.add_post(f"{root}/embeddings", self._embeddings)
            app.router.add_get(f"{root}/models", self._models)
        app.router.add_get("/stats", self._show)
        return app

    async def _show(self, _: web.Request) -> web.Response:
        return _json(self.stats)

    async def _models(self, request: web.Request) -> web.Response:
        return self._refusal(request) or _json({"object": "list", "data": [{"id": "stub", "object": "model", "created": CREATED, "owned_by": "stub"}]})

    async def _embeddings(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        body = msgspec.json.decode(await request.read())
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        vectors = [_vector(str(text), int(body.get("dimensions") or DIMENSIONS)) for text in texts]
        as_text = body.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": i, "embedding": base64.b64encode(v.tobytes()).decode() if as_text else v.tolist()}
            for i, v in enumerate(vectors)
        ]
        tokens = sum(len(str(text)) for text in texts)
        return _json({"object": "list", "model": body["model"], "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})
