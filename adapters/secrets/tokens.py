"""Access tokens: HS256 JSON Web Tokens that name the account, its tenant, role and tier; and the secrets of API keys that are derived.

When the signing secret is rotated, what the previous one signed may stay valid for a while, with an end of its own.
"""

import hashlib
import hmac
from datetime import UTC, datetime

import jwt
import msgspec
from msgspec import Struct

from adapters.secrets.signing import SigningSecrets, url_text
from schemas.errors import Refused
from schemas.records import Account, AccountRole, Tier
from schemas.sessions import SessionRecord
from schemas.settings import AuthSettings

ALGORITHM = "HS256"
ACCESS = "access"
REFUSED = "the access token is not valid; log in again"


class Claims(Struct, frozen=True, kw_only=True):
    """The claims of an access token; ``exp`` and ``iat`` are seconds since 1970. ``typ`` keeps other tokens from passing as one.

    ``sid``: the session; "" in tokens of releases without sessions.
    """

    sub: str
    tenant: str
    role: AccountRole
    tier: Tier
    typ: str
    iat: int
    exp: int
    sid: str = ""


VERIFIED_CACHED_MAX = 4_096  # about 3 MB


class AccessTokens:
    """Issues and reads access tokens. Raises ConfigurationError like ``SigningSecrets``."""

    def __init__(self, auth: AuthSettings) -> None:
        self._secrets = SigningSecrets(auth)
        self._verified: dict[str, Claims] = {}  # tokens whose signature was verified
        self._ttl_s = auth.access_token_ttl_s

    def issue(self, account: Account, now: datetime, session: SessionRecord | None = None) -> tuple[str, int]:
        """A token for ``account`` and its life in seconds, which does not outlast its session."""
        issued_at = int(now.timestamp())
        life_s = self._ttl_s if session is None else max(1, min(self._ttl_s, int(session.expires_at.timestamp()) - issued_at))
        claims = {
            "sub": account.id,
            "tenant": account.tenant,
            "role": account.role,
            "tier": account.tier,
            "typ": ACCESS,
            "iat": issued_at,
            "exp": issued_at + life_s,
        }
        if session is not None:
            claims["sid"] = session.id
        return jwt.encode(claims, self._secrets.current, ALGORITHM), life_s

    def key_secret(self, credential_id: str, created_at: datetime) -> str:
        """The secret of an API key whose id was derived from a request: 256 bits as text.

        Another signing secret makes another one, and so does another creation: a key that was revoked never comes back, not even when its
        revocation is forgotten and the same request creates a key once more.
        """
        return _derive_key_secret(self._secrets.current, credential_id, created_at)

    def is_key_secret(self, secret: str, credential_id: str, created_at: datetime, now: datetime) -> bool:
        """Whether a signing secret that is accepted now derives this secret of that API key."""
        derived = [_derive_key_secret(each, credential_id, created_at) for each in self._secrets.accepted(now)]
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
        for secret in self._secrets.accepted(now):
            try:
                # times are checked by the caller, with the clock it was given
                payload = jwt.decode(token, secret, [ALGORITHM], options={"verify_exp": False, "verify_iat": False, "verify_nbf": False})
                claims = msgspec.convert(payload, Claims)
            except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
                refusal = error
                continue
            if claims.typ != ACCESS:
                raise Refused("unauthenticated", "this is not an access token")
            if secret != self._secrets.current:  # it ends with its secret, also where the claims are remembered
                return msgspec.structs.replace(claims, exp=min(claims.exp, int(self._secrets.previous_until_s)))
            return claims
        raise Refused("unauthenticated", REFUSED) from refusal


def _derive_key_secret(signing_secret: str, credential_id: str, created_at: datetime) -> str:
    message = f"api-key:{credential_id}:{created_at.astimezone(UTC).isoformat()}"
    raw = hmac.new(signing_secret.encode(), message.encode(), hashlib.sha256).digest()
    return url_text(raw)
