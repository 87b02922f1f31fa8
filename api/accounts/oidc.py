"""Logins at an identity provider: the authorization code flow, from a browser's first request to its session in cookies."""

from http import HTTPStatus
from typing import Annotated, Any

from litestar import Response, Router, get
from litestar.params import FromPath, QueryParameter
from msgspec.structs import replace

from adapters.oidc.attempts import LIFE_S, LoginAttempt
from adapters.oidc.client import IdClaims
from api.accounts.account_writes import write_account
from api.accounts.joining import allows_domain
from api.accounts.ports import AccountPorts
from api.accounts.session_writes import open_session, set_cookies
from api.http.audit import audit_event
from api.http.gate import PUBLIC, address_of
from api.http.identity import caller_of
from api.http.openapi import PROBLEMS
from api.http.problems import problem_response, to_problem
from api.http.request import ApiRequest
from api.http.responses import invalid_field
from domain.accounts.errors import EMAIL_DOMAIN_REFUSED, OIDC_EMAIL_MISSING, OIDC_EMAIL_TAKEN, OIDC_STATE_INVALID
from domain.accounts.identities import IDENTITIES, identity_id, role_of
from domain.accounts.organisations import organisation_lease
from domain.accounts.records import email_scope, find_account, find_password
from domain.accounts.registration import new_account
from domain.accounts.topics import IDENTITIES_CHANGED
from domain.limits.rules import network_of
from schemas import ids
from schemas.bodies.auth import LoginProvider
from schemas.bodies.pages import Page
from schemas.errors import Refused
from schemas.identities import IdentityChanged, OidcIdentity
from schemas.limits import Rule
from schemas.records import Account
from streams.log.outgoing import Outgoing

PATH = "/api/v1/auth/oidc"
OIDC = Rule(name="oidc", rate=30, burst=60, scope="address")  # each asks the provider

ReturnTo = Annotated[
    str,
    QueryParameter(
        max_length=1_000, description="Where the browser goes afterwards: a path, or an address of an origin in CLAW_CORS_ORIGINS."
    ),
]
State = Annotated[str, QueryParameter(name="state", max_length=4_000, description="As this browser was sent to the identity provider.")]
Text = Annotated[str, QueryParameter(max_length=4_000, description="As the identity provider sends it.")]


def land_at_sign_in(request: ApiRequest, error: Exception) -> Response[Any]:
    """A browser that is refused goes to the sign-in page, which has a sentence for the code; other clients get the problem."""
    if "text/html" not in request.headers.get("accept", ""):
        return problem_response(request, error)
    code = to_problem(request.scope, error).code
    return Response(None, status_code=HTTPStatus.SEE_OTHER, headers={"Location": f"/sign-in?problem={code}"})


LANDING: dict[int | type[Exception], Any] = {Exception: land_at_sign_in}


@get("/auth/oidc", opt=PUBLIC, responses=PROBLEMS, security=[{}], summary="List the identity providers")
async def providers(request: ApiRequest) -> Page[LoginProvider]:
    """Where people may log in elsewhere; none when no identity provider is set up. Begin at ``/auth/oidc/{name}``."""
    oidc = request.ports(AccountPorts).oidc.settings
    known = [LoginProvider(name=oidc.provider, title=oidc.title or oidc.provider)] if oidc.provider else []
    return Page(items=tuple(known))


@get(
    "/auth/oidc/{provider:str}",
    opt=PUBLIC,
    responses=PROBLEMS,
    security=[{}],
    status_code=HTTPStatus.SEE_OTHER,
    exception_handlers=LANDING,
    summary="Log in elsewhere",
)
async def begin(request: ApiRequest, provider: FromPath[str], return_to: ReturnTo = "/") -> Response[None]:
    """Sends the browser to the identity provider. It comes back to the callback, and goes on to ``return_to`` with a session in cookies."""
    ports = request.ports(AccountPorts)
    client = ports.oidc.client(provider)
    _check_return(request, return_to)
    await ports.http.limiting.spend([(OIDC, network_of(address_of(request.scope)))])
    attempt = ports.oidc.attempts.begin(return_to, ports.core.clock.now())
    url = await client.authorization_url(
        redirect_uri=_redirect_uri(request, provider),
        scopes=ports.oidc.settings.scopes,
        state=attempt.state,
        nonce=attempt.nonce,
        challenge=attempt.challenge,
    )
    ports.http.pages.set_cookie(
        request.scope, _cookie_name(attempt.state), ports.oidc.attempts.seal(attempt), path=PATH, life_s=LIFE_S, same_site="Lax"
    )
    return Response(None, status_code=HTTPStatus.SEE_OTHER, headers={"Location": url})


@get(
    "/auth/oidc/{provider:str}/callback",
    opt=PUBLIC,
    responses=PROBLEMS,
    security=[{}],
    status_code=HTTPStatus.SEE_OTHER,
    exception_handlers=LANDING,
    summary="Come back from a login elsewhere",
)
async def callback(
    request: ApiRequest, provider: FromPath[str], begun: State = "", code: Text = "", error: Text = "", iss: Text = ""
) -> Response[None]:
    """Where the identity provider sends the browser back to."""
    ports = request.ports(AccountPorts)
    client = ports.oidc.client(provider)
    await ports.http.limiting.spend([(OIDC, network_of(address_of(request.scope)))])
    attempt = _take_attempt(request, ports, begun)
    if error or not code or (iss and iss != ports.oidc.settings.issuer):  # RFC 9207: the answer of another provider
        raise Refused("oidc_refused", f"the identity provider refused the login: {error[:100]}" if error else "")
    claims = await client.redeem(
        code,
        redirect_uri=_redirect_uri(request, provider),
        verifier=attempt.verifier,
        nonce=attempt.nonce,
        now=ports.core.clock.now(),
    )
    account = await _find_or_create(request, ports, claims)
    session = await open_session(request, account, "cookie", await find_password(ports.core.read_models, account.id))
    set_cookies(request, account, session)
    return Response(None, status_code=HTTPStatus.SEE_OTHER, headers={"Location": attempt.return_to})


def _take_attempt(request: ApiRequest, ports: AccountPorts, state: str) -> LoginAttempt:
    """What this browser began with this state; its cookie is of no use any more. Raises Refused("oidc_state_invalid")."""
    name = _cookie_name(state)
    attempt = ports.oidc.attempts.read(ports.http.pages.read_cookie(request.scope, name), state, ports.core.clock.now())
    if attempt is None:
        raise Refused(OIDC_STATE_INVALID)
    ports.http.pages.set_cookie(request.scope, name, "", path=PATH, life_s=0, same_site="Lax")
    return attempt


async def _find_or_create(request: ApiRequest, ports: AccountPorts, claims: IdClaims) -> Account:
    """The account of this person, with the role that the groups give. Raises the refusal."""
    issuer = ports.oidc.settings.issuer
    known = identity_id(issuer, claims.sub)
    async with ports.core.records.lease(f"identity/{known}"):
        identity = await ports.core.read_models.of(IDENTITIES).get(known, known)
        if identity is None:
            return await _create(request, ports, claims, known)
        account = await ports.core.read_models.accounts.get(identity.account_id, identity.account_id)
    if account is None or account.disabled:
        raise Refused("unauthenticated", "this account is not active")
    return await _follow_groups(request, ports, account, claims)


async def _create(request: ApiRequest, ports: AccountPorts, claims: IdClaims, known: str) -> Account:
    core, settings = ports.core, ports.oidc.settings
    if not claims.email:
        raise Refused(OIDC_EMAIL_MISSING)
    if core.settings.auth.registration != "open":  # the provider says who a person is, not that they may have an account
        if not settings.tenant:
            raise Refused("registration_closed")
    elif not allows_domain(core.settings.auth, claims.email):
        raise Refused(EMAIL_DOMAIN_REFUSED)
    async with core.records.lease(f"email/{email_scope(claims.email)}"):
        if await find_account(core.read_models, claims.email) is not None:
            raise Refused(OIDC_EMAIL_TAKEN)
        now, account_id = core.clock.now(), ids.derive("oidc-account", known)
        made = new_account(
            account_id,
            email=claims.email,
            name=claims.name,
            password_hash="",
            now=now,
            role=role_of(claims.groups, ports.oidc.roles),
            tenant=settings.tenant,
            own_base=True,
            verified_at=now if claims.email_verified else None,
        )
        account = made.account
        caller = caller_of(account)
        identity = OidcIdentity(
            id=known, tenant=account.tenant, account_id=account.id, issuer=settings.issuer, subject=claims.sub, created_at=now
        )
        changes = [
            Outgoing(topic, await request.event(kind, record.id, record, caller))
            for topic, kind, record in made.changes()
            if record is not made.password  # without one nobody logs in here with any
        ]
        event: Any = await request.event(IdentityChanged, identity.id, identity, caller)
        entry = await audit_event(request, "account.create", caller=caller, target=account.id, detail={"issuer": settings.issuer})
        await core.records.change(*changes, Outgoing(IDENTITIES_CHANGED, event), entry)
    return account


async def _follow_groups(request: ApiRequest, ports: AccountPorts, account: Account, claims: IdClaims) -> Account:
    """The account with the role of the groups, where groups have roles."""
    if not ports.oidc.roles or (role := role_of(claims.groups, ports.oidc.roles)) == account.role:
        return account
    async with ports.core.records.lease(organisation_lease(account.tenant)):
        present = await ports.core.read_models.accounts.get(account.id, account.id)
        if present is None or present.disabled:
            raise Refused("unauthenticated", "this account is not active")
        changed, detail = replace(present, role=role, revision=present.revision + 1), {"role": f"{present.role} -> {role}"}
        await write_account(request, changed, "account.change", caller=caller_of(present), detail=detail)
    return changed


def _check_return(request: ApiRequest, return_to: str) -> None:
    """Raises Refused for an address that is neither a path here nor of a listed origin: nobody is led elsewhere from a login."""
    is_path = return_to.startswith("/") and not return_to.startswith(("//", "/\\"))
    if not return_to.isascii() or not return_to.isprintable() or not (is_path or request.http.pages.lists_origin_of(return_to)):
        raise invalid_field("query.return_to", "leads elsewhere", "a path, or an address of an origin in CLAW_CORS_ORIGINS")


def _redirect_uri(request: ApiRequest, provider: str) -> str:
    return f"{request.public_url}{PATH}/{provider}/callback"


def _cookie_name(state: str) -> str:
    """One for each attempt, so that two tabs do not disturb each other."""
    return "claw_oidc_" + "".join(sign for sign in state[:12] if sign.isalnum() or sign in "-_")


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[providers, begin, callback], tags=["auth"])
