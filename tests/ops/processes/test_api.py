"""The HTTP server's own bounds, over real sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn

from ops.processes import api
from schemas.settings import NodeSettings, Settings


async def hello(scope, receive, send):
    """The smallest application."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    running = uvicorn.Server(api.configuration(hello, Settings(node=NodeSettings(port=0))))
    task = asyncio.create_task(running._serve())
    while not running.started:
        await asyncio.sleep(0.01)
    yield running.servers[0].sockets[0].getsockname()[1]
    running.should_exit = True
    await task


async def exchange(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_an_endless_head_is_refused(port: int):
    answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 40_000)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"invalid_request"' in answer
    assert b"32768 bytes" in answer


async def test_what_is_not_http_is_a_problem(port: int):
    answer = await exchange(port, b"\x16\x03\x01 hello\r\n\r\n")
    assert b"content-type: application/problem+json" in answer


async def test_a_head_that_does_not_end_is_cut_off(port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(api, "HEAD_S", 0.2)
    assert await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n") == b""


async def test_large_bodies_and_many_requests_on_one_connection_pass(port: int):
    post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"b" * 100_000
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert (await exchange(port, post * 3 + last)).count(b"HTTP/1.1 200 OK") == 4
