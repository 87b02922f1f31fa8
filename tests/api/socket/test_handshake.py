"""What a WebSocket's upgrade request may carry."""

import pytest

from api.socket.handshake import check_origin, check_query, parse_offer
from schemas.errors import Refused

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        (b"", False),
        (b"v=1&lang=zh", False),
        (b"token=x", True),
        (b"Access_Token=x", True),
        (b"x=claw_00_secret", True),
        (b"x=aaa.bbb.ccc", True),
        (b"x=a%2Eb%2Ec", True),
        (b"api_key", True),
    ],
)
async def test_what_counts_as_a_credential_in_the_url(query: bytes, refused: bool):
    if not refused:
        check_query(query)
        return
    with pytest.raises(Refused, match="is a credential") as refusal:
        check_query(query)
    assert refusal.value.code == "credential_in_url"


@pytest.mark.parametrize(
    ("origin", "allowed", "passes"),
    [
        ("", "", True),
        ("", "https://app.example.org", True),
        ("https://api.example.org", "", True),
        ("https://API.example.org", "", True),
        ("https://api.example.org:8443", "", False),
        ("https://evil.example", "", False),
        ("null", "", False),
        ("https://app.example.org", "https://app.example.org, https://b.example", True),
        ("https://b.example", "https://app.example.org, https://b.example/", True),
        ("http://app.example.org", "https://app.example.org", False),
        ("https://api.example.org", "https://app.example.org", False),
        ("https://evil.example", "*", True),
    ],
)
async def test_origins(origin: str, allowed: str, passes: bool):
    if passes:
        check_origin(origin, "api.example.org", allowed)
        return
    with pytest.raises(Refused) as refusal:
        check_origin(origin, "api.example.org", allowed)
    assert refusal.value.code == "forbidden"


async def test_offers():
    assert parse_offer([], "Bearer a").authorization == "Bearer a"
    assert parse_offer(["bearer.b", "claw.v1"], "Bearer a") == parse_offer(["claw.v1", "bearer.b"], "")
    assert parse_offer(["bearer.b"], "").subprotocol is None
