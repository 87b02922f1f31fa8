"""What another user of this machine can do to a stack: root runs ``python -m tests.support.stranger``, and it becomes that user.

It reads a JSON object from standard input: ``user`` (an id), ``paths`` (of files, folders and sockets), ``ports`` and ``pids`` of the
stack; and prints what it succeeded in, one sentence a line.
"""

import contextlib
import json
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

WAIT_S = 3.0
REDIS = (b"PING", b"INFO", b"GET claw", b"SET claw stranger", b"CONFIG GET dir", b"AUTH claw claw", b"EVAL 'return 1' 0", b"KEYS *")
SASL_HANDSHAKE, SASL_AUTHENTICATE, METADATA, CREATE_TOPICS, ALTER_PASSWORD = 17, 36, 3, 19, 51
KAFKA = (
    ("metadata", METADATA, 1, struct.pack(">i", -1), b""),
    ("a new topic", CREATE_TOPICS, 1, struct.pack(">ih8sihiii?", 1, 8, b"stranger", 1, 1, 0, 0, 5_000, False), b""),
    ("a new password", ALTER_PASSWORD, 0, b"\x01\x01\x00", b"\x00"),
)
LOGINS = (("claw", ""), ("claw", "claw"), ("admin", "admin"), ("ANONYMOUS", ""))


def text(value: str) -> bytes:
    """A string of Kafka's protocol."""
    return struct.pack(">h", len(value)) + value.encode()


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """The first bytes of the answer; none when the connection was closed or nothing came."""
    with contextlib.suppress(OSError):
        connection.sendall(request)
        return connection.recv(65_536)
    return b""


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as connection:
        connection.settimeout(WAIT_S)
        yield connection


def ask_kafka(connection: socket.socket, key: int, version: int, body: bytes, *, tags: bytes = b"") -> bytes:
    """The body of the answer, without its size and correlation id."""
    request = struct.pack(">hhi", key, version, 7) + text("stranger") + tags + body
    answer = exchange(connection, struct.pack(">i", len(request)) + request)
    return answer[8:] if answer[4:8] == struct.pack(">i", 7) else b""


def try_redis(port: int, command: bytes) -> None:
    with connected(port) as connection:
        if exchange(connection, command + b"\r\n")[:1] in (b"+", b"$", b"*", b":"):
            say(f"port {port}: Redis answers {command.decode()}")


def try_kafka(port: int, name: str, key: int, version: int, body: bytes, tags: bytes) -> None:
    with connected(port) as connection:
        if ask_kafka(connection, key, version, body, tags=tags):
            say(f"port {port}: Kafka answers a request for {name}")


def try_password(port: int, user: str, password: str) -> None:
    with connected(port) as connection:
        token = f"\0{user}\0{password}".encode()
        if ask_kafka(connection, SASL_HANDSHAKE, 1, text("PLAIN"))[:2] == b"\0\0":
            taken = ask_kafka(connection, SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
            if taken[:2] == b"\0\0":
                say(f"port {port}: Kafka lets {user} in")


def try_api(port: int) -> None:
    with connected(port) as connection:
        answer = exchange(connection, f"GET /api/v1/knowledge HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        if answer.split()[1:2] == [b"200"]:
            say(f"port {port}: the API shows knowledge bases")


def attempts(port: int) -> Iterator[Callable[[], None]]:
    """Redis, Kafka and the API, whatever it is."""
    yield from (partial(try_redis, port, command) for command in REDIS)
    yield from (partial(try_kafka, port, *request) for request in KAFKA)
    yield from (partial(try_password, port, *login) for login in LOGINS)
    yield partial(try_api, port)


def try_path(path: Path) -> None:
    for flags, done in ((os.O_RDONLY, "read"), (os.O_WRONLY, "written"), (os.O_WRONLY | os.O_CREAT, "created")):
        with contextlib.suppress(OSError):
            os.close(os.open(path / "stranger" if done == "created" else path, flags))
            say(f"{path}: {done}")
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        say(f"{path}: connected")


def try_process(pid: int) -> None:
    for name in ("environ", "mem", "maps"):
        with contextlib.suppress(OSError):
            os.close(os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
            say(f"process {pid}: {name} read")


def main() -> None:
    given = json.load(sys.stdin)
    "localhost".encode("idna")  # from here on the interpreter's own files may be out of reach: whatever is imported late, is imported now
    os.setgroups([])
    os.setgid(given["user"])
    os.setuid(given["user"])
    with ThreadPoolExecutor(64) as pool:  # what does not speak a protocol is silent until the time is over
        for done in [pool.submit(attempt) for port in given["ports"] for attempt in attempts(port)]:
            done.result()
    for path in given["paths"]:
        try_path(Path(path))
    for pid in given["pids"]:
        try_process(pid)
    say("tried everything")


if __name__ == "__main__":
    main()
