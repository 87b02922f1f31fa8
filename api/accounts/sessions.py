"""Accounts and sessions. Registering creates an account with a tenant and a default knowledge base of its own.

A login takes the same time and has the same response whether the e-mail is known or not.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import msgspec
from litestar import Response, Router, get, post
from litestar.params import JSONBody

from api.accounts.ports import AccountPorts
from api.http.gate import ANYBODY, PUBLIC, address_of
from api.http.identity import Caller
from api.http.late_repeats import ANSWERED, RUNS_AGAIN
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import invalid_field, json_response
from domain.accounts.invitations import invitation_lease, use_invitation
from domain.accounts.records import email_scope, find_account, find_password
from domain.accounts.registration import new_account
from domain.accounts.topics import INVITATIONS_CHANGED
from domain.limits.rules import network_of
from schemas import ids
from schemas.bodies.auth import Login, Register, Session, User
from schemas.errors import Refused
from schemas.limits import Rule
from schemas.records import Account, InvitationChanged
from streams.log.outgoing import Outgoing

# Guessing a password is slow from one network, and bounded from many. Where the owner logged in before, only what comes from there counts:
# guessing from elsewhere locks nobody out. Registering costs a hash and permanent records.
LOGIN_PER_ADDRESS = Rule(name="login", rate=10, burst=10, scope="address")
LOGIN_PER_EMAIL = Rule(name="login_email", rate=30, burst=60, scope="user")
REGISTER = Rule(name="register", rate=20, burst=40, scope="address")


@post("/auth/register", opt=PUBLIC | ANSWERED, responses=PROBLEMS, security=[{}], summary="Register")
async def register(request: ApiRequest, data: JSONBody[Register]) -> Response[Session]:
    """A new account with a session. A repeat with the same ``Idempotency-Key`` and body returns a new session. Where registration is by
    invitation, ``invitation`` is required, and is used up; where it is closed, ``403 registration_closed``.
    """
    ports = request.ports(AccountPorts)
    await ports.http.limiting.spend([(REGISTER, network_of(address_of(request.scope)))])
    scope = email_scope(data.email)
    request.replace_body(msgspec.json.encode((scope, data.name)))  # what ids are derived from: never the password
    account_id = await request.new_id("account", user=scope)
    if request.idempotency_key is not None and (earlier := await _find_registered(request, data, account_id)) is not None:
        return _registration_response(request, earlier)
    _check_registration(ports, data)
    await _check_strength(request, data)
    password_hash = await ports.passwords.hash(data.password)  # before the lease: it takes longer than the work under the lease
    async with _hold_invitation(ports, data), ports.core.records.lease(f"email/{scope}"):
        present = await find_account(ports.core.read_models, data.email)
        if present is None:
            present = await _create_account(request, data, account_id, password_hash)
        elif present.id != account_id or not await _password_matches(request, present, data.password):
            raise Refused("email_taken")
    return _registration_response(request, present)


@post("/auth/login", opt=PUBLIC | RUNS_AGAIN, responses=PROBLEMS, security=[{}], status_code=HTTPStatus.OK, summary="Log in")
async def login(request: ApiRequest, data: JSONBody[Login]) -> Response[Session]:
    """An access token; ``401 login_failed`` for an unknown e-mail, a wrong password and a disabled account alike."""
    ports, scope = request.ports(AccountPorts), email_scope(data.email)
    network, now_s = network_of(address_of(request.scope)), int(ports.core.clock.now().timestamp())
    rules = [(LOGIN_PER_ADDRESS, f"{scope}/{network}")]
    if not await ports.known_networks.has(scope, network, now_s):
        rules.append((LOGIN_PER_EMAIL, scope))
    await ports.http.limiting.spend(rules)
    account = await find_account(ports.core.read_models, data.email)
    matches = await _password_matches(request, account, data.password)
    if account is None or account.disabled or not matches:
        ports.core.metrics.logins.labels("refused").inc()
        raise Refused("login_failed")
    ports.core.metrics.logins.labels("accepted").inc()
    await ports.known_networks.add(scope, network, now_s)
    return json_response(_session(request, account))


@get("/users/me", opt=ANYBODY, responses=PROBLEMS, summary="Get your account")
async def me(request: ApiRequest) -> User:
    """The account that the credential belongs to."""
    account = await request.core.read_models.accounts.get(request.user.account_id, request.user.account_id)
    request.core.count_table_lookup(request.user.tenant, "user_profile", found=account is not None)
    if account is None:
        raise Refused("not_found")
    return User.of(account, ids.default_knowledge_base(account.tenant))


async def _find_registered(request: ApiRequest, data: Register, account_id: str) -> Account | None:
    """The account that the same request created before, whatever the settings require of new ones since."""
    present = await find_account(request.core.read_models, data.email)
    if present is None or present.id != account_id or not await _password_matches(request, present, data.password):
        return None
    return present


def _registration_response(request: ApiRequest, account: Account) -> Response[Session]:
    return json_response(_session(request, account), HTTPStatus.CREATED, {"Location": "/api/v1/users/me"})


def _check_registration(ports: AccountPorts, data: Register) -> None:
    """Refused("registration_closed" or "invitation_required")."""
    registration = ports.core.live.settings.auth.registration
    if registration == "closed":
        raise Refused("registration_closed")
    if registration == "invitation" and not data.invitation:
        raise Refused("invitation_required")


@asynccontextmanager
async def _hold_invitation(ports: AccountPorts, data: Register) -> AsyncIterator[None]:
    """The lease of the invitation, where one is needed."""
    if ports.core.live.settings.auth.registration != "invitation":
        yield
        return
    async with ports.core.records.lease(invitation_lease(data.invitation)):
        yield


async def _check_strength(request: ApiRequest, data: Register) -> None:
    score_min = request.core.settings.auth.strength_min
    if await request.ports(AccountPorts).passwords.score(data.password, (data.email, data.name)) < score_min:
        raise invalid_field("password", "is easy to guess", "several words that do not belong together", code="password_weak")


async def _create_account(request: ApiRequest, data: Register, account_id: str, password_hash: str) -> Account:
    """Account, password and knowledge base, and the invitation as used; they can be read when this returns."""
    made = new_account(account_id, email=data.email, name=data.name, password_hash=password_hash, now=request.core.clock.now())
    account = made.account
    caller = Caller(account.id, account.tenant, account.role, account.tier)
    changes: list[Outgoing] = []
    if request.core.live.settings.auth.registration == "invitation":
        used = await use_invitation(request.core.read_models, data.invitation, data.email, account_id, request.core.clock.now())
        installation = Caller(account.id, ids.INSTALLATION, account.role, account.tier)
        changes.append(Outgoing(INVITATIONS_CHANGED, await request.event(InvitationChanged, used.id, used, installation)))
    changes += [Outgoing(topic, await request.event(kind, record.id, record, caller)) for topic, kind, record in made.changes()]
    await request.core.records.change(*changes)
    return account


async def _password_matches(request: ApiRequest, account: Account | None, password: str) -> bool:
    """Whether ``password`` is the account's; without an account this takes as long and is False."""
    ports = request.ports(AccountPorts)
    # also for an unknown account: a response one round trip earlier would reveal that the address is unknown
    account_id = account.id if account is not None else ids.random_id(ports.core.random_bytes)
    credential = await find_password(ports.core.read_models, account_id)
    return await ports.passwords.matches(password, credential.secret_hash if credential is not None else None)


def _session(request: ApiRequest, account: Account) -> Session:
    token, life_s = request.http.tokens.issue(account, request.core.clock.now())
    return Session(access_token=token, expires_in=life_s, user=User.of(account, ids.default_knowledge_base(account.tenant)))


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[register, login, me], tags=["auth"])
