"""The reranker over HTTP, against a server on this machine."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from adapters.rerankers.choose import create_reranker
from adapters.rerankers.http import HttpReranker
from schemas.errors import ClawError, Refused, Unavailable
from schemas.settings import RetrievalSettings
from schemas.settings.section import Secret

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def opened(handler: Handler, *, timeout_s: float = 5.0) -> AsyncIterator[HttpReranker]:
    """A reranker in front of ``handler``, and its server."""
    application = web.Application()
    application.router.add_post("/v1/rerank", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made = create_reranker(
        RetrievalSettings(
            rerank_url=f"http://127.0.0.1:{port}/v1/", rerank_name="m", rerank_api_key=Secret("key"), rerank_timeout_s=timeout_s
        )
    )
    assert isinstance(made, HttpReranker)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
        await runner.cleanup()


async def test_texts_are_scored_in_their_order():
    """Whatever order the server answers in, and what it leaves out comes last."""
    seen: list[Any] = []

    async def serve(request: web.Request) -> web.Response:
        seen.append((request.headers["Authorization"], await request.json()))
        return web.json_response({"results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}], "model": "m"})

    async with opened(serve) as made:
        assert await made.rerank("q", ["a", "b", "c"]) == [0.1, -math.inf, 0.9]
    assert seen == [("Bearer key", {"model": "m", "query": "q", "documents": ["a", "b", "c"], "return_documents": False})]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, "no json", Unavailable),
        (200, '{"results": [{"index": 7, "relevance_score": 1}]}', Unavailable),
        (200, '{"results": [{"index": -1, "relevance_score": 1}]}', Unavailable),
        (429, "slow down", Unavailable),
        (503, "later", Unavailable),
        (401, "who are you", Refused),
        (200, "x" * 5_000_000, Unavailable),
    ],
)
async def test_what_goes_wrong_has_a_name(status: int, body: str, error: type[ClawError]):
    async def serve(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    async with opened(serve) as made:
        with pytest.raises(error):
            await made.rerank("q", ["a"])


async def test_a_server_that_hangs_is_left_in_time():
    never = asyncio.Event()

    async def serve(_: web.Request) -> web.Response:
        await asyncio.wait_for(never.wait(), 30)
        return web.Response()

    async with opened(serve, timeout_s=0.05) as made:
        with pytest.raises(Unavailable):
            await made.rerank("q", ["a"])
        never.set()


async def test_off_unless_configured():
    assert create_reranker(RetrievalSettings()) is None
    with pytest.raises(Unavailable):
        await HttpReranker(RetrievalSettings(rerank_url="http://127.0.0.1:9")).rerank("q", ["a"])
