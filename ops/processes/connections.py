"""How many connections the server holds, in all and of each client's address, and which of them make room when it is full.

Whoever has more connections than there are for each address gets none of a full server. Anybody else gets the place of a connection that
only waits: without a request, or with one that arrives more slowly than a request may.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from domain.limits.client_address import Network, is_trusted, parse_networks
from domain.limits.rules import network_of
from schemas.settings import Settings

LOOKED_AT_MAX = 32  # of the connections that wait longest; one of an address with many of them is closed first
WAITED_S_MIN = 0.5  # then the only connection of an address may be closed; sooner its request is on the way


class WaitingConnection(Protocol):
    """A connection on which the server owes nothing."""

    def make_way(self) -> None:
        """Close it, and leave the counts at once."""


class ConnectionCounts:
    """The open connections of one process. Peers without an address (Unix sockets) and trusted proxies count in the total alone."""

    def __init__(self, connections_max: int, per_address_max: int, trusted: Sequence[Network] = ()) -> None:
        self._connections_max, self._per_address_max, self._trusted = connections_max, per_address_max, trusted
        self._open = 0
        self._of_address: Counter[str] = Counter()
        self._waiting: dict[WaitingConnection, tuple[str, float]] = {}  # with their keys and since when, the longest first

    @classmethod
    def of(cls, settings: Settings) -> "ConnectionCounts":
        """The bounds of the settings."""
        streams = settings.limits.streams_max + settings.socket.sockets_max
        trusted = parse_networks(settings.limits.trusted_proxies)
        return cls(streams + settings.http.connections_max, settings.http.connections_per_address_max, trusted)

    def enter(self, peer: tuple[str, int] | None) -> str:
        """Count a connection from ``peer``; returns the key by which it leaves."""
        key = self._key(peer)
        self._open += 1
        if key:
            self._of_address[key] += 1
        return key

    def leave(self, key: str) -> None:
        """A connection ended."""
        self._open -= 1
        if key:
            self._of_address[key] -= 1
            if not self._of_address[key]:
                del self._of_address[key]

    def wait(self, connection: WaitingConnection, key: str, now_s: float) -> None:
        """From now on nothing is owed to this connection."""
        self._waiting.pop(connection, None)
        self._waiting[connection] = (key, now_s)

    def serve(self, connection: WaitingConnection) -> None:
        """The connection has a request, or has ended."""
        self._waiting.pop(connection, None)

    def make_room(self, now_s: float) -> bool:
        """Whether the newest connection has a place; one that waits may be closed for it."""
        if self._open <= self._connections_max:
            return True
        longest = [each for each, _ in zip(self._waiting.items(), range(LOOKED_AT_MAX), strict=False)]
        for connection, (key, _) in longest:
            if self.has_too_many(key):
                connection.make_way()
                return True
        if longest and now_s - longest[0][1][1] >= WAITED_S_MIN:
            longest[0][0].make_way()
            return True
        return False

    def has_too_many(self, key: str) -> bool:
        """Whether the server is full, and this address has more connections than there are for each."""
        count = self._of_address.get(key, 0)
        return count > 1 and self._open > self._connections_max < count * len(self._of_address)

    def is_over(self, key: str) -> bool:
        """Whether the client's address has more connections than one may have."""
        return self._of_address.get(key, 0) > self._per_address_max

    def _key(self, peer: tuple[str, int] | None) -> str:
        return "" if peer is None or is_trusted(peer[0], self._trusted) else network_of(peer[0])
