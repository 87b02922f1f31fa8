"""Checks before a connection becomes a WebSocket: no credential in its URL, an allowed origin; and the credential it may bring along."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from schemas.errors import Refused

PROTOCOL = "claw.v1"
BEARER = "bearer."  # a subprotocol of this form is a credential, because browsers cannot set headers
PARAMETERS_MAX = 20
CREDENTIALS = frozenset({"token", "access_token", "api_key", "apikey", "key", "jwt", "bearer", "auth", "authorization", "credential"})
DOTS_OF_TOKEN = 2


@dataclass(frozen=True, slots=True)
class Offer:
    """``authorization`` as in the header of that name, "" when the first frame will bring it; ``subprotocol`` to agree on, if any."""

    authorization: str
    subprotocol: str | None


def check_query(query: bytes) -> None:
    """Refused("credential_in_url") for a parameter that is, or looks like, a credential: URLs end up in logs and histories."""
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True)[:PARAMETERS_MAX]:
        if name.lower() in CREDENTIALS or value.startswith("claw_") or value.count(".") == DOTS_OF_TOKEN:
            raise Refused("credential_in_url", f"the query parameter {name[:40]!r} is a credential; send it in the first frame")


def check_origin(origin: str, host: str, allowed: str) -> None:
    """Refused("forbidden") for an origin that ``allowed`` (comma-separated, ``*`` for any) does not name; by default only the host's own.

    A client without an origin is not a browser, and passes.
    """
    names = {each.strip().rstrip("/").lower() for each in allowed.split(",") if each.strip()}
    if not origin or "*" in names:
        return
    if origin.lower() not in names if names else urlsplit(origin).netloc.lower() != host.lower():
        raise Refused("forbidden", f"pages of {origin[:200]} may not connect (CLAW_SOCKET_ORIGINS)")


def parse_offer(subprotocols: Sequence[str], authorization: str) -> Offer:
    """The client's offer. A subprotocol with a credential is never agreed on: it would be sent back."""
    token = next((each.removeprefix(BEARER) for each in subprotocols if each.startswith(BEARER)), "")
    return Offer(f"Bearer {token}" if token else authorization, PROTOCOL if PROTOCOL in subprotocols else None)


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """The first header of that name, or ""."""
    return next((value.decode("latin-1") for each, value in headers if each == name), "")
