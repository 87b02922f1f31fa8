"""Accounts and sessions. Registering creates an account with a tenant and a default knowledge base of its own.

A login takes the same time and has the same response whether the e-mail is known or not.
"""

from http import HTTPStatus

import msgspec
from litestar import Response, Router, get, post
from litestar.params import JSONBody

from api.accounts.joining import check_registration, create_account, hold_invitation
from api.accounts.passwords import check_strength
from api.accounts.ports import AccountPorts
from api.accounts.session_writes import open_session, session_kind, session_response, user_view
from api.accounts.verification import verification_mail
from api.http.audit import record_audit
from api.http.gate import ANYBODY, PUBLIC, UNVERIFIED, address_of
from api.http.late_repeats import ANSWERED, RUNS_AGAIN
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import etag, json_response
from domain.accounts.records import email_scope, find_account, find_password
from domain.limits.rules import network_of
from schemas import ids
from schemas.bodies.auth import Login, PageSession, Register, Session, User
from schemas.errors import Refused
from schemas.limits import Rule
from schemas.records import Account, Credential
from schemas.sessions import SessionKind

# Guessing a password is slow from one network, and bounded from many. Where the owner logged in before, only what comes from there counts:
# guessing from elsewhere locks nobody out. Registering costs a hash and permanent records.
LOGIN_PER_ADDRESS = Rule(name="login", rate=10, burst=10, scope="address")
LOGIN_PER_EMAIL = Rule(name="login_email", rate=30, burst=60, scope="user")
REGISTER = Rule(name="register", rate=20, burst=40, scope="address")

Owner = tuple[Account, Credential | None]  # with the password that proved it


@post("/auth/register", opt=PUBLIC | ANSWERED, responses=PROBLEMS, security=[{}], summary="Register")
async def register(request: ApiRequest, data: JSONBody[Register]) -> Response[Session | PageSession]:
    """A new account with a session. A repeat with the same ``Idempotency-Key`` and body returns the same session. Where registration is by
    invitation, ``invitation`` is required; where it is closed, ``403 registration_closed``. An invitation to an organisation makes the
    account a member of it, wherever registration stands. An invitation is used up.
    """
    ports, kind = request.ports(AccountPorts), session_kind(request, cookie=data.cookie)
    await ports.http.limiting.spend([(REGISTER, network_of(address_of(request.scope)))])
    scope = email_scope(data.email)
    request.replace_body(msgspec.json.encode((scope, data.name)))  # what ids are derived from: never the password
    account_id = await request.new_id("account", user=scope)
    if request.idempotency_key is not None and (earlier := await _find_registered(request, data, account_id)) is not None:
        return await _registration_response(request, kind, *earlier)
    invitation = await check_registration(request, data)
    await check_strength(request, data.password, data.email, data.name)
    password_hash = await ports.passwords.hash(data.password)  # before the lease: it takes longer than the work under the lease
    async with hold_invitation(ports, invitation), ports.core.records.lease(f"email/{scope}"):
        present = await find_account(ports.core.read_models, data.email)
        if present is None:
            account = await create_account(request, data, account_id, password_hash, invitation)
            if ports.core.settings.auth.needs_verification and account.verified_at is None:
                await ports.core.publisher.publish(await verification_mail(request, account))
            owner: Owner | None = (account, await find_password(ports.core.read_models, account.id))
        else:
            owner = await _find_registered(request, data, account_id)
    if owner is None:
        raise Refused("email_taken")
    return await _registration_response(request, kind, *owner)


@post("/auth/login", opt=PUBLIC | RUNS_AGAIN, responses=PROBLEMS, security=[{}], status_code=HTTPStatus.OK, summary="Log in")
async def login(request: ApiRequest, data: JSONBody[Login]) -> Response[Session | PageSession]:
    """A new session; ``401 login_failed`` for an unknown e-mail, a wrong password and a disabled account alike."""
    ports, scope, kind = request.ports(AccountPorts), email_scope(data.email), session_kind(request, cookie=data.cookie)
    network, now_s = network_of(address_of(request.scope)), int(ports.core.clock.now().timestamp())
    rules = [(LOGIN_PER_ADDRESS, f"{scope}/{network}")]
    if not await ports.known_networks.has(scope, network, now_s):
        rules.append((LOGIN_PER_EMAIL, scope))
    await ports.http.limiting.spend(rules)
    account = await find_account(ports.core.read_models, data.email)
    password = await _verify_password(request, account, data.password)
    if account is None or account.disabled or password is None:
        ports.core.metrics.logins.labels("refused").inc()
        tenant, target = (account.tenant, account.id) if account is not None else ("", "")
        await record_audit(request, "session.create", outcome="refused", tenant=tenant, target=target)
        raise Refused("login_failed")
    ports.core.metrics.logins.labels("accepted").inc()
    await ports.known_networks.add(scope, network, now_s)
    return session_response(request, account, await open_session(request, account, kind, password))


@get("/users/me", opt=ANYBODY | UNVERIFIED, responses=PROBLEMS, summary="Get your account")
async def me(request: ApiRequest) -> Response[User]:
    """The account that the credential belongs to, with its ETag."""
    account = await request.core.read_models.accounts.get(request.user.account_id, request.user.account_id)
    request.core.count_table_lookup(request.user.tenant, "user_profile", found=account is not None)
    if account is None:
        raise Refused("not_found")
    return json_response(user_view(account), headers={"ETag": etag(account.revision)})


async def _find_registered(request: ApiRequest, data: Register, account_id: str) -> Owner | None:
    """The account that the same request created before, whatever the settings require of new ones since; and its password."""
    present = await find_account(request.core.read_models, data.email)
    if present is None or present.id != account_id:
        return None
    password = await _verify_password(request, present, data.password)
    return None if password is None else (present, password)


async def _registration_response(
    request: ApiRequest, kind: SessionKind, account: Account, password: Credential | None
) -> Response[Session | PageSession]:
    session = await open_session(request, account, kind, password)
    return session_response(request, account, session, HTTPStatus.CREATED, {"Location": "/api/v1/users/me"})


async def _verify_password(request: ApiRequest, account: Account | None, password: str) -> Credential | None:
    """The account's password if it is this one; without an account or a password this takes as long and is None."""
    ports = request.ports(AccountPorts)
    # also for an unknown account: a response one round trip earlier would reveal that the address is unknown
    account_id = account.id if account is not None else ids.random_id(ports.core.random_bytes)
    credential = await find_password(ports.core.read_models, account_id)
    matches = await ports.passwords.matches(password, credential.secret_hash if credential is not None else None)
    return credential if matches else None


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[register, login, me], tags=["auth"])
