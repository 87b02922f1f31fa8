"""Allow and deny lists of addresses, users and API keys; a lookup takes a time that does not grow with the lists."""

from collections.abc import Iterable
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from schemas.errors import FieldError
from schemas.limits import Access, AccessEntry, SubjectKind

ENTRIES_MAX = 50_000  # of both lists: about 30 MB in every process

_Networks = dict[tuple[int, int], dict[int, AccessEntry]]  # by IP version and prefix length, then by the network's number


def problem_of(kind: SubjectKind, value: str) -> FieldError | None:
    """Why the value of this entry matches no caller; "" when it can match."""
    if kind == "cidr":
        try:
            ip_network(value, strict=False)
        except ValueError:
            return FieldError("value", f"{value[:60]!r} is not an address or a CIDR", "such as 203.0.113.0/24 or 2001:db8::/32")
    elif kind == "user" and value.count("/") != 1:
        return FieldError("value", "is not a user", "tenant/account id")
    return None


def canonical_value(kind: SubjectKind, value: str) -> str:
    """The canonical form; an IPv4-mapped IPv6 address is IPv4. ``problem_of`` found nothing wrong with it."""
    if kind != "cidr":
        return value
    network = ip_network(value, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network.network_address, IPv6Address) else None
    if mapped is not None and network.prefixlen >= 96:  # noqa: PLR2004 - ::ffff:0:0/96
        network = ip_network(f"{mapped}/{network.prefixlen - 96}", strict=False)
    return str(network)


class AccessLists:
    """The entries that are in force. Not thread-safe; one event loop writes and reads."""

    def __init__(self, entries: Iterable[AccessEntry] = ()) -> None:
        self._entries: dict[str, AccessEntry] = {}
        self._named: dict[tuple[Access, SubjectKind, str], AccessEntry] = {}
        self._networks: dict[Access, _Networks] = {"allow": {}, "deny": {}}
        for entry in entries:
            self.put(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: AccessEntry) -> None:
        """Add it, or replace the one of the same name."""
        self._entries[entry.name] = entry
        if entry.kind == "cidr":
            level, number = _network_key(entry.value)
            self._networks[entry.access].setdefault(level, {})[number] = entry
        else:
            self._named[entry.access, entry.kind, entry.value] = entry

    def remove(self, name: str) -> None:
        """Remove it, if it is there."""
        entry = self._entries.pop(name, None)
        if entry is None:
            return
        if entry.kind == "cidr":
            level, number = _network_key(entry.value)
            networks = self._networks[entry.access]
            networks[level].pop(number, None)
            if not networks[level]:
                del networks[level]
        else:
            self._named.pop((entry.access, entry.kind, entry.value), None)

    def entries(self, access: Access) -> list[AccessEntry]:
        """One of the lists, by name."""
        return [entry for name, entry in sorted(self._entries.items()) if entry.access == access]

    def verdict(self, *, address: str, user: str, key: str, now: datetime) -> AccessEntry | None:
        """The entry that decides about this caller: a denial before a permission, and of several of a kind any; None: the rules decide."""
        if not self._entries:
            return None
        for access in ("deny", "allow"):
            found = self._find_entry(access, address, user, key, now)
            if found is not None:
                return found
        return None

    def _find_entry(self, access: Access, address: str, user: str, key: str, now: datetime) -> AccessEntry | None:
        for kind, value in (("user", user), ("key", key)):
            entry = self._named.get((access, kind, value)) if value else None  # type: ignore[arg-type]
            if entry is not None and _is_in_force(entry, now):
                return entry
        networks = self._networks[access]
        if networks and (parsed := _parse_address(address)) is not None:
            bits = parsed.max_prefixlen
            for version, prefix in networks:
                if version == parsed.version:
                    entry = networks[version, prefix].get(int(parsed) >> (bits - prefix))
                    if entry is not None and _is_in_force(entry, now):
                        return entry
        return None


def _is_in_force(entry: AccessEntry, now: datetime) -> bool:
    return entry.expires_at is None or entry.expires_at > now


def _network_key(value: str) -> tuple[tuple[int, int], int]:
    network = ip_network(value, strict=False)
    return (network.version, network.prefixlen), int(network.network_address) >> (network.max_prefixlen - network.prefixlen)


def _parse_address(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
