"""Passwords: their strength, and their change, which ends every other session."""

from http import HTTPStatus
from typing import Any

from litestar import Router, post
from litestar.params import JSONBody
from msgspec.structs import replace

from api.accounts.ports import AccountPorts
from api.accounts.session_writes import end_sessions
from api.http.audit import audit_event, record_audit
from api.http.gate import PERSON, UNVERIFIED
from api.http.identity import Caller
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.http.responses import invalid_field
from domain.accounts.errors import OLD_PASSWORD_WRONG
from domain.accounts.records import find_password
from domain.accounts.sessions import sessions_lease
from domain.accounts.topics import CREDENTIALS_CHANGED
from schemas import ids
from schemas.bodies.auth import PasswordChange
from schemas.errors import Refused
from schemas.limits import Rule
from schemas.records import Account, Credential, CredentialChanged
from schemas.sessions import SessionEnd
from streams.log.outgoing import Outgoing

PASSWORD_GUESSES = Rule(name="password", rate=10, burst=10, scope="user")  # with a stolen token it is no faster than at the login


@post(
    "/auth/password",
    opt=PERSON | UNVERIFIED | RUNS_AGAIN,
    responses=PROBLEMS,
    status_code=HTTPStatus.NO_CONTENT,
    summary="Change the password",
)
async def change(request: ApiRequest, data: JSONBody[PasswordChange]) -> None:
    """Every other session of the account ends. A repeat, with the new password in force already, is accepted."""
    ports, caller = request.ports(AccountPorts), request.user
    await ports.http.limiting.spend([(PASSWORD_GUESSES, caller.account_id)])
    account = await ports.core.read_models.accounts.get(caller.account_id, caller.account_id)
    if account is None:
        raise Refused("not_found")
    password = await find_password(ports.core.read_models, account.id)
    if not await ports.passwords.matches(data.old_password, password.secret_hash if password else None):
        if not await ports.passwords.matches(data.new_password, password.secret_hash if password else None):
            await record_audit(request, "password.change", outcome="refused", target=account.id)
            raise Refused(OLD_PASSWORD_WRONG)
        async with ports.core.records.lease(sessions_lease(account.id)):  # an earlier attempt may have come no further
            await end_sessions(request, caller, "password", but=caller.session_id)
        return
    await check_strength(request, data.new_password, account.email, account.name, field="new_password")
    await replace_password(request, caller, account, password, data.new_password, reason="password", keep=caller.session_id)


async def replace_password(
    request: ApiRequest, caller: Caller, account: Account, present: Credential | None, password: str, *, reason: SessionEnd, keep: str = ""
) -> None:
    """Give the account another password in place of ``present`` and end its sessions, but for the one with the id ``keep``.

    Raises Refused("lost_update") when ``present`` was replaced meanwhile.
    """
    ports = request.ports(AccountPorts)
    secret_hash = await ports.passwords.hash(password)
    async with ports.core.records.lease(sessions_lease(account.id)):
        if await find_password(ports.core.read_models, account.id) != present:
            raise Refused("lost_update", "the password was changed meanwhile")
        credential = new_password(account, present, secret_hash, request)
        event: Any = await request.event(CredentialChanged, credential.id, credential, caller)
        action = "password.change" if reason == "password" else "password.reset"
        entry = await audit_event(request, action, caller=caller, target=account.id)
        await ports.core.records.change(Outgoing(CREDENTIALS_CHANGED, event), entry)
        await end_sessions(request, caller, reason, but=keep)


def new_password(account: Account, present: Credential | None, secret_hash: str, request: ApiRequest) -> Credential:
    """The record of the account's password with this hash."""
    if present is not None:
        return replace(present, secret_hash=secret_hash, revision=present.revision + 1)
    return Credential(
        id=ids.derive("password", account.id),
        tenant=account.tenant,
        account_id=account.id,
        kind="password",
        secret_hash=secret_hash,
        created_at=request.core.clock.now(),
    )


async def check_strength(request: ApiRequest, password: str, *known: str, field: str = "password") -> None:
    """Refused("password_weak") for a password that is easy to guess; ``known``: what anybody knows of its owner."""
    if await request.ports(AccountPorts).passwords.score(password, known) < request.core.settings.auth.strength_min:
        raise invalid_field(field, "is easy to guess", "several words that do not belong together", code="password_weak")


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[change], tags=["auth"])
