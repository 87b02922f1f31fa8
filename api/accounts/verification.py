"""The proof that an account's e-mail address is its owner's: a link that was sent there."""

from http import HTTPStatus

from litestar import Router, post
from litestar.params import JSONBody
from msgspec.structs import replace

from api.accounts.account_writes import write_account
from api.accounts.mails import request_mail
from api.accounts.ports import AccountPorts
from api.http.gate import PERSON, PUBLIC, UNVERIFIED, address_of
from api.http.identity import caller_of
from api.http.late_repeats import RUNS_AGAIN
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from domain.accounts.organisations import organisation_lease
from domain.accounts.records import email_scope
from domain.limits.rules import network_of
from schemas.bodies.auth import LinkConfirm, MailRequestAccepted
from schemas.errors import Refused
from schemas.limits import Rule
from schemas.records import Account
from streams.log.outgoing import Outgoing

VERIFICATION_MAILS = Rule(name="verification_mails", rate=3, per_s=3_600.0, burst=3, scope="user")
VERIFY = Rule(name="verify", rate=30, burst=30, scope="address")


@post(
    "/auth/verify",
    opt=PERSON | UNVERIFIED | RUNS_AGAIN,
    responses=PROBLEMS,
    status_code=HTTPStatus.ACCEPTED,
    summary="Request a mail to verify your address",
)
async def verify(request: ApiRequest) -> MailRequestAccepted:
    """A mail with a link to the account's address; none when it is verified."""
    ports, caller = request.ports(AccountPorts), request.user
    account = await ports.core.read_models.accounts.get(caller.account_id, caller.account_id)
    if account is None:
        raise Refused("not_found")
    if account.verified_at is None:
        await ports.http.limiting.spend([(VERIFICATION_MAILS, account.id)])
        await ports.core.publisher.publish(await verification_mail(request, account))
    return MailRequestAccepted()


@post(
    "/auth/verify/confirm",
    opt=PUBLIC | RUNS_AGAIN,
    responses=PROBLEMS,
    security=[{}],
    status_code=HTTPStatus.NO_CONTENT,
    summary="Verify an address by a link",
)
async def confirm(request: ApiRequest, data: JSONBody[LinkConfirm]) -> None:
    """``token`` is that of the link. A repeat is accepted; the link of an address that the account no longer has is not."""
    ports = request.ports(AccountPorts)
    await ports.http.limiting.spend([(VERIFY, network_of(address_of(request.scope)))])
    now = ports.core.clock.now()
    claims = ports.links.read(data.token, "verify_email", now)
    account = await _find_owner(ports, claims.subject, claims.binding)
    async with ports.core.records.lease(organisation_lease(account.tenant)):
        account = await _find_owner(ports, claims.subject, claims.binding)
        if account.verified_at is not None:
            return
        changed = replace(account, verified_at=now, revision=account.revision + 1)
        await write_account(request, changed, "account.verify", caller=caller_of(account))


async def verification_mail(request: ApiRequest, account: Account) -> Outgoing:
    """The request for the mail that verifies the account's address."""
    return await request_mail(
        request, account, "verify_email", binding=email_scope(account.email), life_s=request.core.settings.auth.verify_ttl_s
    )


async def _find_owner(ports: AccountPorts, account_id: str, binding: str) -> Account:
    """The account, if it has the address that the link was sent to. Raises Refused("link_invalid")."""
    account = await ports.core.read_models.accounts.get(account_id, account_id)
    if account is None or account.disabled or email_scope(account.email) != binding:
        raise Refused("link_invalid")
    return account


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[verify, confirm], tags=["auth"])
