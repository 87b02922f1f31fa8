"""Which addresses are public, and which may be fetched."""

import ipaddress

import pytest

from adapters.web.public_addresses import check_url, may_reach, parse_networks
from schemas.errors import ConfigurationError, Refused


@pytest.mark.parametrize(
    "address",
    "0.0.0.0 10.0.0.1 100.100.100.200 127.0.0.1 127.255.255.254 169.254.169.254 172.31.0.1 192.0.0.192 192.168.1.1 198.18.0.1 224.0.0.1 "
    "240.0.0.1 255.255.255.255 168.63.129.16 192.88.99.1 :: ::1 ::127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: "
    "2001::1 2001:db8::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 100::1 4000::1".split(),
)
def test_addresses_that_are_not_public(address: str):
    assert not may_reach(ipaddress.ip_address(address), True)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Refused):
        check_url(f"http://{host}/")


@pytest.mark.parametrize("address", "93.184.216.34 8.8.8.8 172.32.0.1 2606:2800:220:1::1 64:ff9b::808:808 ::ffff:8.8.8.8".split())
def test_addresses_that_are_public(address: str):
    assert may_reach(ipaddress.ip_address(address), True)
    assert not may_reach(ipaddress.ip_address(address), False)
    host = f"[{address}]" if ":" in address else address
    assert check_url(f"https://{host}/a").path == "/a"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://[::ffff:127.0.0.1]/",
        "http://１２７.0.0.1/",
        "http:///x",
        "http://",
        "//site.test/x",
        "site.test",
        "javascript:alert(1)",
        "http://site.test\\@10.0.0.1/",
        "http://a b/",
        "http://site.test/\nx",
        "http://site.test:99999/",
        "http://site.test:0/",
        "http://site.test:22/",
        "http://[::1/",
        "http://" + "a" * 3_000,
    ],
)
def test_addresses_that_are_none(url: str):
    with pytest.raises(Refused) as refused:
        check_url(url)
    assert refused.value.code == "url_refused"
    assert refused.value.errors[0].limit


def test_allowed_networks():
    allowed = parse_networks("10.0.0.0/8, fd00::/8")
    assert check_url("http://10.1.2.3:8080/", allowed).port == 8080
    assert check_url("http://[fd00::1]:8080/", allowed).port == 8080
    with pytest.raises(Refused):
        check_url("http://11.1.2.3:8080/", allowed)
    with pytest.raises(ConfigurationError, match="CLAW_DOCUMENT_FETCH_NETWORKS"):
        parse_networks("10.0.0.1/8")
