"""The names by which clients may call the API: what another name leads here is a page that rebinds its own, or a forged link.

``Host`` is also what URLs in answers begin with when no public URL is set. Health, readiness and the schema answer to any name: load
balancers ask by address.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from schemas.errors import ConfigurationError, Refused
from schemas.settings import Settings

ANY = "*"
OF_THIS_MACHINE = ("localhost", "*.localhost", "host.docker.internal")  # besides every loopback address
NAME_CHARS_MAX = 255


class AllowedHosts:
    """``CLAW_HTTP_HOSTS``. Empty: with a loopback address the names of this machine and of the public URL, else any."""

    def __init__(self, settings: Settings) -> None:
        listed = [each.strip().lower() for each in settings.http.hosts.split(",") if each.strip()]
        self._is_loopback = not listed and _is_loopback(settings.node.host)
        if self._is_loopback:
            public = urlsplit(settings.node.public_url).hostname
            listed = [*OF_THIS_MACHINE, *([public] if public else [])]
        self._any = not listed or ANY in listed
        self._names = frozenset(_parse_name(each) for each in listed if not each.startswith("*"))
        self._suffixes = tuple(_parse_name(each[1:]) for each in listed if each.startswith("*."))

    def check(self, hosts: Sequence[str]) -> None:
        """Raises Refused for a request whose ``Host`` headers are not one that is allowed."""
        if len(hosts) != 1:
            raise Refused("invalid_request", f"A request has one Host header; this one has {len(hosts)}.")
        if self._any:
            return
        name = _name_of(hosts[0])
        if name in self._names or name.endswith(self._suffixes) or (self._is_loopback and _is_loopback(name)):
            return
        raise Refused(
            "host_refused", f"This API is not called {hosts[0][:NAME_CHARS_MAX]!r}: the operator lists its names in CLAW_HTTP_HOSTS."
        )


def _name_of(host: str) -> str:
    """The name or address in a Host header, without port, brackets and the root's dot, in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].rstrip(".").lower()


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _parse_name(name: str) -> str:
    if not name or any(each in "/*:" or each.isspace() for each in name):
        accepted = "names without scheme, port and path, *.example.org, or *"
        raise ConfigurationError(f"CLAW_HTTP_HOSTS: {name!r} is no name of a host: write {accepted}")
    return _name_of(name)
