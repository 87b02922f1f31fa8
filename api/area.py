"""What an area of the API consists of: routes, and ports that it builds from the process core.

A new area is a folder with an ``AREA`` in its ``area.py``, and one entry in ``api/areas.py``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from litestar import Litestar, Router

from api.core import Core
from streams.lifecycle import Lifecycle

P = TypeVar("P")


class OpenPorts:
    """The ports of a process by their type: ``ports(ChatPorts)``."""

    def __init__(self) -> None:
        self._by_type: dict[type[Any], Any] = {}

    def __call__(self, kind: type[P]) -> P:
        """The ports of this type; KeyError when no area in use has them."""
        return cast("P", self._by_type[kind])

    def add(self, ports: object) -> None:
        """Make ``ports`` available under their type."""
        self._by_type[type(ports)] = ports


def ports_of(app: Litestar) -> OpenPorts:
    """The ports of a running application."""
    return cast("OpenPorts", app.state.ports)


class Opening:
    """The process while its ports are built: areas see the core and the ports of the areas before them."""

    def __init__(self, core: Core, stack: AsyncExitStack) -> None:
        self.core = core
        self.ports = OpenPorts()
        self.ports.add(core)
        self._parts: list[Lifecycle] = []
        self._stack = stack

    def run(self, part: Lifecycle) -> None:
        """Start the part with the others once every area is built, and stop it before those that were registered earlier."""
        self._parts.append(part)
        self._stack.push_async_callback(part.stop)

    def stop_with(self, stop: Callable[[], Awaitable[None]]) -> None:
        """For a part that needs no start."""
        self._stack.push_async_callback(stop)

    async def start(self) -> None:
        """Start all parts at once: each waits some seconds for a log that does not answer."""
        await asyncio.gather(*(part.start() for part in self._parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiArea:
    """``routers`` lie below /api/v1, ``root_routers`` at the root. Without ``open_ports`` an area uses the ports of others.

    ``any_origin``: paths, or beginnings of paths that end in ``/``, which pages of every origin may call, never with a cookie.
    """

    name: str
    routers: Sequence[Callable[[], Router]] = ()
    root_routers: Sequence[Callable[[], Router]] = ()
    open_ports: Callable[[Opening], object] | None = None
    any_origin: Sequence[str] = ()
