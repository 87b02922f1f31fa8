"""Access tokens: HS256 JSON Web Tokens that name the account, its tenant, role and tier; and the secrets of API keys that are derived.

When the signing secret is rotated, what the previous one signed may stay valid for a while, with an end of its own.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import jwt
import msgspec
from msgspec import Struct

from schemas.errors import ConfigurationError, Refused
from schemas.records import Account, AccountRole, Tier
from schemas.settings import AuthSettings

ALGORITHM = "HS256"
SECRET_BYTES_MIN = 32  # RFC 7518, 3.2: a key as long as the hash
OVERLAP_MAX = timedelta(days=7)  # of the previous secret: whoever knows it can issue tokens until then
ACCESS = "access"
REFUSED = "the access token is not valid; log in again"


class Claims(Struct, frozen=True, kw_only=True):
    """The claims of an access token; ``exp`` and ``iat`` are seconds since 1970. ``typ`` keeps other tokens from passing as one."""

    sub: str
    tenant: str
    role: AccountRole
    tier: Tier
    typ: str
    iat: int
    exp: int


VERIFIED_CACHED_MAX = 4_096  # about 3 MB


class AccessTokens:
    """Issues and reads access tokens. Raises ConfigurationError when a secret is missing or short, or the previous one has no end."""

    def __init__(self, auth: AuthSettings) -> None:
        self._secret = _check_secret("CLAW_AUTH_SECRET", auth.secret.reveal())
        self._previous, self._previous_until_s = "", 0.0
        if auth.previous_secret:
            self._previous = _check_secret("CLAW_AUTH_PREVIOUS_SECRET", auth.previous_secret.reveal())
            self._previous_until_s = _previous_end(auth).timestamp()
        self._verified: dict[str, Claims] = {}  # tokens whose signature was verified
        self._ttl_s = auth.access_token_ttl_s

    def issue(self, account: Account, now: datetime) -> tuple[str, int]:
        """A token for ``account`` and its life in seconds."""
        issued_at = int(now.timestamp())
        claims = {
            "sub": account.id,
            "tenant": account.tenant,
            "role": account.role,
            "tier": account.tier,
            "typ": ACCESS,
            "iat": issued_at,
            "exp": issued_at + self._ttl_s,
        }
        return jwt.encode(claims, self._secret, ALGORITHM), self._ttl_s

    def key_secret(self, credential_id: str, created_at: datetime) -> str:
        """The secret of an API key whose id was derived from a request: 256 bits as text.

        Another signing secret makes another one, and so does another creation: a key that was revoked never comes back, not even when its
        revocation is forgotten and the same request creates a key once more.
        """
        return _derive_key_secret(self._secret, credential_id, created_at)

    def is_key_secret(self, secret: str, credential_id: str, created_at: datetime, now: datetime) -> bool:
        """Whether a signing secret that is accepted now derives this secret of that API key."""
        derived = [_derive_key_secret(each, credential_id, created_at) for each in self._accepted(now)]
        return any(hmac.compare_digest(secret.encode(), each.encode()) for each in derived)

    def read(self, token: str, now: datetime) -> Claims:
        """The claims of an access token of this installation that is not expired; Refused("unauthenticated") for anything else."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verify(token, now)
            if len(self._verified) >= VERIFIED_CACHED_MAX:
                self._verified.pop(next(iter(self._verified)))
            self._verified[token] = claims
        if claims.exp <= now.timestamp():
            raise Refused("unauthenticated", "the access token has expired; log in again")
        return claims

    def _verify(self, token: str, now: datetime) -> Claims:
        refusal: Exception | None = None
        for secret in self._accepted(now):
            try:
                # times are checked by the caller, with the clock it was given
                payload = jwt.decode(token, secret, [ALGORITHM], options={"verify_exp": False, "verify_iat": False, "verify_nbf": False})
                claims = msgspec.convert(payload, Claims)
            except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
                refusal = error
                continue
            if claims.typ != ACCESS:
                raise Refused("unauthenticated", "this is not an access token")
            if secret != self._secret:  # it ends with its secret, also where the claims are remembered
                return msgspec.structs.replace(claims, exp=min(claims.exp, int(self._previous_until_s)))
            return claims
        raise Refused("unauthenticated", REFUSED) from refusal

    def _accepted(self, now: datetime) -> Iterator[str]:
        """The signing secrets that are accepted now."""
        yield self._secret
        if self._previous and now.timestamp() < self._previous_until_s:
            yield self._previous


def check_overlap(auth: AuthSettings, now: datetime) -> None:
    """Raises ConfigurationError when the previous secret would be accepted for longer than 7 days."""
    if auth.previous_secret and _previous_end(auth) - now > OVERLAP_MAX:
        raise ConfigurationError(f"CLAW_AUTH_PREVIOUS_UNTIL: {auth.previous_until} is more than {OVERLAP_MAX.days} days ahead")


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


def _derive_key_secret(signing_secret: str, credential_id: str, created_at: datetime) -> str:
    message = f"api-key:{credential_id}:{created_at.astimezone(UTC).isoformat()}"
    raw = hmac.new(signing_secret.encode(), message.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
