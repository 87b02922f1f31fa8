"""Origins of pages that embed a widget, in the form in which browsers send them."""

import re
from ipaddress import ip_address

DEFAULT_PORTS = {"https": 443, "http": 80}
PORT_MAX = 65_535
ORIGIN_CHARS_MAX = 300

_ORIGIN = re.compile(r"(https?)://([a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?", re.IGNORECASE)


def canonical_origin(text: str) -> str:
    """The origin as a browser writes it: lower case, without the port that goes without saying. Raises ValueError, whose text says why.

    ``http`` is for loopback alone: whoever is between the page and its reader could put any question, and read every answer.
    """
    match = _ORIGIN.fullmatch(text[:ORIGIN_CHARS_MAX].strip())
    if match is None:
        raise ValueError("is no origin")
    scheme, host, port = match[1].lower(), match[2].lower(), int(match[3] or 0)
    if port > PORT_MAX or ".." in host:
        raise ValueError("is no origin")
    if host.startswith("["):
        host = f"[{_address(host[1:-1])}]"
    if scheme == "http" and not is_loopback(host):
        raise ValueError("has no TLS")
    return f"{scheme}://{host}" if port in {0, DEFAULT_PORTS[scheme]} else f"{scheme}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, whatever a resolver says."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError("is no origin") from None
