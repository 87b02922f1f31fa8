"""Origins of pages: one form, TLS but on this machine, and nothing that is more or less than an origin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.widgets.origins import canonical_origin


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://www.Example.org", "https://www.example.org"),
        (" https://example.org:443 ", "https://example.org"),
        ("https://example.org:8443", "https://example.org:8443"),
        ("https://xn--fiqs8s.example", "https://xn--fiqs8s.example"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://shop.localhost", "http://shop.localhost"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_origin_as_a_browser_writes_it(text: str, origin: str) -> None:
    assert canonical_origin(text) == canonical_origin(origin) == origin


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "*", "https://*", "https://*.example.org", "example.org", "//example.org", "ftp://example.org", "file://"),
        *("https://example.org/", "https://example.org/chat", "https://example.org?x", "https://example.org#x"),
        *("https://user@example.org", "https://example.org:0x50", "https://example.org:65536", "https://a..example.org"),
        *("https://例え.example", "https://[::g]", "https://[", "https://exa mple.org", "https://example.org\n"[:-1] + "\n.evil.example"),
        "https://" + "a" * 400,
    ],
)
def test_what_is_no_origin_says_so(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        canonical_origin(text)


@pytest.mark.parametrize("host", ["example.org", "10.0.0.1", "localhost.example.org", "127.0.0.1.example.org", "[2001:db8::1]", "1.1"])
def test_without_tls_only_this_machine(host: str) -> None:
    with pytest.raises(ValueError, match="TLS"):
        canonical_origin(f"http://{host}")


@given(st.text(max_size=60) | st.from_regex(r"https?://[^/]{1,20}", fullmatch=True))
def test_the_form_is_final(text: str) -> None:
    """What is accepted once is accepted as it was stored, and unchanged."""
    try:
        origin = canonical_origin(text)
    except ValueError:
        return
    assert canonical_origin(origin) == origin
