"""Access tokens: HS256 JSON Web Tokens that name the account, its tenant, role and tier."""

import base64
import hashlib
import hmac
from datetime import datetime

import jwt
import msgspec
from msgspec import Struct

from schemas.errors import ConfigurationError, Refused
from schemas.records import Account, AccountRole, Tier
from schemas.settings import AuthSettings

ALGORITHM = "HS256"
SECRET_BYTES_MIN = 32  # RFC 7518, 3.2: a key as long as the hash
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
    """Issues and reads access tokens. Raises ConfigurationError when the secret is missing or short."""

    def __init__(self, auth: AuthSettings) -> None:
        secret = auth.secret.reveal()
        if len(secret.encode()) < SECRET_BYTES_MIN:
            raise ConfigurationError(
                f"CLAW_AUTH_SECRET has {len(secret.encode())} bytes: at least {SECRET_BYTES_MIN} random ones are needed "
                "(for example `openssl rand -hex 32`)"
            )
        self._secret = secret
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

    def key_secret(self, credential_id: str) -> str:
        """The secret of an API key whose id was derived from a request: 256 bits as text. Another signing secret makes another one."""
        raw = hmac.new(self._secret.encode(), b"api-key:" + credential_id.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def read(self, token: str, now: datetime) -> Claims:
        """The claims of an access token of this installation that is not expired; Refused("unauthenticated") for anything else."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verify(token)
            if len(self._verified) >= VERIFIED_CACHED_MAX:
                self._verified.pop(next(iter(self._verified)))
            self._verified[token] = claims
        if claims.exp <= now.timestamp():
            raise Refused("unauthenticated", "the access token has expired; log in again")
        return claims

    def _verify(self, token: str) -> Claims:
        try:
            # times are checked below, with this object's clock
            payload = jwt.decode(token, self._secret, [ALGORITHM], options={"verify_exp": False, "verify_iat": False, "verify_nbf": False})
            claims = msgspec.convert(payload, Claims)
        except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
            raise Refused("unauthenticated", REFUSED) from error
        if claims.typ != ACCESS:
            raise Refused("unauthenticated", "this is not an access token")
        return claims
