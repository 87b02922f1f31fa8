"""What a WebSocket connection uses."""

from dataclasses import dataclass

from api.area import Opening
from api.core import Core
from api.http.open_count import AccountCount, OpenCount
from api.http.ports import HttpPorts


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketPorts:
    """``sockets`` counts the connections; ``by_account`` those that are authenticated."""

    core: Core
    http: HttpPorts
    sockets: OpenCount
    by_account: AccountCount


def open_ports(opening: Opening) -> SocketPorts:
    """Built from the core and the plumbing."""
    core = opening.core
    return SocketPorts(
        core=core,
        http=opening.ports(HttpPorts),
        sockets=OpenCount(core.metrics.sockets_open, core.settings.socket.sockets_max, "WebSocket connections"),
        by_account=AccountCount(),
    )
