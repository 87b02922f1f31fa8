"""Allow and deny lists by address, account and key."""

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.limits.access_lists import AccessLists, canonical_value, problem_of
from schemas.limits import AccessEntry

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(("kind", "value"), [("cidr", "300.0.0.1"), ("cidr", "10.0.0.0/33"), ("user", "nobody"), ("user", "a/b/c")])
def test_who_is_nobody_is_told_so(kind: str, value: str) -> None:
    wrong = problem_of(kind, value)  # type: ignore[arg-type]
    assert wrong is not None
    assert wrong.limit


@given(
    networks=st.lists(
        st.ip_addresses(network="203.0.113.0/24").flatmap(lambda a: st.integers(24, 32).map(lambda p: f"{a}/{p}")), max_size=8
    ),
    wide=st.lists(st.ip_addresses(v=6).flatmap(lambda a: st.integers(0, 128).map(lambda p: f"{a}/{p}")), max_size=8),
    asked=st.one_of(st.ip_addresses(network="203.0.113.0/24"), st.ip_addresses(v=6)),
)
def test_a_list_finds_what_a_scan_finds(networks: list[str], wide: list[str], asked: ipaddress.IPv4Address) -> None:
    values = [canonical_value("cidr", value) for value in networks + wide]
    lists = AccessLists(AccessEntry(access="deny", kind="cidr", value=value) for value in values)
    plain = getattr(asked, "ipv4_mapped", None) or asked
    found = lists.verdict(address=str(asked), user="", key="", now=NOW)
    assert (found is not None) == any(plain in ipaddress.ip_network(value) for value in values)
    for value in values:
        lists.remove(f"deny/cidr/{value}")
    assert lists.verdict(address=str(asked), user="", key="", now=NOW) is None
    assert len(lists) == 0


def test_denials_win_and_entries_end() -> None:
    lists = AccessLists(
        [
            AccessEntry(access="allow", kind="user", value="t/u"),
            AccessEntry(access="deny", kind="cidr", value="192.0.2.0/24", expires_at=NOW + timedelta(seconds=1)),
        ]
    )
    at = {"user": "t/u", "key": ""}
    first = lists.verdict(address="192.0.2.9", now=NOW, **at)
    assert first is not None
    assert first.access == "deny"
    later = lists.verdict(address="192.0.2.9", now=NOW + timedelta(seconds=1), **at)
    assert later is not None
    assert later.access == "allow"
    assert lists.verdict(address="192.0.2.9", user="", key="", now=NOW + timedelta(seconds=1)) is None
