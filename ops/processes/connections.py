"""How many connections the server holds, in all and of each client's address."""

from collections import Counter
from collections.abc import Sequence

from domain.limits.client_address import Network, is_trusted, parse_networks
from domain.limits.rules import network_of
from schemas.settings import Settings


class ConnectionCounts:
    """The open connections of one process. Peers without an address (Unix sockets) and trusted proxies count in the total alone."""

    def __init__(self, connections_max: int, per_address_max: int, trusted: Sequence[Network] = ()) -> None:
        self._connections_max, self._per_address_max, self._trusted = connections_max, per_address_max, trusted
        self._open = 0
        self._of_address: Counter[str] = Counter()

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

    @property
    def is_full(self) -> bool:
        """Whether there are more connections than the process may have."""
        return self._open > self._connections_max

    def is_over(self, key: str) -> bool:
        """Whether the client's address has more connections than one may have."""
        return self._of_address.get(key, 0) > self._per_address_max

    def _key(self, peer: tuple[str, int] | None) -> str:
        return "" if peer is None or is_trusted(peer[0], self._trusted) else network_of(peer[0])
