"""Between routing and handler: authentication, rate limits, authorisation.

Limits are applied after the credential is read (rules by user need it) and before a bad one is refused (so that guessing is limited).
A credential in a header wins over one in a cookie; one in a cookie is subject to the checks of ``api.http.pages``.
A route declares its access in ``opt``; one that declares nothing requires an access token.
"""

from collections.abc import Awaitable, Mapping
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send, WebSocketScope

from api.area import ports_of
from api.core import Core
from api.http.audit_refusals import record_refusal
from api.http.caps import free_held
from api.http.envelope import response_headers_of
from api.http.identity import Caller, KeyMisused
from api.http.ports import HttpPorts
from api.http.problems import deny
from domain.accounts.errors import EMAIL_UNVERIFIED
from schemas.errors import ClawError, Refused

OPEN: dict[str, Any] = {"access": "open"}  # health, metrics, schema: no credential, no limit
PUBLIC: dict[str, Any] = {"access": "public"}  # no credential; limited by address
PERSON: dict[str, Any] = {"access": "person"}  # an access token: API keys cannot manage keys
ANYBODY: dict[str, Any] = {"access": "caller"}  # any valid credential
WIDGET: dict[str, Any] = {"access": "widget"}  # the key of a widget, from a page of its origins; never a cookie
CHAT: dict[str, Any] = {"access": "caller", "scope": "chat"}
KNOWLEDGE_READ: dict[str, Any] = {"access": "caller", "scope": "knowledge:read"}
KNOWLEDGE_WRITE: dict[str, Any] = {"access": "caller", "scope": "knowledge:write"}
WEBHOOKS: dict[str, Any] = {"access": "caller", "scope": "webhooks"}
UNVERIFIED: dict[str, Any] = {"unverified": True}  # also before the account's address is verified, where that is required
OPS: dict[str, Any] = {"access": "caller", "scope": "ops"}
# an account of the role in person, or its key with the scope ops
ADMIN: dict[str, Any] = {"access": "caller", "scope": "ops", "role": "admin"}  # of the tenant
OPERATOR: dict[str, Any] = {"access": "caller", "scope": "ops", "role": "operator"}  # of the installation

COOKIELESS = frozenset({"public", "widget"})
_ADDRESS = "address"  # in the scope's state


class Gate:
    """The innermost middleware; it leaves the Caller in ``scope["user"]``."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise its refusal."""
        if scope["type"] == ScopeType.WEBSOCKET:
            try:
                await admit(scope)
            except ClawError as error:  # the framework would only close; this answers the handshake with a problem
                await deny(scope, send, error)
                return
        elif scope["type"] == ScopeType.HTTP and scope["method"] != "OPTIONS":
            await admit(scope)
        try:
            await self.app(scope, receive, send)
        finally:
            free_held(scope)


async def admit(scope: HTTPScope | WebSocketScope) -> None:
    """Authenticate, limit and authorise a request or a WebSocket's handshake; raises the refusal."""
    opt = scope["route_handler"].opt
    access = opt.get("access", "person")
    if access == "open":
        return
    ports = ports_of(scope["litestar_app"])(HttpPorts)
    authorization, hosts, forwarded_for = _read_headers(scope)
    ports.hosts.check(hosts)
    by_cookie = not authorization and access not in COOKIELESS and (token := ports.pages.access_token(scope)) != ""
    address = ports.limiting.address_of(scope.get("client"), forwarded_for)
    scope["state"][_ADDRESS] = address
    caller, refusal = None, None
    if access != "public":
        if access == "widget":
            identifying = ports.identities.authenticate_widget(authorization, _origins(scope), address)
        else:
            identifying = ports.identities.authenticate(f"Bearer {token}" if by_cookie else authorization, address)
        caller, refusal = await _identify(identifying)
    await enforce_limits(ports, scope, address, caller)
    if refusal is not None:
        if isinstance(refusal, KeyMisused):
            record_refusal(scope, refusal.caller, refusal, address)
        raise refusal
    if caller is not None:
        if not caller.verified and "unverified" not in opt and ports_of(scope["litestar_app"])(Core).settings.auth.needs_verification:
            raise Refused(EMAIL_UNVERIFIED)
        try:
            if by_cookie:
                ports.pages.check(scope, caller.session_id)
            _authorise(opt, caller)
        except Refused as error:
            record_refusal(scope, caller, error, address)
            raise
        scope["user"] = caller


def _authorise(opt: Mapping[str, Any], caller: Caller) -> None:
    """Refused("forbidden") unless the caller's credential, role and scopes are enough for a route of these options."""
    if opt.get("access", "person") == "person" and caller.scopes is not None:
        raise Refused("forbidden", "an API key may not do this; log in")
    if "role" in opt and not caller.has_role(opt["role"]):
        raise Refused("forbidden", f"this needs an account with the role {opt['role']}; yours has the role {caller.role}")
    if "scope" in opt:
        caller.require(opt["scope"])


def address_of(scope: Scope) -> str:
    """The client's address, without trusted proxies; set by the gate."""
    return str(scope["state"][_ADDRESS])


def find_address(scope: Scope) -> str:
    """The client's address; "" on a route that is open to everybody."""
    return str(scope["state"].get(_ADDRESS, ""))


async def enforce_limits(ports: HttpPorts, scope: HTTPScope | WebSocketScope, address: str, caller: Caller | None) -> None:
    """Apply the deny list, the allow list and the rules; the response gets the rate-limit headers of the caller."""
    if ports.limiting.check_access(address, caller):
        return
    decision = await ports.limiting.decide(address, caller, scope["path"], str(scope.get("path_template", "")))
    response_headers_of(scope).extend(
        (name.encode(), value.encode()) for name, value in decision.headers().items() if name != "Retry-After"
    )  # sent with the problem
    if not decision.allowed:
        raise ports.limiting.refusal(decision)


async def _identify(identifying: Awaitable[Caller]) -> tuple[Caller | None, Refused | None]:
    try:
        return await identifying, None
    except Refused as refusal:
        return None, refusal


def _origins(scope: HTTPScope | WebSocketScope) -> tuple[str, ...]:
    """What the origin of the page may be, by the request; none when it names none, or several.

    Browsers send no ``Origin`` with a GET of a page of this very origin, and say so in a header that no page can set either. Whether it
    came by TLS, a proxy in front may be the only one to know.
    """
    headers = scope["headers"]
    origins = tuple(value.decode("latin-1") for name, value in headers if name == b"origin")
    if origins:
        return origins if len(origins) == 1 else ()
    if dict(headers).get(b"sec-fetch-site") != b"same-origin":
        return ()
    host = dict(headers).get(b"host", b"").decode("latin-1").lower()
    return (f"https://{host}", f"http://{host}")


def _read_headers(scope: HTTPScope | WebSocketScope) -> tuple[str, list[str], list[str]]:
    """The Authorization header, and every Host and X-Forwarded-For in order."""
    authorization = ""
    hosts: list[str] = []
    forwarded: list[str] = []
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value.decode("latin-1")
        elif name == b"host":
            hosts.append(value.decode("latin-1"))
        elif name == b"x-forwarded-for":
            forwarded.append(value.decode("latin-1"))
    return authorization, hosts, forwarded
