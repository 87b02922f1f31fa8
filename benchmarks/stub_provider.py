"""A model provider to measure and test against: chat, embeddings and models in the dialects of OpenAI and BigModel, with faults on demand.

    python -m benchmarks.stub_provider --port 0 --first-ms 50 --tokens 32 --token-ms 5

prints ``listening http://127.0.0.1:PORT/v1``; BigModel's dialect is under ``/api/paas/v4``. What it says is deterministic. A request may
ask for another ``Behaviour`` by the query of its URL, by the header ``X-Stub: tokens=8&fault=429``, by the model's name
(``stub?tokens=8&fault=429``), or within its last message (``[[tokens=8]]``); later ones win. ``GET /stats`` counts requests and open ones
and shows the last. ``PUT /behaviour`` (``?fault=429``) replaces what requests that ask for nothing get; ``GET /calls?after=N`` lists the
streamed calls after the ``N``th, the last 100,000 at most.

With ``thinking=N`` it thinks before it answers, in the way that ``thinks`` names. With ``holds=TEXT`` (percent-encoded in a message) it
answers from the passages, or refuses.

Faults, instead of an answer: ``400``, ``401``, ``403``, ``429``, ``500``, ``503``, ``html``, ``hang_before`` (silence until the client
leaves), ``cut_before`` (the connection ends), ``reset_before`` (it is reset). On the way: ``hang_middle``, ``cut_middle``,
``reset_middle``, ``broken_frame``, ``error_object``, ``slow`` (a token each 0.5 s), ``split_utf8`` (frames in two writes, cut inside a
character), ``crlf``, ``comments``, ``error_first``. At the end: ``no_usage``, ``wrong_usage``, ``no_done``, ``no_finish`` (nor done),
``hang_end`` (silence instead of usage). ``random`` draws one for a ``share`` of the requests, by ``seed``. ``times=N`` limits a fault to
the first N requests for that model name. Embeddings know those instead of an answer, and ``first_ms``.
"""

import argparse
import asyncio
import base64
import hashlib
import re
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from msgspec import Struct, field

from benchmarks import stub_server
from benchmarks.stub_answers import CREATED, STATUS_FAULTS, Behaviour, StubAnswer, read_passages, refusal, silence

BODY_BYTES_MAX = 8_388_608
DIMENSIONS = 256
CALLS_MAX = 100_000

DEFAULT = Behaviour()
_BEHAVIOUR_HINT = re.compile(r"\[\[(?P<wish>[a-z_0-9=&.%]{1,200})\]\]")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Stats(Struct, kw_only=True):
    """Counts since the start: ``open`` calls in progress, ``open_max`` at once, ``disconnected`` calls that the client ended."""

    requests: int = 0
    open: int = 0
    open_max: int = 0
    disconnected: int = 0
    by_path: dict[str, int] = field(default_factory=dict)
    last_request: Any = None
    last_authorization_sha256: str = ""


class StubCall(Struct, kw_only=True):
    """A streamed call, ``number`` from 1; times in seconds since the epoch. ``end`` 0: in progress. ``left``: the client hung up."""

    number: int
    at: float
    end: float = 0.0
    trace: str = ""
    fault: str = ""
    left: bool = False


class StubProvider:
    """The server's routes and its counts."""

    def __init__(self, default: Behaviour = DEFAULT, key: str = "") -> None:
        self._default, self._key = default, key
        self._calls: deque[StubCall] = deque(maxlen=CALLS_MAX)
        self._streamed = 0
        self._faults: Counter[str] = Counter()
        self.stats = Stats()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        for root in ("/v1", "/api/paas/v4"):
            app.router.add_post(f"{root}/chat/completions", self._count_calls(self._answer))
            app.router.add_post(f"{root}/embeddings", self._count_calls(self._embed))
            app.router.add_get(f"{root}/models", self._models)
        app.router.add_get("/stats", self._show)
        app.router.add_put("/behaviour", self._change)
        app.router.add_get("/calls", self._list_calls)
        return app

    async def _show(self, _: web.Request) -> web.Response:
        return _json(self.stats)

    async def _change(self, request: web.Request) -> web.Response:
        self._default = msgspec.convert(msgspec.structs.asdict(DEFAULT) | dict(request.query), Behaviour, strict=False)
        return _json(self._default)

    async def _list_calls(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        return _json([call for call in self._calls if call.number > after])

    async def _models(self, request: web.Request) -> web.Response:
        return self._refusal(request) or _json(
            {"object": "list", "data": [{"id": "stub", "object": "model", "created": CREATED, "owned_by": "stub"}]}
        )

    def _count_calls(self, handle: Handler) -> Handler:
        async def count_call(request: web.Request) -> web.StreamResponse:
            self.stats.open += 1
            self.stats.open_max = max(self.stats.open_max, self.stats.open)
            try:
                return await handle(request)
            except (asyncio.CancelledError, ConnectionResetError):
                self.stats.disconnected += 1
                raise
            finally:
                self.stats.open -= 1

        return count_call

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refusal(request):
            return refused
        body = msgspec.json.decode(await request.read())
        if instead := await self._fault_response(request, self._behaviour(request, body["model"])):
            return instead
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        vectors = [_vector(str(text), int(body.get("dimensions") or DIMENSIONS)) for text in texts]
        as_text = body.get("encoding_format") == "base64"  # what the official client asks for
        data = [{"object": "embedding", "index": i, "embedding": _pack(v) if as_text else v} for i, v in enumerate(vectors)]
        tokens = sum(len(str(text)) for text in texts)
        usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
        return _json({"object": "list", "model": body["model"], "data": data, "usage": usage})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refusal(request):
            return refused
        body = msgspec.json.decode(await request.read())
        self.stats.last_request = body
        behaviour = self._behaviour(request, body["model"], str(body["messages"][-1]["content"]))
        if not body.get("stream"):
            return await self._respond(request, body, behaviour)
        self._streamed += 1
        call = StubCall(number=self._streamed, at=time.time(), trace=behaviour.trace, fault=behaviour.fault)
        self._calls.append(call)
        try:
            return await self._respond(request, body, behaviour, call.number)
        except (asyncio.CancelledError, ConnectionError):
            call.left = True
            raise
        finally:
            call.end = time.time()

    async def _respond(self, request: web.Request, body: dict[str, Any], behaviour: Behaviour, number: int = 0) -> web.StreamResponse:
        if instead := await self._fault_response(request, behaviour):
            return instead
        if behaviour.holds:
            text = read_passages(body, behaviour.holds)
            behaviour = msgspec.structs.replace(behaviour, text=f"({number}) {text}" if behaviour.numbered else text)
        answer = StubAnswer(body, behaviour, bigmodel=_bigmodel(request))
        if not body.get("stream"):
            return web.Response(body=answer.body(), content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"})
        await response.prepare(request)
        async for frame in answer.frames():
            if frame is None:
                return _cut(request, response, reset=behaviour.fault == "reset_middle")
            await response.write(frame)
        return response

    def _behaviour(self, request: web.Request, model: str, said: str = "") -> Behaviour:
        wished = wish["wish"] if (wish := _BEHAVIOUR_HINT.search(said)) else ""
        asked = (
            dict(request.query)
            | dict(parse_qsl(request.headers.get("X-Stub", "")))
            | dict(parse_qsl(model.partition("?")[2]) + parse_qsl(wished))
        )
        behaviour = msgspec.convert(msgspec.structs.asdict(self._default) | asked, Behaviour, strict=False)
        if behaviour.fault:
            self._faults[model] += 1
            if self._faults[model] > behaviour.times:
                return msgspec.structs.replace(behaviour, fault="")
        if behaviour.fault == "random":
            return msgspec.structs.replace(behaviour, fault=behaviour.draw_fault(self._faults[model]))
        return behaviour

    async def _fault_response(self, request: web.Request, behaviour: Behaviour) -> web.StreamResponse | None:
        """The response of a fault, after the time to the first token."""
        fault = behaviour.fault
        if behaviour.first_ms:
            await asyncio.sleep(behaviour.first_ms / 1000)
        if fault == "hang_before":
            await silence()
        if fault in STATUS_FAULTS:
            return _failure(request, behaviour)
        if fault == "html":
            return web.Response(text="<html>welcome</html>", content_type="text/html")
        return _cut(request, web.Response(), reset=fault == "reset_before") if fault in ("cut_before", "reset_before") else None

    def _refusal(self, request: web.Request) -> web.Response | None:
        authorization = request.headers.get("Authorization", "")
        self.stats.requests += 1
        self.stats.by_path[request.path] = self.stats.by_path.get(request.path, 0) + 1
        self.stats.last_authorization_sha256 = hashlib.sha256(authorization.encode()).hexdigest()
        if self._key and authorization != f"Bearer {self._key}":
            return _failure(request, Behaviour(fault="401"), f"Incorrect API key provided: {authorization}.")
        return None


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json", headers=headers)


def _bigmodel(request: web.Request) -> bool:
    return request.path.startswith("/api/paas")


def _failure(request: web.Request, behaviour: Behaviour, message: str = "") -> web.Response:
    headers = {"Retry-After": behaviour.retry_after} if behaviour.retry_after else None
    return _json(refusal(behaviour, message, bigmodel=_bigmodel(request)), int(behaviour.fault), headers)


def _cut(request: web.Request, response: web.StreamResponse, *, reset: bool) -> web.StreamResponse:
    """End the connection here: closed, or reset, which also throws away what the client has not read yet."""
    transport = request.transport
    if transport is not None:
        if reset and (raw := transport.get_extra_info("socket")) is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return response


def _vector(text: str, dimensions: int) -> list[float]:
    """A unit-free pseudo-random vector that depends on the text only; components in -1 .. 1."""
    noise = hashlib.shake_256(text.encode()).digest(dimensions)
    return [byte / 127.5 - 1 for byte in noise]


def _pack(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stub_provider", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="", help="refuse every other key with 401")
    for name, default in msgspec.structs.asdict(DEFAULT).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    values = vars(parser.parse_args())
    port, key = values.pop("port"), values.pop("key")
    stub_server.run(StubProvider(Behaviour(**values), key), port, "/v1")


if __name__ == "__main__":
    main()
