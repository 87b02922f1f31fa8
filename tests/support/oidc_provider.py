"""An identity provider that speaks OpenID Connect: discovery, authorization code with PKCE, tokens, keys that rotate."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote_plus

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

CLIENT_ID, CLIENT_SECRET = "claw-test", "a secret of the client"
Tamper = Callable[[dict[str, Any]], None]


class Provider:
    """``person`` are the claims of whoever logs in. ``tamper`` changes the claims of ID tokens, ``sign`` replaces their signing."""

    def __init__(self) -> None:
        self.issuer = ""
        self.person: dict[str, Any] = {"sub": "1", "email": "ada@example.org", "email_verified": True, "name": "Ada"}
        self.tamper: Tamper = lambda _claims: None
        self.sign: Callable[[dict[str, Any]], str] | None = None
        self.requests: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self.rotate("RS256")

    def rotate(self, algorithm: str) -> None:
        """Sign with a new key from now on; the former one is gone."""
        self.algorithm, self.key_id = algorithm, secrets.token_hex(4)
        self.key: Any = rsa.generate_private_key(65_537, 2_048) if algorithm == "RS256" else ec.generate_private_key(ec.SECP256R1())

    def jwk(self) -> dict[str, Any]:
        """The public key as it is published."""
        algorithms = jwt.get_algorithm_by_name(self.algorithm)
        public: dict[str, Any] = json.loads(algorithms.to_jwk(self.key.public_key()))
        return public | {"kid": self.key_id, "use": "sig", "alg": self.algorithm}

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce, **self.person}
        self.tamper(claims)
        return self.sign(claims) if self.sign else jwt.encode(claims, self.key, self.algorithm, {"kid": self.key_id})

    async def discover(self, _request: web.Request) -> web.Response:
        self.requests.append("discovery")
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
                "response_types_supported": ["code"],
            }
        )

    async def jwks(self, _request: web.Request) -> web.Response:
        self.requests.append("jwks")
        return web.json_response({"keys": [self.jwk()]})

    async def authorize(self, request: web.Request) -> web.Response:
        """The person has logged in and agreed."""
        query = dict(request.query)
        assert (query["response_type"], query["client_id"], query["code_challenge_method"]) == ("code", CLIENT_ID, "S256")
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self._codes[code] = query
        raise web.HTTPFound(f"{query['redirect_uri']}?code={code}&state={query['state']}&iss={self.issuer}")

    async def token(self, request: web.Request) -> web.Response:
        self.requests.append("token")
        form = await request.post()
        basic = base64.b64encode(f"{CLIENT_ID}:{quote_plus(CLIENT_SECRET)}".encode()).decode()
        asked = self._codes.pop(str(form["code"]), None)  # used once
        challenge = base64.urlsafe_b64encode(hashlib.sha256(str(form["code_verifier"]).encode()).digest()).decode().rstrip("=")
        if request.headers.get("authorization") != f"Basic {basic}":
            return web.json_response({"error": "invalid_client"}, status=401)
        if asked is None or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response({"access_token": "x", "token_type": "Bearer", "id_token": self.id_token(asked["nonce"])})


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """Serve until the block ends."""
    running, app = Provider(), web.Application()
    app.add_routes(
        [
            web.get("/.well-known/openid-configuration", running.discover),
            web.get("/jwks", running.jwks),
            web.get("/authorize", running.authorize),
            web.post("/token", running.token),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    running.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield running
    finally:
        await runner.cleanup()
