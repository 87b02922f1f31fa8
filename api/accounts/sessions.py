"""Accounts and sessions. Registering makes an account with a tenant and a default knowledge base of its own.

A login takes the same time whether the e-mail is known or not, and says the same in both cases.
"""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.params import JSONBody

from api.accounts.ports import AccountPorts
from api.http.gate import ADDRESS, ANYBODY, PUBLIC
from api.http.identity import Caller
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import json_response
from domain.accounts.records import email_scope, find_account, find_password
from domain.accounts.registration import new_account
from schemas import ids
from schemas.bodies.auth import Login, Register, Session, User
from schemas.errors import Refused
from schemas.limits import Rule
from schemas.records import Account
from streams.log.outgoing import Outgoing

# Guessing one person's password: slow from one place, and not fast from many. Registering costs a hash and lasting records.
LOGIN_PER_ADDRESS = Rule(name="login", rate=10, burst=10, scope="address")
LOGIN_PER_EMAIL = Rule(name="login_email", rate=30, burst=60, scope="user")
REGISTER = Rule(name="register", rate=20, burst=40, scope="address")


@post("/auth/register", opt=PUBLIC, responses=PROBLEMS, security=[{}], summary="Register")
async def register(request: ApiRequest, data: JSONBody[Register]) -> Response[Session]:
    """A new account, logged in. Repeating it with the same ``Idempotency-Key`` and body logs in again."""
    ports = request.ports(AccountPorts)
    await ports.http.limiting.spend([(REGISTER, _address(request))])
    scope = email_scope(data.email)
    account_id = await request.new_id("account", user=scope)
    kept = await ports.passwords.hash(data.password)  # before the lease: it takes longer than anything in it
    async with ports.core.records.lease(f"email/{scope}"):
        present = await find_account(ports.core.read_models, data.email)
        if present is None:
            present = await _create_account(request, data, account_id, kept)
        elif present.id != account_id or not await _password_matches(request, present, data.password):
            raise Refused("email_taken")
    return json_response(_session(request, present), HTTPStatus.CREATED, {"Location": "/api/v1/users/me", "Cache-Control": "no-store"})


@post("/auth/login", opt=PUBLIC, responses=PROBLEMS, security=[{}], status_code=HTTPStatus.OK, summary="Log in")
async def login(request: ApiRequest, data: JSONBody[Login]) -> Response[Session]:
    """An access token; 401 ``login_failed`` for whatever is wrong."""
    ports, scope = request.ports(AccountPorts), email_scope(data.email)
    await ports.http.limiting.spend([(LOGIN_PER_ADDRESS, f"{scope}/{_address(request)}"), (LOGIN_PER_EMAIL, scope)])
    account = await find_account(ports.core.read_models, data.email)
    right = await _password_matches(request, account, data.password)
    if account is None or account.disabled or not right:
        ports.core.metrics.logins.labels("refused").inc()
        raise Refused("login_failed")
    ports.core.metrics.logins.labels("accepted").inc()
    return json_response(_session(request, account), headers={"Cache-Control": "no-store"})


@get("/users/me", opt=ANYBODY, responses=PROBLEMS, summary="Who am I?")
async def me(request: ApiRequest) -> User:
    """The account behind the credential."""
    account = await request.core.read_models.accounts.get(request.user.account_id, request.user.account_id)
    request.core.count_table_lookup(request.user.tenant, "user_profile", found=account is not None)
    if account is None:
        raise Refused("not_found")
    return User.of(account, ids.default_knowledge_base(account.tenant))


async def _create_account(request: ApiRequest, data: Register, account_id: str, kept: str) -> Account:
    """Account, password and knowledge base, readable when this returns."""
    made = new_account(account_id, email=data.email, name=data.name, password_hash=kept, now=request.core.clock.now())
    account = made.account
    caller = Caller(account.id, account.tenant, account.role, account.tier)
    changes = [Outgoing(topic, await request.event(kind, record.id, record, caller)) for topic, kind, record in made.changes()]
    await request.core.records.change(*changes)
    return account


async def _password_matches(request: ApiRequest, account: Account | None, password: str) -> bool:
    """Whether ``password`` is the account's; no account takes as long and is never right."""
    ports = request.ports(AccountPorts)
    # asked for a made-up account as well: an answer that comes one round trip sooner would say that nobody has the address
    account_id = account.id if account is not None else str(UUID(bytes=ports.core.random_bytes(16), version=4))
    credential = await find_password(ports.core.read_models, account_id)
    return await ports.passwords.matches(password, credential.secret_hash if credential is not None else None)


def _session(request: ApiRequest, account: Account) -> Session:
    token, life_s = request.http.tokens.issue(account, request.core.clock.now())
    return Session(access_token=token, expires_in=life_s, user=User.of(account, ids.default_knowledge_base(account.tenant)))


def _address(request: ApiRequest) -> str:
    state: dict[str, Any] = request.scope["state"]
    return str(state[ADDRESS])


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[register, login, me], tags=["auth"])
