"""A reranking server to measure and test against, in the formats of BigModel, Jina, Cohere and Text Embeddings Inference, with faults.

    python -m benchmarks.stub_reranker --port 0 --first-ms 20

prints ``listening http://127.0.0.1:PORT``; the formats are at ``/zhipu/rerank``, ``/jina/rerank``, ``/cohere/rerank``, ``/tei/rerank``. A
text's score is the share of the query's words and character pairs that it has. ``{fault=429}`` within the query, or ``--fault``, asks for a
fault: ``429``, ``503``, ``401``, ``hang``, ``cut``, ``html``, ``broken`` (half a reply), ``empty``, ``too_many``, ``out_of_range``,
``negative``, ``twice``, ``no_number``, ``huge``. ``GET /stats`` counts calls and shows the last body.
"""

import argparse
import asyncio
import re
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from benchmarks import stub_server

FORMATS = ("zhipu", "jina", "cohere", "tei")
TEI_TEXTS_MAX = 32  # its --max-client-batch-size by default
STATUSES = {"429": 429, "503": 503, "401": 401}
BODY_BYTES_MAX = 16_777_216
_FAULT_HINT = re.compile(r"\{fault=(?P<fault>[a-z_0-9]{1,20})\}")
_WORD = re.compile(r"[a-z0-9]+")
_HAN = re.compile("[\u4e00-\u9fff]+")


class RerankStats(Struct, kw_only=True):
    """Counts since the start, and the last call."""

    calls: int = 0
    last_path: str = ""
    last_body: Any = None
    last_authorization: str = ""


class StubReranker:
    """The server's routes and its counts. ``key``: refuse every other one with 401."""

    def __init__(self, *, first_ms: float = 0.0, fault: str = "", key: str = "") -> None:
        self.fault = fault
        self._first_ms, self._key = first_ms, key
        self.stats = RerankStats()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        for name in FORMATS:
            app.router.add_post(f"/{name}/rerank", self._rerank)
        app.router.add_get("/stats", self._show)
        return app

    async def _show(self, _: web.Request) -> web.Response:
        return _json(self.stats)

    async def _rerank(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read())
        self.stats.calls += 1
        self.stats.last_path, self.stats.last_body = request.path, body
        self.stats.last_authorization = request.headers.get("Authorization", "")
        tei = request.path.startswith("/tei")
        query, texts = str(body["query"]), list(body["texts" if tei else "documents"])
        if self._key and self.stats.last_authorization != f"Bearer {self._key}":
            return _json(_failure("401", tei=tei), 401)
        if tei and len(texts) > TEI_TEXTS_MAX:
            return _json(
                {"error": f"batch size {len(texts)} > maximum allowed batch size {TEI_TEXTS_MAX}", "error_type": "Validation"}, 422
            )
        fault = hint["fault"] if (hint := _FAULT_HINT.search(query)) else self.fault
        if self._first_ms:
            await asyncio.sleep(self._first_ms / 1000)
        if (instead := await _fault_response(request, fault, tei=tei)) is not None:
            return instead
        rows = _spoil([(at, share(query, str(text))) for at, text in enumerate(texts)], fault)
        reply = msgspec.json.encode(_reply(rows, body, tei=tei))
        if fault == "no_number":
            reply = reply.replace(b'"index":0', b'"index":"first"')
        return web.Response(body=reply[: len(reply) // 2] if fault == "broken" else reply, content_type="application/json")


def share(query: str, text: str) -> float:
    """The share of the query's words and character pairs that the text has, 0 to 1."""
    wanted = _terms(query)
    return len(wanted & _terms(text)) / len(wanted) if wanted else 0.0


def _terms(text: str) -> set[str]:
    pairs = {run[at : at + 2] for run in _HAN.findall(text) for at in range(max(1, len(run) - 1))}
    return pairs | set(_WORD.findall(text.lower()))


def _reply(rows: list[tuple[int, float]], body: dict[str, Any], *, tei: bool) -> Any:
    """The best first, as all of them do."""
    best = sorted(rows, key=lambda row: -row[1])
    if tei:
        return [{"index": at, "score": score} for at, score in best]
    results = [{"index": at, "relevance_score": score} for at, score in best]
    return {"id": "stub", "model": body["model"], "results": results, "usage": {"total_tokens": 1}}


def _spoil(rows: list[tuple[int, float]], fault: str) -> list[tuple[int, float]]:
    count = len(rows)
    spoilt = {
        "empty": [],
        "too_many": [*rows, *((count + at, 0.5) for at in range(count))],
        "out_of_range": [*rows[1:], (count, 0.5)],
        "negative": [*rows[1:], (-1, 0.5)],
        "twice": [*rows[1:], rows[-1]],
    }
    return spoilt.get(fault, rows)


async def _fault_response(request: web.Request, fault: str, *, tei: bool) -> web.Response | None:
    if fault in STATUSES:
        return _json(_failure(fault, tei=tei), STATUSES[fault])
    if fault == "hang":
        await asyncio.Event().wait()
    if fault == "cut" and request.transport is not None:
        request.transport.abort()
    if fault == "html":
        return web.Response(text="<html>welcome</html>", content_type="text/html")
    if fault == "huge":
        return web.Response(body=b"[" + b" " * 5_000_000 + b"]", content_type="application/json")
    return None


def _failure(fault: str, *, tei: bool) -> dict[str, Any]:
    message = f"stub fault {fault}"
    return {"error": message, "error_type": "Overloaded"} if tei else {"error": {"code": fault, "message": message}}


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stub_reranker", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--first-ms", type=float, default=0.0)
    parser.add_argument("--fault", default="")
    parser.add_argument("--key", default="", help="refuse every other key with 401")
    values = parser.parse_args()
    stub_server.run(StubReranker(first_ms=values.first_ms, fault=values.fault, key=values.key), values.port)


if __name__ == "__main__":
    main()
