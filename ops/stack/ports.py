"""Ports of the embedded stack: free ones are picked, taken ones are refused before anything starts."""

import errno
import os
import random
import socket
from collections.abc import Collection
from pathlib import Path

from schemas.errors import ConfigurationError

FREE_FROM, FREE_TO = 20_000, 32_000  # below the range of outgoing connections, so none takes the port before it is bound
TRIES = 200
LISTENING = "0A"  # state column of /proc/net/tcp


def free_port(taken: Collection[int] = (), host: str = "127.0.0.1") -> int:
    """A port on ``host`` without a listener and not in ``taken``."""
    choose = random.SystemRandom()  # two stacks that start at once must not draw the same sequence
    for _ in range(TRIES):
        port = choose.randrange(FREE_FROM, FREE_TO)
        if port not in taken and is_free(port, host):
            return port
    raise ConfigurationError(f"no free port between {FREE_FROM} and {FREE_TO} on {host}")


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether ``port`` can be bound now; raises ConfigurationError when ``host`` is no address of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT do not hold a port
        try:
            probe.bind((host, port))
        except PermissionError:
            raise ConfigurationError(f"port {port} on {host} needs privileges this user has not: choose one above 1023") from None
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
                raise ConfigurationError(f"CLAW_HOST: {host} is no address of this machine") from None
            return False
    return True


def claim(variable: str, port: int, taken: set[int], host: str = "127.0.0.1") -> int:
    """``port``, or a free one for 0; raises ConfigurationError naming ``variable`` when it is taken. Adds it to ``taken``."""
    if port == 0:
        port = free_port(taken, host)
    elif port in taken:
        raise ConfigurationError(f"{variable}: port {port} is given twice; every part needs its own")
    elif not is_free(port, host):
        by = f" by {holder}" if (holder := holder_of(port)) else ""
        raise ConfigurationError(
            f"{variable}: port {port} on {host} is taken{by}; stop that, or set {variable} to another (0 takes a free one)"
        )
    taken.add(port)
    return port


def holder_of(port: int) -> str:
    """``name (pid N)`` of the listener on ``port``, where the system shows it; only processes of this user are visible."""
    inodes = _listening_inodes(port)
    if not inodes:
        return ""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return ""


def is_own(port: int) -> bool:
    """Whether whoever listens on ``port`` is a process of this user; True where the system does not show it."""
    return all(row[7] == str(os.getuid()) for row in _listeners(port))


def _listening_inodes(port: int) -> set[str]:
    return {f"socket:[{row[9]}]" for row in _listeners(port)}


def _listeners(port: int) -> list[list[str]]:
    """The rows of the listeners on ``port``, as in /proc/net/tcp; none where the system has no such tables."""
    found: list[list[str]] = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            rows = [line.split() for line in table.read_text().splitlines()[1:]]
        except OSError:
            continue
        found += [row for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]
    return found
