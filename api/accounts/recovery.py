"""Password reset by mail. Nobody learns from it whether an address has an account; the newest password ends every link to replace it."""

from http import HTTPStatus

import structlog
from litestar import Router, post
from litestar.params import JSONBody

from api.accounts.mails import request_mail
from api.accounts.passwords import check_strength, replace_password
from api.accounts.ports import AccountPorts
from api.http.gate import PUBLIC, address_of
from api.http.identity import caller_of
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from domain.accounts.records import email_scope, find_account, find_password
from domain.limits.rules import network_of
from schemas import ids
from schemas.bodies.auth import MailRequestAccepted, ResetConfirm, ResetRequest
from schemas.errors import Refused, Unavailable
from schemas.limits import Rule
from schemas.records import Credential
from streams.log.outgoing import Outgoing

RESET = Rule(name="reset", rate=10, burst=10, scope="address")
# Beyond that no further mail is sent, and nobody is told. The links of those that were sent are good: a stranger who uses this up locks
# nobody out.
RESET_MAILS = Rule(name="reset_mails", rate=3, per_s=3_600.0, burst=3, scope="user")
RESET_CONFIRM = Rule(name="reset_confirm", rate=10, burst=10, scope="address")  # each costs a hash

log = structlog.get_logger(__name__)


@post(
    "/auth/reset", opt=PUBLIC | RUNS_AGAIN, responses=PROBLEMS, security=[{}], status_code=HTTPStatus.ACCEPTED, summary="Reset a password"
)
async def reset(request: ApiRequest, data: JSONBody[ResetRequest]) -> MailRequestAccepted:
    """A mail with a link, if the address has an account. The response is the same, and takes as long, if it has none."""
    ports, scope = request.ports(AccountPorts), email_scope(data.email)
    await ports.http.limiting.spend([(RESET, network_of(address_of(request.scope)))])
    may_send = await _may_send(ports, scope)
    account = await find_account(ports.core.read_models, data.email)
    password = await find_password(ports.core.read_models, account.id if account else ids.random_id(ports.core.random_bytes))
    if account is not None and not account.disabled and may_send:
        mail = await request_mail(
            request, account, "reset_password", binding=_binding(password), life_s=ports.core.settings.auth.reset_ttl_s
        )
        ports.core.background.run(_publish(ports, mail))  # beside the response: it would tell by its time that there is an account
    return MailRequestAccepted()


@post(
    "/auth/reset/confirm",
    opt=PUBLIC | RUNS_AGAIN,
    responses=PROBLEMS,
    security=[{}],
    status_code=HTTPStatus.NO_CONTENT,
    summary="Set a new password by a link",
)
async def confirm(request: ApiRequest, data: JSONBody[ResetConfirm]) -> None:
    """``token`` is that of the link. It can be used once, and every session of the account ends."""
    ports = request.ports(AccountPorts)
    await ports.http.limiting.spend([(RESET_CONFIRM, network_of(address_of(request.scope)))])
    claims = ports.links.read(data.token, "reset_password", ports.core.clock.now())
    account = await ports.core.read_models.accounts.get(claims.subject, claims.subject)
    if account is None or account.disabled:
        raise Refused("link_invalid")
    present = await find_password(ports.core.read_models, account.id)
    if _binding(present) != claims.binding:
        raise Refused("link_invalid")
    await check_strength(request, data.password, account.email, account.name)
    try:
        await replace_password(request, caller_of(account), account, present, data.password, reason="reset")
    except Refused as refusal:
        if refusal.code == "lost_update":  # another use of the link came first
            raise Refused("link_invalid") from None
        raise


async def _may_send(ports: AccountPorts, scope: str) -> bool:
    try:
        await ports.http.limiting.spend([(RESET_MAILS, scope)])
    except Refused:
        return False
    return True


async def _publish(ports: AccountPorts, mail: Outgoing) -> None:
    try:
        await ports.core.publisher.publish(mail)
    except Unavailable as error:
        log.warning("reset_mail_not_requested", error=str(error))  # whoever waits for it asks again


def _binding(password: Credential | None) -> str:
    """What the next password changes: links to replace this one end with it."""
    return f"{password.id}/{password.revision}" if password is not None else "none"


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[reset, confirm], tags=["auth"])
