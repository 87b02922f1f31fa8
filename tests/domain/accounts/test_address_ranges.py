"""An address is within a range exactly when their first bits are the same."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.accounts.address_ranges import canonical_range, is_within

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@given(ADDRESSES, ADDRESSES, st.data())
def test_the_first_bits_decide(network: IPv4Address | IPv6Address, address: IPv4Address | IPv6Address, data: st.DataObject) -> None:
    """Near misses included: half of the addresses differ from the network's in one bit."""
    size = network.max_prefixlen
    prefix = data.draw(st.integers(0, size))
    if data.draw(st.booleans()):
        address = type(network)(int(network) ^ 1 << data.draw(st.integers(0, size - 1)))
    if (isinstance(network, IPv6Address) and network.ipv4_mapped) or (isinstance(address, IPv6Address) and address.ipv4_mapped):
        return  # the same network in another form: below
    same = type(network) is type(address) and int(network) >> size - prefix == int(address) >> size - prefix
    assert is_within(str(address), (canonical_range(f"{network}/{prefix}"),)) is same


@given(st.ip_addresses(v=4), st.integers(0, 32))
@example(IPv4Address("203.0.113.7"), 24)
def test_an_ipv4_address_in_ipv6_form_is_ipv4(address: IPv4Address, prefix: int) -> None:
    """In the range and in the request."""
    mapped = f"::ffff:{address}"
    assert canonical_range(f"{mapped}/{96 + prefix}") == canonical_range(f"{address}/{prefix}")
    assert is_within(mapped, (canonical_range(f"{address}/{prefix}"),))


def test_without_ranges_everybody_and_with_ranges_no_stranger() -> None:
    assert is_within("unknown", ())
    assert not is_within("unknown", ("0.0.0.0/0", "::/0"))
    assert is_within("203.0.113.7", ("2001:db8::/32", canonical_range("203.0.113.7")))


@pytest.mark.parametrize(
    "text", ["", "x", "203.0.113", "203.0.113.0/33", "203.0.113.0/-1", "2001:db8::/129", "1.2.3.4/0.0.0.0/1", "fe80::1%eth0/64"]
)
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical_range(text)
