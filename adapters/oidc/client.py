"""The client of one identity provider: discovery, the authorization code flow with PKCE, and the check of ID tokens.

What the provider publishes (its metadata and keys) is fetched when it is needed and kept for an hour; a token with an unknown key makes the
keys be fetched again, at most every half minute. Every answer is bounded in time and size, and no redirect is followed.
"""

import asyncio
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
import jwt
import msgspec
from msgspec import Struct

from schemas.errors import ConfigurationError, Refused, Unavailable

ALGORITHMS = ("RS256", "ES256")  # never a symmetric one, whose key would be a secret that clients share
KEPT_S = 3_600.0
KEYS_AGAIN_S = 30.0
ANSWER_BYTES_MAX = 262_144
LEEWAY_S = 60  # between the clocks of the provider and of this machine
ID_TOKEN_CHARS_MAX = 16_384

T = TypeVar("T")


class ProviderMetadata(Struct, frozen=True):
    """What is used of a provider's discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class IdClaims(Struct, frozen=True):
    """Claims of a valid ID token. ``groups`` are those of the claim that was asked for."""

    sub: str
    email: str = ""
    email_verified: bool = False
    name: str = ""
    groups: tuple[str, ...] = ()


class _Jwks(Struct, frozen=True):
    keys: tuple[dict[str, Any], ...]


class _Tokens(Struct, frozen=True):
    id_token: str


class OidcClient:
    """One per process, between start() and stop(); ``monotonic_s`` is a clock for durations.

    Raises ConfigurationError for an issuer without TLS that is not on this machine.
    """

    def __init__(
        self, issuer: str, client_id: str, client_secret: str, *, timeout_s: float, groups_claim: str, monotonic_s: Callable[[], float]
    ) -> None:
        check_issuer(issuer)
        self._issuer, self._client_id, self._client_secret = issuer, client_id, client_secret
        self._timeout_s, self._groups_claim, self._monotonic_s = timeout_s, groups_claim, monotonic_s
        self._session: aiohttp.ClientSession | None = None
        self._metadata: tuple[float, ProviderMetadata] | None = None
        self._keys: tuple[float, jwt.PyJWKSet] | None = None
        self._fetching = asyncio.Lock()  # one request for what all logins need

    async def start(self) -> None:
        """Open the session; connects to nothing."""
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), headers={"Accept": "application/json"})

    async def stop(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def authorization_url(self, *, redirect_uri: str, scopes: str, state: str, nonce: str, challenge: str) -> str:
        """Where the person logs in. Raises Unavailable("oidc_unavailable")."""
        endpoint = (await self._find_metadata()).authorization_endpoint
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"

    async def redeem(self, code: str, *, redirect_uri: str, verifier: str, nonce: str, now: datetime) -> IdClaims:
        """Who logged in. Raises Refused("oidc_refused") for a code or a token that is not valid, Unavailable("oidc_unavailable")."""
        metadata = await self._find_metadata()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        headers: dict[str, str] = {}
        if not self._client_secret or "client_secret_basic" not in metadata.token_endpoint_auth_methods_supported:
            form |= {"client_id": self._client_id} | ({"client_secret": self._client_secret} if self._client_secret else {})
        else:
            # RFC 6749, 2.3.1: both encoded like a form before they are joined
            headers["Authorization"] = aiohttp.encode_basic_auth(quote_plus(self._client_id), quote_plus(self._client_secret))
        tokens = await self._request(_Tokens, "POST", metadata.token_endpoint, data=form, headers=headers)
        return await self.read_id_token(tokens.id_token, nonce=nonce, now=now)

    async def read_id_token(self, token: str, *, nonce: str, now: datetime) -> IdClaims:
        """The claims of an ID token that this provider signed for this client and this attempt, and that is not expired."""
        try:
            header = jwt.get_unverified_header(token) if len(token) <= ID_TOKEN_CHARS_MAX else {}
            if header.get("alg") not in ALGORITHMS:
                raise _refusal("its algorithm is not accepted")
            key = await self._find_key(str(header.get("kid", "")))
            payload = jwt.decode(
                token,
                key.key,
                [str(header["alg"])],
                audience=self._client_id,
                issuer=self._issuer,
                # times are checked below, with the clock that is given
                options={"require": ["exp", "iat", "sub", "nonce"], "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            self._check_claims(payload, nonce, now)
            return _claims(payload, self._groups_claim)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, TypeError) as error:
            raise _refusal(type(error).__name__) from error

    def _check_claims(self, payload: Mapping[str, Any], nonce: str, now: datetime) -> None:
        now_s = now.timestamp()
        if float(payload["exp"]) + LEEWAY_S <= now_s or float(payload["iat"]) - LEEWAY_S > now_s:
            raise _refusal("it is not valid now")
        if not hmac.compare_digest(str(payload["nonce"]).encode(), nonce.encode()):
            raise _refusal("it belongs to another login")
        audience = payload["aud"]
        if isinstance(audience, list) and len(audience) > 1 and payload.get("azp") != self._client_id:
            raise _refusal("it was issued to another client")

    async def _find_metadata(self) -> ProviderMetadata:
        async with self._fetching:
            if self._metadata is None or self._monotonic_s() - self._metadata[0] >= KEPT_S:
                url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
                found = await self._request(ProviderMetadata, "GET", url)
                if found.issuer != self._issuer:  # OpenID Connect Discovery, 4.3
                    raise Unavailable("oidc_unavailable", "the identity provider says that it is another issuer")
                for each in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                    check_issuer(each)
                self._metadata = (self._monotonic_s(), found)
            return self._metadata[1]

    async def _find_key(self, key_id: str) -> jwt.PyJWK:
        metadata = await self._find_metadata()
        async with self._fetching:
            age_s = KEPT_S if self._keys is None else self._monotonic_s() - self._keys[0]
            found = _pick_key(self._keys[1], key_id) if self._keys is not None and age_s < KEPT_S else None
            if found is None and age_s >= KEYS_AGAIN_S:
                jwks = await self._request(_Jwks, "GET", metadata.jwks_uri)
                self._keys = (self._monotonic_s(), jwt.PyJWKSet.from_dict({"keys": list(jwks.keys)}))
                found = _pick_key(self._keys[1], key_id)
        if found is None:
            raise _refusal("its key is unknown")
        return found

    async def _request(self, kind: type[T], method: str, url: str, **rest: Any) -> T:
        """The answer as a struct. Raises Refused("oidc_refused") for a refusal, Unavailable("oidc_unavailable") for anything else."""
        assert self._session is not None, "start() first"
        try:
            async with asyncio.timeout(self._timeout_s), self._session.request(method, url, allow_redirects=False, **rest) as answer:
                body = await answer.content.read(ANSWER_BYTES_MAX + 1)
                while len(body) <= ANSWER_BYTES_MAX and (piece := await answer.content.read(ANSWER_BYTES_MAX)):
                    body += piece
                if answer.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and method == "POST":
                    raise _refusal(f"the identity provider answered {answer.status}")
                if answer.status != HTTPStatus.OK or len(body) > ANSWER_BYTES_MAX:
                    raise Unavailable("oidc_unavailable", f"the identity provider answered {answer.status}")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable("oidc_unavailable", f"the identity provider did not answer: {type(error).__name__}") from error
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unavailable("oidc_unavailable", "the identity provider answered with something else than its protocol") from error


def check_issuer(url: str) -> None:
    """Raises ConfigurationError for an address without TLS, unless it is on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise ConfigurationError(f"CLAW_OIDC_ISSUER: {url[:200]!r} is no URL") from None
    if parts.scheme == "https" and host:
        return
    if parts.scheme != "http" or not _is_loopback(host):
        raise ConfigurationError(f"CLAW_OIDC_ISSUER: {url[:200]!r} has no TLS: an identity provider is reached by https")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _pick_key(keys: jwt.PyJWKSet, key_id: str) -> jwt.PyJWK | None:
    """The key for signatures of this id; without an id the only one."""
    usable = [key for key in keys.keys if key.public_key_use in {None, "sig"} and (not key_id or key.key_id == key_id)]
    return usable[0] if len(usable) == 1 or (usable and key_id) else None


def _claims(payload: Mapping[str, Any], groups_claim: str) -> IdClaims:
    groups = payload.get(groups_claim, ())
    return IdClaims(
        sub=str(payload["sub"]),
        email=str(payload.get("email", "")),
        email_verified=payload.get("email_verified") is True,
        name=str(payload.get("name", ""))[:100],
        groups=tuple(map(str, groups)) if isinstance(groups, list) else (),
    )


def _refusal(why: str) -> Refused:
    return Refused("oidc_refused", f"the login at the identity provider is not valid: {why}")
