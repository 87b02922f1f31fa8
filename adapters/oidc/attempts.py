"""A login that has gone to the identity provider: what the browser has to bring back, signed, in a cookie of its own.

The state binds the answer to the browser that asked, the nonce binds the ID token to this attempt, and the verifier (PKCE) binds the code
to it. None of them is of use to anybody without the cookie.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import Struct

from adapters.secrets.signing import SigningSecrets, url_text
from schemas.settings import AuthSettings

PURPOSE = "oidc attempt"
LIFE_S = 600  # for the person to log in at the provider
RANDOM_BYTES = 32
CHARS_MAX = 4_096


class LoginAttempt(Struct, frozen=True, array_like=True):
    """``return_to``: where the browser goes afterwards; ``expires_s`` since 1970."""

    state: str
    nonce: str
    verifier: str
    return_to: str
    expires_s: int

    @property
    def challenge(self) -> str:
        """The code challenge of the verifier, by the method S256."""
        return url_text(hashlib.sha256(self.verifier.encode()).digest())


class LoginAttempts:
    """Raises ConfigurationError like ``SigningSecrets``."""

    def __init__(self, auth: AuthSettings, random_bytes: Callable[[int], bytes]) -> None:
        self._secrets, self._random_bytes = SigningSecrets(auth), random_bytes

    def begin(self, return_to: str, now: datetime) -> LoginAttempt:
        """A new attempt."""
        state, nonce, verifier = (url_text(self._random_bytes(RANDOM_BYTES)) for _ in range(3))
        return LoginAttempt(state, nonce, verifier, return_to, int(now.timestamp()) + LIFE_S)

    def seal(self, attempt: LoginAttempt) -> str:
        """The value of the cookie."""
        body = url_text(msgspec.json.encode(attempt))
        return f"{body}.{self._secrets.sign(PURPOSE, body)}"

    def read(self, value: str, state: str, now: datetime) -> LoginAttempt | None:
        """The attempt of a cookie, if it is genuine, not expired, and has this state."""
        body, _, signature = value.partition(".")
        if len(value) > CHARS_MAX or not self._secrets.is_signature(PURPOSE, body, signature, now):
            return None
        try:
            attempt = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=LoginAttempt)
        except (binascii.Error, msgspec.MsgspecError, ValueError):
            return None
        is_same = hmac.compare_digest(attempt.state.encode(), state.encode())
        return attempt if is_same and attempt.expires_s > now.timestamp() else None
