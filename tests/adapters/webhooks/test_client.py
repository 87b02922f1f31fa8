"""One delivery against receivers of every kind: what is reached, what is followed, what it costs."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.webhooks.client import WebhookClient, check_webhook_url
from schemas.errors import Refused

Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def receiver(behave: Behave) -> AsyncIterator[str]:
    """A raw server that does whatever the test says; its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await behave(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


def says(head: str, body: bytes = b"") -> Behave:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()

    return behave


@asynccontextmanager
async def opened(networks: str = "127.0.0.0/8", timeout_s: float = 0.4) -> AsyncIterator[WebhookClient]:
    client = WebhookClient(networks, timeout_s=timeout_s, connections_max=4)
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


@pytest.mark.parametrize(
    ("head", "status", "retry_after_s"),
    [
        ("204 No Content", 204, 0),
        ("302 Found\r\nLocation: http://169.254.169.254/", 302, 0),
        ("503 Busy\r\nRetry-After: 120", 503, 120),
        ("429 Slow\r\nRetry-After: 99999999", 429, 604_800),
        ("503 Busy\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT", 503, 0),
        ("503 Busy\r\nRetry-After: soon", 503, 0),
    ],
)
async def test_the_head_is_the_answer(head, status, retry_after_s):
    async with receiver(says(head)) as url, opened() as client:
        answer = await client.post(url, b"{}", {})
    assert (answer.status, answer.retry_after_s, answer.error) == (status, retry_after_s, "")


async def test_a_receiver_that_hangs_costs_the_time_limit():
    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with receiver(hang) as url, opened() as client:
        began_s = asyncio.get_running_loop().time()
        answer = await client.post(url, b"{}", {})
        assert asyncio.get_running_loop().time() - began_s < 2
    assert (answer.status, answer.error) == (0, "no answer within 0.4 s")


async def test_an_endless_head_is_no_answer():
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Filler: " + b"x" * 20_000 + b"\r\n")
            await writer.drain()

    async with receiver(drip) as url, opened() as client:
        answer = await client.post(url, b"{}", {})
    assert (answer.status, answer.error) == (0, "the connection broke before an answer")


async def test_a_hundred_megabytes_are_not_read():
    """Two kilobytes of them are; the connection is closed."""

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _piece in range(100):
            writer.write(b"y" * 1_000_000)
            await writer.drain()

    async with receiver(flood) as url, opened() as client:
        tracemalloc.start()
        answer = await client.post(url, b"{}", {})
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (answer.status, answer.text) == (200, "y" * 500)
    assert peak < 4_000_000  # most of it the server's own piece


async def test_control_characters_of_an_answer_are_not_shown():
    async with receiver(says("400 Bad", b"no\x1b[31m \x00\xff")) as url, opened() as client:
        answer = await client.post(url, b"{}", {})
    assert answer.text == "no [31m  \ufffd"


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("https://127.0.0.1/", "the address is refused"),
        ("https://metadata.test/", "the address is refused"),
        ("http://example.com/", "the address is refused"),
        ("https://[::ffff:10.0.0.1]/", "the address is refused"),
    ],
)
async def test_private_addresses_are_never_connected_to(address, error):
    """Also a public name that resolves to one."""

    async def look_up(host: str, port: int) -> list[str]:
        return ["169.254.169.254"]

    client = WebhookClient("", timeout_s=1, connections_max=1, look_up=look_up)
    await client.start()
    answer = await client.post(address, b"{}", {})
    await client.stop()
    assert answer.status == 0
    assert answer.error.startswith(error)


async def test_a_port_without_a_server_refuses():
    async with opened() as client:
        answer = await client.post("http://127.0.0.1:9/", b"{}", {})
    assert answer.error == "the connection was refused"


def test_a_webhook_needs_https():
    assert check_webhook_url("https://hooks.example.com/a?b=c").path == "/a"
    with pytest.raises(Refused) as caught:
        check_webhook_url("http://hooks.example.com/")
    assert caught.value.errors[0].limit == "an address that begins with https://"
