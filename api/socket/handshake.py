"""Before a connection is a WebSocket: no credential in its URL, no page of a stranger, and the credential if it came along already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from schemas.errors import Refused

PROTOCOL = "claw.v1"
BEARER = "bearer."  # a subprotocol of this form is a credential: browsers can set no header
PARAMETERS_MAX = 20
CREDENTIALS = frozenset({"token", "access_token", "api_key", "apikey", "key", "jwt", "bearer", "auth", "authorization", "credential"})
DOTS_OF_TOKEN = 2


@dataclass(frozen=True, slots=True)
class Offer:
    """``authorization`` as the header of that name would say it, "" when the first frame will; ``subprotocol`` to agree on, if any."""

    authorization: str
    subprotocol: str | None


def check_query(query: bytes) -> None:
    """Refused("credential_in_url") when a parameter is, or looks like, a credential: URLs end up in logs and histories."""
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True)[:PARAMETERS_MAX]:
        if name.lower() in CREDENTIALS or value.startswith("claw_") or value.count(".") == DOTS_OF_TOKEN:
            raise Refused("credential_in_url", f"the query parameter {name[:40]!r} is a credential; send it in the first frame")


def check_origin(origin: str, host: str, allowed: str) -> None:
    """Refused("forbidden") for a page that ``allowed`` (comma-separated, ``*`` for any) does not name; without names it must be the host's.

    No origin is no browser: nobody's page can be abused.
    """
    names = {each.strip().rstrip("/").lower() for each in allowed.split(",") if each.strip()}
    if not origin or "*" in names:
        return
    if origin.lower() not in names if names else urlsplit(origin).netloc.lower() != host.lower():
        raise Refused("forbidden", f"pages of {origin[:200]} may not connect (CLAW_SOCKET_ORIGINS)")


def parse_offer(subprotocols: Sequence[str], authorization: str) -> Offer:
    """What the client brings. The subprotocol that carries a credential is never agreed on: it would be sent back."""
    token = next((each.removeprefix(BEARER) for each in subprotocols if each.startswith(BEARER)), "")
    return Offer(f"Bearer {token}" if token else authorization, PROTOCOL if PROTOCOL in subprotocols else None)


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """The first header of that name, or ""."""
    return next((value.decode("latin-1") for each, value in headers if each == name), "")
