"""Resolves names for an HTTP client, and gives it only addresses that may be reached.

The client connects to exactly the addresses that were checked, so a name that resolves differently the next time (DNS rebinding) gains
nothing.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.web.public_addresses import PORTS, Network, may_reach, url_refused

ResolveHost = Callable[[str, int], Awaitable[list[str]]]


async def resolve_host(host: str, port: int) -> list[str]:
    """The addresses of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class PublicResolver(AbstractResolver):
    """Gives the connector only addresses that may be reached: one bad address of a name refuses them all."""

    def __init__(self, look_up: ResolveHost, allowed: tuple[Network, ...]) -> None:
        self._look_up, self._allowed = look_up, allowed

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        found = [ip_address(address) for address in await self._look_up(host, port)]
        if not all(may_reach(address, port in PORTS.values(), self._allowed) for address in found):
            raise url_refused("is not at a public address", "a public address")
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,  # noqa: PLR2004 - of the Internet Protocol
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in found
            if family in (socket.AF_UNSPEC, socket.AF_INET if address.version == 4 else socket.AF_INET6)  # noqa: PLR2004
        ]

    async def close(self) -> None:
        """Nothing is held."""
