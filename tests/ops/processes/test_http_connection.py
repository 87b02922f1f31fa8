"""The HTTP server's own bounds, over real sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
import pytest
import uvicorn

from ops.processes import api, http_connection
from schemas.settings import LimitSettings, NodeSettings, Settings, SocketSettings
from schemas.settings.http import HttpSettings

CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
SMALL = HttpSettings(head_s=0.3, body_s=0.3, body_bytes_per_s_min=1_000, body_s_max=3.0)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """``/early`` answers before the body, ``/`` after it and says how many bytes it had."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        await asyncio.sleep(0.2)  # frames come before the handshake is answered
        await send({"type": "websocket.accept"})
        return
    size, more = 0, scope["path"] != "/early"
    while more:
        event = await receive()
        size, more = size + len(event.get("body", b"")), event.get("more_body", False)
        if scope["path"] == "/slow":
            await asyncio.sleep(0.8)  # longer than a client may take: the time counts as the server's own
    text = b"x" * 1_000_000 if scope["path"] == "/large" else str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(text)).encode())]})
    await send({"type": "http.response.body", "body": text})


@asynccontextmanager
async def served(http: HttpSettings | None = None, **other: Any) -> AsyncIterator[int]:
    """The port of a server with these bounds."""
    settings = Settings(node=NodeSettings(port=0), http=http or HttpSettings(), **other)
    running = uvicorn.Server(api.configuration(application, settings))
    task = asyncio.create_task(running._serve())
    while not running.started:
        await asyncio.sleep(0.01)
    try:
        yield running.servers[0].sockets[0].getsockname()[1]
    finally:
        running.should_exit = True
        await task


async def exchange(port: int, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Everything the server sends until it closes; the parts are sent with pauses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            try:
                await writer.drain()
            except ConnectionError:
                break
            await asyncio.sleep(pause_s)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


def problem(answer: bytes) -> Any:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head, answer
    return json.loads(body)


async def drip(port: int, head: bytes, piece: bytes, seconds: float, every_s: float = 0.02) -> tuple[bytes, float]:
    """Send ``piece`` again and again; what the server answered, and after how many seconds it closed."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = loop.time()
    answer = asyncio.create_task(reader.read())
    try:
        writer.write(head)
        while not answer.done() and loop.time() - began < seconds:
            writer.write(piece)
            await asyncio.sleep(every_s)
        assert answer.done(), f"still open after {seconds} s"
        try:
            return answer.result(), loop.time() - began
        except ConnectionError:
            return b"", loop.time() - began
    finally:
        answer.cancel()
        writer.close()


async def test_an_endless_head_is_refused():
    async with served() as port:
        answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", b"a" * 40_000, pause_s=0.05)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert problem(answer)["code"] == "head_too_large"
    assert "32768 bytes" in problem(answer)["detail"]


async def test_a_head_that_comes_in_one_piece_has_the_same_bound():
    async with served() as port:
        answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 33_000 + b"\r\n\r\n")
        assert problem(answer)["code"] == "head_too_large"
        many = b"".join(b"X-%d: a\r\n" % number for number in range(4_000))
        assert problem(await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n"))["code"] == "head_too_large"
        assert (await exchange(port, LAST.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"a" * 30_000 + b"\r\n\r\n"))).startswith(b"HTTP/1.1 200")


async def test_what_is_not_http_is_a_problem():
    async with served() as port:
        assert problem(await exchange(port, b"\x16\x03\x01 hello\r\n\r\n"))["code"] == "invalid_request"


async def test_a_head_that_does_not_end_is_cut_off():
    async with served(SMALL) as port:
        assert await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n") == b""
        answer, _ = await drip(port, b"GET / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n", 3.0)
        assert answer == b""


async def test_large_bodies_and_many_requests_on_one_connection_pass():
    post = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"b" * 100_000
    pieces = b"".join(b"1\r\nx\r\n" for _ in range(20_000))
    async with served() as port:
        answer = await exchange(port, post * 3 + CHUNKED + pieces + b"0\r\n\r\n" + post + LAST)
    assert answer.count(b"HTTP/1.1 200 OK") == 6
    assert answer.count(b"100000") == 4
    assert b"20000" in answer


@pytest.mark.parametrize("piece", [b"X-Trailer: %s\r\n" % (b"t" * 1_000), b"x" * 16_384], ids=["many", "one"])
async def test_trailers_are_refused(piece: bytes):
    async with served() as port:
        answer, _ = await drip(port, CHUNKED + b"3\r\nabc\r\n0\r\n", piece, 5.0)
        if answer:
            assert problem(answer)["code"] in {"invalid_request", "head_too_large"}


async def test_a_short_trailer_is_refused_by_name():
    async with served() as port:
        answer = await exchange(port, CHUNKED + b"3\r\nabc\r\n0\r\nX-Checksum: 1\r\n\r\n")
        assert "Trailers" in problem(answer)["detail"]


async def test_extensions_of_chunks_have_the_bound_of_a_head():
    async with served() as port:
        answer, _ = await drip(port, CHUNKED, b"1;" + b"e" * 4_000 + b"\r\nx\r\n", 5.0)
        assert not answer or problem(answer)["code"] == "head_too_large"


async def test_a_body_that_drips_is_refused():
    async with served(SMALL) as port:
        answer, seconds = await drip(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b"b", 8.0)
        assert problem(answer)["code"] == "request_too_slow"
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert "1000 bytes a second" in problem(answer)["detail"]
        assert seconds < 4


async def test_a_body_that_is_fast_enough_has_a_time_all_the_same():
    async with served(SMALL) as port:
        answer, seconds = await drip(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n", b"b" * 100, 9.0)
        assert problem(answer)["code"] == "request_too_slow"
        assert seconds > SMALL.body_s_max


async def test_time_in_which_the_server_does_not_read_is_not_the_clients():
    body = b"b" * 2_000_000
    async with served(msgspec.structs.replace(SMALL, body_bytes_per_s_min=1_000_000)) as port:
        head = b"POST /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        answer = await exchange(port, head, body)
    assert answer.endswith(b"2000000")


async def test_after_an_early_answer_the_rest_of_the_body_is_read_for_a_while(monkeypatch: pytest.MonkeyPatch):
    early = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
    async with served() as port:
        answer = await exchange(port, early + b"b" * 100_000, b"b" * 100_000 + LAST, pause_s=0.1)
        assert answer.count(b"HTTP/1.1 200 OK") == 2, "the connection serves the next request"
        monkeypatch.setattr(http_connection, "DRAIN_S", 0.3)
        answer, seconds = await drip(port, early, b"b", 5.0)
        assert answer.count(b"HTTP/1.1 200 OK") == 1
        assert seconds < 4
        monkeypatch.setattr(http_connection, "DRAIN_S", 60.0)
        monkeypatch.setattr(http_connection, "DRAIN_BYTES_MAX", 300_000)
        answer, seconds = await drip(port, early.replace(b"200000", b"99000000"), b"b" * 50_000, 5.0)
        assert seconds < 4


async def test_an_answer_that_nobody_takes_ends_with_its_connection():
    """A reader that takes a part of it now and then is not cut off."""
    many = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20
    async with served(HttpSettings(unread_s=0.5)) as port:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        with raw:
            await loop.sock_connect(raw, ("127.0.0.1", port))
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(send_for_ever(raw, b"GET /large" + many[5:]), 10)


async def send_for_ever(raw: socket.socket, data: bytes) -> None:
    while True:
        await asyncio.get_running_loop().sock_sendall(raw, data)


async def test_one_address_has_a_bound_of_connections():
    async with served(HttpSettings(connections_per_address_max=3)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        try:
            answer = await exchange(port, LAST)
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert problem(answer)["code"] == "too_many_connections"
            held.pop()[1].close()
            await until(lambda: exchange(port, LAST), b"HTTP/1.1 200 ")
        finally:
            for _, writer in held:
                writer.close()


async def test_proxies_that_are_trusted_have_no_bound_of_their_own():
    async with served(HttpSettings(connections_per_address_max=1), limits=LimitSettings(trusted_proxies="127.0.0.0/8")) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert (await exchange(port, LAST)).startswith(b"HTTP/1.1 200 ")
        for _, writer in held:
            writer.close()


async def test_a_server_that_is_full_says_so_as_a_problem():
    bounds = HttpSettings(connections_max=1)
    async with served(bounds, limits=LimitSettings(streams_max=1), socket=SocketSettings(sockets_max=1)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        try:
            answer = await exchange(port, LAST)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert problem(answer)["code"] == "overloaded"
        finally:
            for _, writer in held:
                writer.close()


async def test_a_full_server_makes_room_for_another_address():
    """Silent, dripping and kept-alive connections give way; a request in progress does not."""
    bounds = HttpSettings(connections_max=2)
    async with served(bounds, limits=LimitSettings(streams_max=1), socket=SocketSettings(sockets_max=1)) as port:
        busy = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.2.1", 0))
        busy[1].write(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        held = [await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.2.2", 0)) for _ in range(3)]
        held[0][1].write(LAST.replace(b"close", b"keep-alive"))
        held[1][1].write(LAST[:20])
        try:
            assert (await held[0][0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            assert (await exchange(port, LAST)).startswith(b"HTTP/1.1 200 ")
            assert (await busy[0].read()).startswith(b"HTTP/1.1 200 ")
        finally:
            for _, writer in (busy, *held):
                writer.close()


async def test_a_body_that_drips_makes_room_before_its_time_is_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_connection, "CHECK_S", 0.05)
    bounds = HttpSettings(connections_max=1)
    async with served(bounds, limits=LimitSettings(streams_max=1), socket=SocketSettings(sockets_max=1)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.2.2", 0)) for _ in range(3)]
        for _, writer in held:
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx")
        try:
            await until(lambda: exchange(port, LAST), b"HTTP/1.1 200 ")
        finally:
            for _, writer in held:
                writer.close()


async def test_requests_that_wait_on_one_connection_are_bounded():
    some = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * (http_connection.PIPELINED_MAX + 2)
    async with served() as port:
        assert "may wait on one connection" in problem(await exchange(port, some))["detail"]


async def test_an_answer_is_no_reason_to_read_more_while_requests_wait(monkeypatch: pytest.MonkeyPatch):
    """Else a client that never stops sending would make the server hold more requests with every answer."""
    most = 0

    def on_response_complete(connection: http_connection.BoundedHttp) -> None:
        nonlocal most
        answered(connection)
        most = max(most, len(connection.pipeline))
        assert not connection.pipeline or connection.flow.read_paused

    answered = http_connection.BoundedHttp.on_response_complete
    monkeypatch.setattr(http_connection.BoundedHttp, "on_response_complete", on_response_complete)
    async with served() as port:
        answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10 + LAST)
    assert answer.count(b"HTTP/1.1 200 OK") == 11
    assert most > 1


async def until(attempt: Callable[[], Coroutine[Any, Any, bytes]], beginning: bytes) -> None:
    """Try again until the answer begins so: a connection that closed is counted until the server has seen it."""
    async with asyncio.timeout(10):
        while not (await attempt()).startswith(beginning):
            await asyncio.sleep(0.02)


async def test_wrong_frames_before_the_handshake_is_answered_end_the_connection_alone(caplog):
    """Not with an error of ours in the log, which any stranger could write as often as they like."""
    handshake = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: MDAwMDAwMDAwMDAwMDAwMA==\r\n\r\n"
    async with served() as port:
        with suppress(ConnectionError):
            assert await exchange(port, handshake + key, b"\x81\x05wrong", pause_s=0.05) == b""
        await asyncio.sleep(0.3)
        assert (await exchange(port, LAST)).endswith(b"0")
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_an_answer_to_somebody_who_has_just_left_is_dropped():
    """uvloop's transport raises for it; the application hears of the end a turn of the loop later."""
    sent: list[bytes] = []

    class Ended:
        closed = False

        def is_closing(self) -> bool:
            return self.closed

        def write(self, data: bytes) -> None:
            if self.closed:
                raise RuntimeError("the handler is closed")
            sent.append(data)

    transport = Ended()
    forgiving = http_connection.ForgivingTransport(transport)  # type: ignore[arg-type]
    forgiving.write(b"in time")
    transport.closed = True
    forgiving.write(b"late")
    assert (sent, forgiving.closed) == ([b"in time"], True)
