"""Sessions of pages: tokens in cookies that scripts cannot read, and the checks that keep other pages from using them.

A browser attaches cookies to requests that any page causes. So a request that changes something and rests on a cookie has to carry the CSRF
token of its session, which only a page that can read the API's responses has, and must not come from a foreign origin. A request with an
``Authorization`` header rests on that alone.
"""

from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.types import HTTPScope, Scope, WebSocketScope

from adapters.secrets.session_tokens import SessionTokens
from api.http.cors import ANY, parse_origins
from api.http.envelope import response_headers_of
from domain.accounts.errors import CSRF_FAILED, ORIGIN_REFUSED
from schemas.errors import Refused
from schemas.settings import Settings
from streams.clock import Clock

ACCESS, REFRESH = "claw_access", "claw_refresh"
REFRESH_PATH = "/api/v1/auth"  # the only routes that read the refresh token
CSRF_HEADER = b"x-csrf-token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SECURE_SCHEMES = frozenset({"https", "wss"})
OWN_SITES = frozenset({"same-origin", "none"})  # `none`: a person typed the address
ORIGIN_CHARS_MAX = 200

SameSite = Literal["Lax", "Strict"]


class PageSessions:
    """``CLAW_CORS_ORIGINS`` lists other origins whose pages may use cookies; ``*`` names none of them."""

    def __init__(self, settings: Settings, tokens: SessionTokens, clock: Clock) -> None:
        self._tokens, self._clock = tokens, clock
        self._listed = parse_origins(settings.node.cors_origins) - {ANY}
        self._public_host = urlsplit(settings.node.public_url).netloc.lower()
        self._public_scheme = urlsplit(settings.node.public_url).scheme

    def access_token(self, scope: Scope) -> str:
        """The access token in the request's cookie, or ""."""
        return self.read_cookie(scope, ACCESS)

    def refresh_token(self, scope: Scope) -> str:
        """The refresh token in the request's cookie, or ""."""
        return self.read_cookie(scope, REFRESH)

    def read_cookie(self, scope: Scope, name: str) -> str:
        """The value of the cookie that ``set_cookie`` set under this name; "" when there is none, or several that differ."""
        return _cookie(scope, self._name(scope, name))

    def lists_origin_of(self, url: str) -> bool:
        """Whether the address is of an origin whose pages may use cookies, by its name."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return f"{parts.scheme}://{parts.netloc}".lower() in self._listed

    def set_cookies(self, scope: Scope, *, access_token: str, access_s: int, refresh_token: str, refresh_s: int) -> None:
        """Send both tokens as cookies with the response; they last as many seconds as the tokens do."""
        # Lax: a link from elsewhere leads to a page that is logged in. The refresh token goes with requests of our own pages alone.
        self.set_cookie(scope, ACCESS, access_token, path="/", life_s=access_s, same_site="Lax")
        self.set_cookie(scope, REFRESH, refresh_token, path=REFRESH_PATH, life_s=refresh_s, same_site="Strict")

    def set_cookie(self, scope: Scope, name: str, value: str, *, path: str, life_s: int, same_site: SameSite) -> None:
        """Send a cookie that no script reads with the response; it lasts ``life_s`` seconds, 0 removes it."""
        secure = "; Secure" if self._is_secure(scope) else ""
        cookie = f"{self._name(scope, name)}={value}; Path={path}; Max-Age={life_s}; SameSite={same_site}; HttpOnly{secure}"
        response_headers_of(scope).append((b"set-cookie", cookie.encode("ascii")))

    def clear_cookies(self, scope: Scope) -> None:
        """Let the browser drop both cookies."""
        self.set_cookies(scope, access_token="", access_s=0, refresh_token="", refresh_s=0)

    def csrf_token(self, session_id: str) -> str:
        """What pages of this session send as ``X-CSRF-Token``."""
        return self._tokens.csrf(session_id)

    def check(self, scope: HTTPScope | WebSocketScope, session_id: str) -> None:
        """Raises Refused unless what rests on the cookie of this session comes from a page that may use it."""
        if not session_id:  # nothing else than a login ends up there
            raise Refused("unauthenticated", "only the access token of a session may stand in a cookie")
        if scope["type"] == ScopeType.WEBSOCKET:
            self.check_origin(scope, required=True)
            return
        if scope["method"] in SAFE:
            return
        self.check_origin(scope)
        if not self._tokens.is_csrf(_header(scope, CSRF_HEADER), session_id, self._clock.now()):
            raise Refused(CSRF_FAILED)

    def check_origin(self, scope: HTTPScope | WebSocketScope, *, required: bool = False) -> None:
        """Refused("origin_refused") for a request of a page of a foreign origin; ``required``: also for one that names none."""
        origin, site = _header(scope, b"origin"), _header(scope, b"sec-fetch-site")
        if origin.lower() in self._listed:
            return
        fits = site in OWN_SITES if site else not origin or self._is_own(origin, _header(scope, b"host"))
        if not fits or (required and not origin):
            raise Refused(ORIGIN_REFUSED, f"the request came from a page of {origin[:ORIGIN_CHARS_MAX] or 'an unknown origin'}")

    def _is_own(self, origin: str, host: str) -> bool:
        try:
            of_page = urlsplit(origin.lower()).netloc
        except ValueError:
            return False
        return of_page != "" and of_page in {host.lower(), self._public_host}

    def _is_secure(self, scope: Scope) -> bool:
        """Whether browsers reach the API by TLS, as far as its public URL or the connection says."""
        return (self._public_scheme or str(scope.get("scheme", ""))) in SECURE_SCHEMES

    def _name(self, scope: Scope, name: str) -> str:
        """With TLS a prefix, so that no other host of the domain can set the cookie: ``__Host-`` where the path is ``/``."""
        if not self._is_secure(scope):
            return name
        return f"__Host-{name}" if name == ACCESS else f"__Secure-{name}"


def _cookie(scope: Scope, name: str) -> str:
    """The value of the cookie, "" when there is none, or several that differ: another host of the domain may have set one of them."""
    values = {
        pair.strip()[len(name) + 1 :]
        for header in _headers(scope, b"cookie")
        for pair in header.split(";")
        if pair.strip().startswith(f"{name}=")
    }
    return values.pop() if len(values) == 1 else ""


def _header(scope: Scope, name: bytes) -> str:
    return next(iter(_headers(scope, name)), "")


def _headers(scope: Any, name: bytes) -> Iterable[str]:
    return (value.decode("latin-1") for each, value in scope["headers"] if each == name)
