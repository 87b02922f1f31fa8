"""Which web addresses may be fetched: http and https on their ports, at public addresses, and what the operator allows beside them.

A name is judged by every address it resolves to, at the moment of connecting; what stands in a URL can only be judged in part before.
"""

import ipaddress
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from yarl import URL

from schemas.errors import ConfigurationError, FieldError, Refused

Address = IPv4Address | IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

URL_CHARS_MAX = 2_048
PORTS = {"http": 80, "https": 443}

# IANA's special-purpose registry (Python's own copy differs between releases), multicast and reserved space, and what clouds answer on
_NOT_PUBLIC = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 "
            "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3 168.63.129.16/32"
        ).split(),
    )
)
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(map(ipaddress.IPv6Network, "2001::/23 2001:db8::/32 2002::/16 3fff::/20".split()))  # 6to4 and Teredo among them
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # stands for the IPv4 address in its last 32 bits

_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_NUMERIC = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)\.?", re.IGNORECASE)  # 127.1, 2130706433, 0x7f.1: resolvers read addresses into these


def parse_networks(cidrs: str, setting: str = "CLAW_DOCUMENT_FETCH_NETWORKS") -> tuple[Network, ...]:
    """Comma-separated CIDRs of ``setting``. Raises ConfigurationError."""
    try:
        return tuple(ipaddress.ip_network(each.strip()) for each in cidrs.split(",") if each.strip())
    except ValueError as error:
        raise ConfigurationError(f"{setting}: {error}") from error


def check_url(text: str, allowed: Sequence[Network] = ()) -> URL:
    """``text`` as a URL that may be fetched, as far as its text shows; raises Refused("url_refused") with the reason."""
    if len(text) > URL_CHARS_MAX:
        raise url_refused("is too long", f"{URL_CHARS_MAX} characters")
    if _CONTROL.search(text) or "\\" in text:
        raise url_refused("has characters that no address has", "a http or https address")
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError:
        raise url_refused("cannot be read as an address", "a http or https address") from None
    if url.scheme not in PORTS or not host:
        raise url_refused("is not an absolute http or https address", "a http or https address")
    if url.raw_user is not None or url.raw_password is not None:
        raise url_refused("carries a user or password", "an address without credentials")
    if port != PORTS[url.scheme] and not allowed:
        raise url_refused(f"names port {port}", "port 80 of http, 443 of https")
    address = parse_address(host)
    if address is not None and not may_reach(address, port == PORTS[url.scheme], allowed):
        raise url_refused("is not at a public address", "a public address")
    return url.with_fragment(None)


def parse_address(host: str) -> Address | None:
    """The address that ``host`` is, if it is one; Refused for spellings that only some programs accept."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        if ":" in host or _NUMERIC.fullmatch(host):
            raise url_refused("names its host by a number that is no whole address", "a name, or four numbers") from None
        return None


def may_reach(address: Address, usual_port: bool, allowed: Sequence[Network] = ()) -> bool:  # noqa: FBT001 - reads well where it is used
    """Whether to connect to ``address``."""
    inner = _effective_address(address)
    if any(inner in network for network in allowed if network.version == inner.version):
        return True
    if isinstance(inner, IPv6Address):
        public = inner in _PUBLIC_6 and inner.scope_id is None and not any(inner in network for network in _NOT_PUBLIC_6)
    else:
        public = not any(inner in network for network in _NOT_PUBLIC)
    return public and usual_port


def _effective_address(address: Address) -> Address:
    """The IPv4 address where an IPv6 address only stands for one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def url_refused(detail: str, limit: str) -> Refused:
    """The address is not fetched, and why."""
    return Refused("url_refused", f"the address {detail}", errors=(FieldError("url", detail, limit),))
