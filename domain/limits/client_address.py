"""The address of the client, also behind trusted proxies."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from schemas.errors import ConfigurationError

HOPS_MAX = 32  # of one chain; a longer one is forged
UNKNOWN = "unknown"  # a peer without an address, such as a Unix socket

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def parse_networks(text: str) -> tuple[Network, ...]:
    """``CLAW_LIMIT_TRUSTED_PROXIES``: comma-separated CIDRs; raises ConfigurationError naming the one that is invalid."""
    networks = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            networks.append(ip_network(part, strict=False))
        except ValueError as error:
            raise ConfigurationError(f"CLAW_LIMIT_TRUSTED_PROXIES: {part!r} is not an address or a CIDR") from error
    return tuple(networks)


def client_address(peer: str, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The first address from the right that is no trusted proxy.

    ``peer`` opened the connection, ``forwarded_for`` are the X-Forwarded-For header values in order. Each trusted hop vouches for the
    one to its left; at something that is no address the walk ends with the last hop that was vouched for. Never raises.
    """
    current = _parse(peer)
    if current is None:
        return UNKNOWN
    hops = [hop for value in forwarded_for for hop in value.split(",")]
    for hop in reversed(hops[-HOPS_MAX:]):
        if not any(current in network for network in trusted):
            break
        before = _parse(hop)
        if before is None:
            break
        current = before
    return str(current)


def is_trusted(peer: str, trusted: Sequence[Network]) -> bool:
    """Whether the one that opened a connection is a trusted proxy."""
    address = _parse(peer)
    return address is not None and any(address in network for network in trusted)


def _parse(text: str) -> Address | None:
    """An address as proxies write it: with a port, in brackets, in quotes, with a zone; an IPv4-mapped IPv6 address is IPv4."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
