"""The client against a provider on a real socket: what is accepted, and every token that is not."""

import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.oidc.client import KEPT_S, KEYS_AGAIN_S, IdClaims, OidcClient, check_issuer
from adapters.secrets.signing import url_text
from schemas.errors import ConfigurationError, Refused, Unavailable
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, provider

pytestmark = pytest.mark.asyncio
BACK = "https://claw.example.org/api/v1/auth/oidc/test/callback"
VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class Clock:
    def __init__(self) -> None:
        self.at_s = 1_000.0

    def __call__(self) -> float:
        return self.at_s


@asynccontextmanager
async def client(issuer: str, clock: Clock | None = None, secret: str = CLIENT_SECRET) -> AsyncIterator[OidcClient]:
    made = OidcClient(issuer, CLIENT_ID, secret, timeout_s=2, groups_claim="roles", monotonic_s=clock or Clock())
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def consent(made: OidcClient) -> str:
    """What the browser does at the provider; the code it comes back with."""
    url = await made.authorization_url(redirect_uri=BACK, scopes="openid email", state="st", nonce="n", challenge=CHALLENGE)
    async with aiohttp.ClientSession() as browser, browser.get(url, allow_redirects=False) as answer:
        query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["state"] == ["st"]
    return query["code"][0]


async def redeem(made: OidcClient, code: str, verifier: str = VERIFIER, nonce: str = "n") -> IdClaims:
    return await made.redeem(code, redirect_uri=BACK, verifier=verifier, nonce=nonce, now=datetime.now(UTC))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_login(algorithm: str):
    """Its metadata and keys are fetched once; the code is used once, by whoever has the verifier."""
    async with provider() as there, client(there.issuer) as made:
        there.rotate(algorithm)
        there.person = {"sub": "7", "email": "ada@example.org", "email_verified": True, "name": "Ada", "roles": ["staff", "sre"]}
        code = await consent(made)
        claims = await redeem(made, code)
        assert claims == IdClaims("7", "ada@example.org", email_verified=True, name="Ada", groups=("staff", "sre"))
        with pytest.raises(Refused):
            await redeem(made, code)
        with pytest.raises(Refused):
            await redeem(made, await consent(made), verifier="another verifier, of somebody who only saw the code")
        await redeem(made, await consent(made))
        assert (there.requests.count("discovery"), there.requests.count("jwks")) == (1, 1)
    async with provider() as there, client(there.issuer, secret="another") as made:
        with pytest.raises(Refused, match="answered 401"):
            await redeem(made, await consent(made))


def claim(name: str, value: Any) -> Callable[[Provider], None]:
    def change(there: Provider) -> None:
        there.tamper = lambda claims: claims.update({name: value() if callable(value) else value})

    return change


def without(name: str) -> Callable[[Provider], None]:
    def change(there: Provider) -> None:
        there.tamper = lambda claims: claims.pop(name)

    return change


def signed(sign: Callable[[Provider, dict[str, Any]], str]) -> Callable[[Provider], None]:
    def change(there: Provider) -> None:
        there.sign = lambda claims: sign(there, claims)

    return change


def with_public_key_as_secret(there: Provider, claims: dict[str, Any]) -> str:
    """The confusion of algorithms: HS256 whose secret is what everybody knows."""
    public = there.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT", "kid": there.key_id}, claims)]
    signed_part = ".".join(url_text(part) for part in parts)
    return f"{signed_part}.{url_text(hmac.digest(public, signed_part.encode(), 'sha256'))}"


@pytest.mark.parametrize(
    "attack",
    [
        claim("iss", "https://another.example"),
        claim("aud", "another client"),
        claim("aud", [CLIENT_ID, "another client"]),
        claim("nonce", "of another login"),
        claim("exp", lambda: int(time.time()) - 120),
        claim("exp", "never"),
        claim("iat", lambda: int(time.time()) + 600),
        without("exp"),
        without("nonce"),
        without("sub"),
        signed(lambda _there, claims: jwt.encode(claims, "", "none")),
        signed(with_public_key_as_secret),
        signed(lambda there, claims: jwt.encode(claims, there.key, "RS512", {"kid": there.key_id})),
        signed(lambda there, claims: jwt.encode(claims, Provider().key, "RS256", {"kid": there.key_id})),
        signed(lambda there, claims: jwt.encode(claims, there.key, "RS256", {"kid": "unknown"})),
        signed(lambda _there, _claims: "no token"),
        signed(lambda _there, _claims: "x" * 20_000),
    ],
)
async def test_id_tokens_that_are_not_valid(attack: Callable[[Provider], None]):
    async with provider() as there, client(there.issuer) as made:
        attack(there)
        with pytest.raises(Refused) as refusal:
            await redeem(made, await consent(made))
        assert refusal.value.code == "oidc_refused"


async def test_keys_that_were_rotated_are_fetched_again_at_most_every_half_minute():
    clock = Clock()
    async with provider() as there, client(there.issuer, clock) as made:
        await redeem(made, await consent(made))
        there.rotate("ES256")
        with pytest.raises(Refused, match="key is unknown"):
            await redeem(made, await consent(made))
        clock.at_s += KEYS_AGAIN_S
        await redeem(made, await consent(made))
        assert there.requests.count("jwks") == 2
        clock.at_s += KEPT_S
        await redeem(made, await consent(made))
        assert (there.requests.count("discovery"), there.requests.count("jwks")) == (2, 3)


async def test_a_provider_that_is_away_or_is_none():
    async with provider() as there, client(there.issuer + "/") as made:
        with pytest.raises(Unavailable, match="another issuer"):
            await consent(made)
        issuer = there.issuer
    async with client(issuer) as made:
        with pytest.raises(Unavailable):
            await consent(made)
        with pytest.raises(Refused, match="algorithm"):
            await made.read_id_token("x" * 17_000, nonce="n", now=datetime.now(UTC) + timedelta(hours=1))


@pytest.mark.parametrize("url", ["http://issuer.example", "ftp://localhost", "https://", "", "http://[oops"])
async def test_an_issuer_has_tls(url: str):
    with pytest.raises(ConfigurationError, match="CLAW_OIDC_ISSUER"):
        check_issuer(url)
    check_issuer("https://issuer.example/realms/one")
