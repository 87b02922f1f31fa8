"""The signing secret of the installation and the one before it, and signatures with keys derived from them.

Every purpose has a key of its own, so what was signed for one never passes for another.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from adapters.secrets.derived_keys import derive_key
from schemas.errors import ConfigurationError
from schemas.settings import AuthSettings

SECRET_BYTES_MIN = 32  # RFC 7518, 3.2: a key as long as the hash
OVERLAP_MAX = timedelta(days=7)  # of the previous secret: whoever knows it can issue tokens until then


class SigningSecrets:
    """``current`` signs; ``accepted`` verify. Raises ConfigurationError when a secret is missing or short, or the previous has no end."""

    def __init__(self, auth: AuthSettings) -> None:
        self.current = _check_secret("CLAW_AUTH_SECRET", auth.secret.reveal())
        self._previous, self.previous_until_s = "", 0.0
        if auth.previous_secret:
            self._previous = _check_secret("CLAW_AUTH_PREVIOUS_SECRET", auth.previous_secret.reveal())
            self.previous_until_s = _previous_end(auth).timestamp()

    def accepted(self, now: datetime) -> Iterator[str]:
        """The secrets that are accepted now, the current one first."""
        yield self.current
        if self._previous and now.timestamp() < self.previous_until_s:
            yield self._previous

    def sign(self, purpose: str, message: str) -> str:
        """256 bits as text of URLs: the HMAC-SHA256 of the message with the current secret's key for this purpose."""
        return _signature(self.current, purpose, message)

    def is_signature(self, purpose: str, message: str, signature: str, now: datetime) -> bool:
        """Whether an accepted secret signs the message so."""
        given = signature.encode()
        return any(hmac.compare_digest(_signature(secret, purpose, message).encode(), given) for secret in self.accepted(now))


def check_overlap(auth: AuthSettings, now: datetime) -> None:
    """Raises ConfigurationError when the previous secret would be accepted for longer than 7 days."""
    if auth.previous_secret and _previous_end(auth) - now > OVERLAP_MAX:
        raise ConfigurationError(f"CLAW_AUTH_PREVIOUS_UNTIL: {auth.previous_until} is more than {OVERLAP_MAX.days} days ahead")


def url_text(raw: bytes) -> str:
    """Bytes as text that stands in URLs as it is."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _signature(secret: str, purpose: str, message: str) -> str:
    return url_text(hmac.new(derive_key(secret, f"claw {purpose}".encode()), message.encode(), hashlib.sha256).digest())


def _previous_end(auth: AuthSettings) -> datetime:
    try:
        return datetime.fromisoformat(auth.previous_until).astimezone(UTC)
    except ValueError:
        raise ConfigurationError(
            f"CLAW_AUTH_PREVIOUS_UNTIL: {auth.previous_until!r} is not a time: CLAW_AUTH_PREVIOUS_SECRET needs an end, "
            "such as 2026-12-01T12:00:00Z"
        ) from None


def _check_secret(variable: str, secret: str) -> str:
    length = len(secret.encode())
    if length < SECRET_BYTES_MIN:
        raise ConfigurationError(
            f"{variable} has {length} bytes: at least {SECRET_BYTES_MIN} random ones are needed (for example `openssl rand -hex 32`)"
        )
    return secret
