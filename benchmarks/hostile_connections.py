"""Hostile connections to a server on loopback: every pattern again and again, from addresses of its own, until the time is up.

    python -m benchmarks.hostile_connections --port 8000 --seconds 60

prints one JSON object: how many connections of each pattern were opened. Nothing here reads what it should, ends what it began or pays for
what it asks; a pattern only yields between its steps, so that one process can run all of them.
"""

import argparse
import asyncio
import base64
import json
import os
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import uvloop

PAUSE_S = 0.05  # between two connections of one place
PAUSE_OF_MANY_S = 1.0  # the same for a pattern with more than MANY places: it holds connections, it does not make them
MANY = 10
STEP_S = 0.1  # between two pieces of a drip
CONNECT_S_MAX = 5.0
NICENESS = 19  # of this process: strangers have machines of their own, and take no processor time from the users and their answers
FIRST_HOST = 10  # patterns have the addresses 127.0.2.10, 127.0.2.11, ...
ADDRESSES_OF_IDLE = 6  # from which the patterns with most connections come

GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SOCKET = (
    b"GET /api/v1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: %b\r\n\r\n" % base64.b64encode(b"0" * 16)
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" * 50
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 507
SLOW_READ_BYTES = 2_048  # of the receive buffer of those who do not read


class HostileConnection:
    """One connection; ``alive`` until the server ends it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def alive(self) -> bool:
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def send(self, data: bytes, pause_s: float = 0.0) -> None:
        """Send, or raise ConnectionError; waits while the server does not read."""
        if not self.alive:
            raise ConnectionError
        self._writer.write(data)
        await self._writer.drain()
        await asyncio.sleep(pause_s)

    async def drip(self, piece: bytes, pause_s: float = STEP_S) -> None:
        """The piece again and again, until the server ends the connection."""
        while True:
            await self.send(piece, pause_s)

    async def read(self) -> bytes:
        return await self._reader.read(65_536)

    async def drain(self) -> None:
        """Read to the end."""
        while await self.read():
            pass

    def half_close(self) -> None:
        self._writer.write_eof()

    def reset(self) -> None:
        """End with a reset instead of an end."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def stop_reading(self) -> None:
        """From now on nothing is taken from the connection."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]


Script = Callable[[HostileConnection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pattern:
    """``places``: connections at once; ``addresses`` from which they come."""

    script: Script
    places: int = 4
    addresses: int = 1

    @property
    def name(self) -> str:
        return self.script.__name__


async def slow_head(line: HostileConnection) -> None:
    await line.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    await line.drip(b"X-More: y\r\n")


async def silence(line: HostileConnection) -> None:
    await line.drain()


async def idle_after_a_request(line: HostileConnection) -> None:
    await line.send(GET)
    await line.drain()


async def half_head_half_closed(line: HostileConnection) -> None:
    await line.send(GET[:20])
    line.half_close()
    await line.drain()


async def giant_head(line: HostileConnection) -> None:
    await line.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
    await line.drip(b"a" * 65_536)


async def many_headers(line: HostileConnection) -> None:
    await line.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    await line.drip(b"A: b\r\n" * 1_000)


async def giant_url(line: HostileConnection) -> None:
    await line.send(b"GET /")
    await line.drip(b"a" * 65_536)


async def dripping_body(line: HostileConnection) -> None:
    await line.send(POST + b"Content-Length: 1000000\r\n\r\n")
    await line.drip(b"x")


async def dripping_chunks(line: HostileConnection) -> None:
    await line.send(CHUNKED)
    await line.drip(b"1\r\nx\r\n")


async def endless_trailers(line: HostileConnection) -> None:
    await line.send(CHUNKED + b"2\r\n{}\r\n0\r\n")
    await line.drip(b"X-Trailer: " + b"t" * 8_000 + b"\r\n", 0.01)


async def chunk_extensions(line: HostileConnection) -> None:
    await line.send(CHUNKED)
    await line.drip(b"1;" + b"e" * 8_000 + b"\r\nx\r\n", 0.01)


async def absurd_chunk_size(line: HostileConnection) -> None:
    await line.send(CHUNKED + b"FFFFFFFFFFFFFFFFF\r\n")
    await line.drain()


async def reset_in_a_body(line: HostileConnection) -> None:
    await line.send(POST + b"Content-Length: 100000\r\n\r\n" + b"x" * 5_000, STEP_S)
    line.reset()


async def reset_before_the_answer(line: HostileConnection) -> None:
    await line.send(POST + b"Content-Length: 2\r\n\r\n{}")
    line.reset()


async def connect_and_leave(line: HostileConnection) -> None:
    line.reset()


async def flood_of_pipelined_requests(line: HostileConnection) -> None:
    while line.alive:
        await line.send(GET * 20)
        await line.read()


async def flood_of_unknown_routes(line: HostileConnection) -> None:
    await line.send(GET.replace(b"/livez", b"/" + b"a" * 200) * 20)
    await line.read()


async def answers_that_nobody_reads(line: HostileConnection) -> None:
    line.stop_reading()
    await line.drip(GET.replace(b"/livez", b"/schema/openapi.json") * 20)


async def body_after_an_early_answer(line: HostileConnection) -> None:
    await line.send(POST.replace(b"auth/login", b"knowledge") + b"Content-Length: 900000000\r\n\r\n")
    await line.drip(b"x" * 16_384, 0.02)


async def expectation_without_a_body(line: HostileConnection) -> None:
    await line.send(POST + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
    await line.drain()


async def two_lengths(line: HostileConnection) -> None:
    await line.send(POST + b"Content-Length: 2\r\nContent-Length: 50\r\n\r\n{}" + GET)
    await line.drain()


async def length_and_chunks(line: HostileConnection) -> None:
    await line.send(POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET)
    await line.drain()


async def bytes_that_are_no_http(line: HostileConnection) -> None:
    await line.send(b"\0\xff\r\n" + os.urandom(512) + b"\r\n\r\n")
    await line.drain()


async def url_of_high_bytes(line: HostileConnection) -> None:
    await line.send(b"GET /\xff\xfe%ff%00?\xe9=%ff HTTP/1.1\r\nHost: localhost\r\nCookie: \xff\xfe\r\n\r\n")
    await line.read()


async def tls_hello(line: HostileConnection) -> None:
    await line.send(HELLO)
    await line.drain()


async def http2_preface(line: HostileConnection) -> None:
    await line.send(PREFACE)
    await line.drain()


async def upgrade_to_http2(line: HostileConnection) -> None:
    await line.send(GET[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n" + PREFACE)
    await line.drain()


async def bad_upgrade(line: HostileConnection) -> None:
    await line.send(SOCKET.replace(b"Version: 13", b"Version: 99").replace(b"MDAw", b"!!"))
    await line.drain()


async def socket_without_a_credential(line: HostileConnection) -> None:
    await line.send(SOCKET)
    await line.drain()


async def socket_of_endless_fragments(line: HostileConnection) -> None:
    await line.send(SOCKET)
    await line.send(_frame(0x01, b"{"))
    await line.drip(_frame(0x00, b"x" * 8_000), 0.01)


async def socket_of_empty_fragments(line: HostileConnection) -> None:
    await line.send(SOCKET)
    await line.send(_frame(0x01, b"{"))
    await line.drip(_frame(0x00, b"") * 200, 0.02)


async def flood_of_pings(line: HostileConnection) -> None:
    await line.send(SOCKET)
    line.stop_reading()
    await line.drip(_frame(0x89, b"p" * 125) * 50, 0.02)


async def socket_with_a_giant_frame(line: HostileConnection) -> None:
    await line.send(SOCKET + b"\x81\xff" + struct.pack(">Q", 2**62) + b"mask")
    await line.drip(b"x" * 16_384, 0.02)


async def socket_without_masks(line: HostileConnection) -> None:
    await line.send(SOCKET + b"\xf1\x05hello")
    await line.drain()


async def socket_that_never_closes(line: HostileConnection) -> None:
    await line.send(SOCKET + _frame(0x88, struct.pack(">H", 1000)))
    line.stop_reading()
    await line.drip(_frame(0x81, b'{"id":"a","type":"ping"}'))


def _frame(head: int, payload: bytes) -> bytes:
    """A WebSocket frame: ``head`` is the opcode, with 0x80 for a whole message; masked with zeros."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
    return bytes([head]) + length + bytes(4) + payload


PATTERNS = (
    Pattern(silence, 600, ADDRESSES_OF_IDLE),
    Pattern(idle_after_a_request, 200, ADDRESSES_OF_IDLE),
    Pattern(slow_head, 100, 2),
    Pattern(dripping_body, 100, 2),
    Pattern(dripping_chunks, 50),
    *map(
        Pattern,
        (
            half_head_half_closed,
            giant_head,
            many_headers,
            giant_url,
            endless_trailers,
            chunk_extensions,
            absurd_chunk_size,
            reset_in_a_body,
            reset_before_the_answer,
            connect_and_leave,
            flood_of_pipelined_requests,
            flood_of_unknown_routes,
            answers_that_nobody_reads,
            body_after_an_early_answer,
            expectation_without_a_body,
            two_lengths,
            length_and_chunks,
            bytes_that_are_no_http,
            url_of_high_bytes,
            tls_hello,
            http2_preface,
            upgrade_to_http2,
            bad_upgrade,
            socket_without_a_credential,
            socket_of_endless_fragments,
            socket_of_empty_fragments,
            flood_of_pings,
            socket_with_a_giant_frame,
            socket_without_masks,
            socket_that_never_closes,
        ),
    ),
)


async def attack(port: int, seconds: float, patterns: tuple[Pattern, ...] = PATTERNS, places_max: int = 1_000) -> Counter[str]:
    """All patterns at once; the number of connections that each opened. ``places_max`` bounds those of one pattern."""
    opened: Counter[str] = Counter()
    hosts = iter(range(FIRST_HOST, 255))
    tasks: list[asyncio.Task[None]] = []
    for pattern in patterns:
        addresses = [f"127.0.2.{next(hosts)}" for _ in range(pattern.addresses)]
        places = range(min(pattern.places, places_max))
        tasks += [asyncio.create_task(_repeat(port, pattern, addresses[place % len(addresses)], opened)) for place in places]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()  # a mistake of a script
    return opened


async def _repeat(port: int, pattern: Pattern, address: str, opened: Counter[str]) -> None:
    while True:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_S_MAX):
                reader, writer = await asyncio.open_connection(sock=await _connect(port, address))
            opened[pattern.name] += 1
            try:
                await pattern.script(HostileConnection(reader, writer))
            finally:
                writer.transport.abort()
        await asyncio.sleep(PAUSE_OF_MANY_S if pattern.places > MANY else PAUSE_S)


async def _connect(port: int, address: str) -> socket.socket:
    """A connection from ``address`` with a small receive buffer, so that one who does not read costs the server at once."""
    raw = socket.socket()
    try:
        raw.setblocking(False)  # noqa: FBT003 - the standard library's own
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_READ_BYTES)
        raw.bind((address, 0))
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    except BaseException:
        raw.close()
        raise
    return raw


def main() -> None:
    """Attack a server of this machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    os.nice(NICENESS)
    print(json.dumps(uvloop.run(attack(arguments.port, arguments.seconds))), flush=True)


if __name__ == "__main__":
    main()
