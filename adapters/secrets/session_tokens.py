"""Refresh tokens and CSRF tokens: derived from a session with the signing secret, stored nowhere.

A refresh token is ``refresh.<session>-<generation>.<signature>``. It is no JSON Web Token, and its signature has a key of its own: none
passes as an access token, nor the other way round.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from adapters.secrets.signing import SigningSecrets
from schemas.settings import AuthSettings

REFRESH = "refresh"
REFRESH_CHARS_MAX = 256
_TOKEN = re.compile(r"refresh\.([0-9a-f-]{36})-([0-9]{1,9})\.([A-Za-z0-9_-]{43})")


class PresentedToken(NamedTuple):
    """What a refresh token says; nothing of it is proven before ``is_genuine``."""

    session_id: str
    generation: int
    signature: str


def parse_refresh(text: str) -> PresentedToken | None:
    """None for what is no refresh token."""
    match = _TOKEN.fullmatch(text) if len(text) <= REFRESH_CHARS_MAX else None
    return PresentedToken(match[1], int(match[2]), match[3]) if match else None


class SessionTokens:
    """Raises ConfigurationError like ``SigningSecrets``."""

    def __init__(self, auth: AuthSettings) -> None:
        self._secrets = SigningSecrets(auth)

    def refresh(self, session_id: str, generation: int, created_at: datetime) -> str:
        """The refresh token of this generation of a session; the same arguments make the same one."""
        signature = self._secrets.sign(REFRESH, _refresh_message(session_id, generation, created_at))
        return f"{REFRESH}.{session_id}-{generation}.{signature}"

    def is_genuine(self, token: PresentedToken, created_at: datetime, now: datetime) -> bool:
        """Whether this installation issued the token, in the session that began then."""
        message = _refresh_message(token.session_id, token.generation, created_at)
        return self._secrets.is_signature(REFRESH, message, token.signature, now)

    def csrf(self, session_id: str) -> str:
        """What a page sends with requests that change something: only one that can read the API's responses knows it."""
        return self._secrets.sign("csrf", session_id)

    def is_csrf(self, token: str, session_id: str, now: datetime) -> bool:
        """Whether this is the CSRF token of the session."""
        return self._secrets.is_signature("csrf", session_id, token, now)


def _refresh_message(session_id: str, generation: int, created_at: datetime) -> str:
    return f"{session_id}/{generation}/{created_at.astimezone(UTC).isoformat()}"
