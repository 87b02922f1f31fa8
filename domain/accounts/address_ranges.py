"""The address ranges from which an API key may be used, as CIDRs. IPv4 addresses in IPv6 form are IPv4, as in ``client_address``."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

MAPPED = ip_network("::ffff:0:0/96")

Network = IPv4Network | IPv6Network


def canonical_range(text: str) -> str:
    """The network that ``text`` names, an address being one of its own. Raises ValueError for what is none."""
    if "%" in text:
        raise ValueError(f"{text} has a zone, which no client's address has")
    network = ip_network(text.strip(), strict=False)
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):  # type: ignore[arg-type]
        mapped = network.network_address.ipv4_mapped
        assert mapped is not None
        return str(IPv4Network((mapped, network.prefixlen - MAPPED.prefixlen)))
    return str(network)


def is_within(address: str, ranges: Sequence[str]) -> bool:
    """Whether ``address`` lies in one of the ranges; without ranges every address does, and what is no address lies in none."""
    if not ranges:
        return True
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(_contains(_network(text), parsed) for text in ranges)


def _contains(network: Network, address: IPv4Address | IPv6Address) -> bool:
    return network.version == address.version and address in network


@lru_cache(maxsize=4_096)
def _network(text: str) -> Network:
    return ip_network(text)
