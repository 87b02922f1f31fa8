"""Client addresses: only what a trusted proxy vouched for counts."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.limits.client_address import client_address, parse_networks
from schemas.errors import ConfigurationError

TRUSTED = parse_networks("10.0.0.0/8, 2001:db8:1::/48,192.0.2.7")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # nobody vouches for it
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # the left part is the client's own invention
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.2.2.2"], "198.51.100.1"),  # several headers are one chain
        ("10.0.0.1", ["10.3.3.3, 10.2.2.2"], "10.3.3.3"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, garbage"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1,,10.2.2.2"], "10.2.2.2"),
        ("10.0.0.1", ["198.51.100.1:443"], "198.51.100.1"),
        ("10.0.0.1", ['"[2001:db8:2::5]:443"'], "2001:db8:2::5"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("2001:db8:1::1", ["fe80::1%eth0"], "fe80::1"),
        ("192.0.2.7", [" 198.51.100.1 "], "198.51.100.1"),
        ("", ["198.51.100.1"], "unknown"),
        ("/run/api.sock", [], "unknown"),
        ("10.0.0.1", [", ".join(["198.51.100.1", *["10.0.0.2"] * 40])], "10.0.0.2"),  # a chain too long to be true
    ],
)
def test_the_walk_from_the_right(peer: str, forwarded: list[str], client: str) -> None:
    """The first hop nobody trusted has added."""
    assert client_address(peer, forwarded, TRUSTED) == client


@given(forwarded=st.lists(st.text(alphabet='0123456789abcdef.:,[]% "-', max_size=60)), peer=st.sampled_from(["10.0.0.1", "", "x", "::1%"]))
def test_garbage_never_raises(peer: str, forwarded: list[str]) -> None:
    """The answer is an address or says that there is none."""
    found = client_address(peer, forwarded, TRUSTED)
    assert found == "unknown" or ip_address(found)


@given(forwarded=st.lists(st.text()))
def test_headers_of_a_stranger_change_nothing(forwarded: list[str]) -> None:
    """No proxy of ours, no belief."""
    assert client_address("203.0.113.9", forwarded, TRUSTED) == "203.0.113.9"


def test_a_bad_cidr_is_named() -> None:
    """At the start, not at the first request."""
    with pytest.raises(ConfigurationError, match=r"CLAW_LIMIT_TRUSTED_PROXIES: '10\.0\.0\.0/99'"):
        parse_networks("10.0.0.0/99")
    assert parse_networks(" ") == ()
