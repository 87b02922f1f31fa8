"""Who may register, and what their invitation makes them a member of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from api.accounts.ports import AccountPorts
from api.http.audit import audit_event
from api.http.identity import Caller
from api.http.request import ApiRequest
from domain.accounts.errors import EMAIL_DOMAIN_REFUSED
from domain.accounts.invitations import (
    PREFIX,
    find_invitation,
    invalid_invitation,
    invitation_id,
    invitation_lease,
    use_invitation,
)
from domain.accounts.records import email_scope
from domain.accounts.registration import new_account
from domain.accounts.topics import INVITATIONS_CHANGED
from schemas import ids
from schemas.bodies.auth import Register
from schemas.errors import Refused
from schemas.records import Account, InvitationChanged
from schemas.settings import AuthSettings
from streams.log.outgoing import Outgoing


class PresentedInvitation(NamedTuple):
    """The ``id`` of an invitation, "" for none. ``by_mail``: as the link of a mail, which proves that its holder reads the address."""

    id: str = ""
    by_mail: bool = False


async def check_registration(request: ApiRequest, data: Register) -> PresentedInvitation:
    """The invitation to use. An invitation to an organisation lets its holder register wherever registration stands.

    Raises Refused("registration_closed", "email_domain_refused", "invitation_required", or "invitation_invalid" for a link that was
    forged or has expired).
    """
    auth = request.core.live.settings.auth
    registration = auth.registration
    invitation = _read_invitation(request, data) if data.invitation else PresentedInvitation()
    is_domain_allowed = allows_domain(auth, data.email)
    if registration == "closed" or not is_domain_allowed:
        found = await find_invitation(request.core.read_models, invitation.id) if invitation.id else None
        if found is None or not found.tenant:
            raise Refused("registration_closed" if registration == "closed" else EMAIL_DOMAIN_REFUSED)
    if registration == "invitation" and not invitation.id:
        raise Refused("invitation_required")
    return invitation


def _read_invitation(request: ApiRequest, data: Register) -> PresentedInvitation:
    """The invitation that the text is, or that a link of a mail names for the address it was sent to."""
    if data.invitation.startswith(PREFIX):
        return PresentedInvitation(invitation_id(data.invitation))
    try:
        claims = request.ports(AccountPorts).links.read(data.invitation, "invitation", request.core.clock.now())
    except Refused:
        raise invalid_invitation() from None
    if claims.binding != email_scope(data.email):
        raise invalid_invitation()
    return PresentedInvitation(claims.subject, by_mail=True)


def allows_domain(auth: AuthSettings, email: str) -> bool:
    """Whether an address of this domain may register without an invitation to an organisation."""
    return not auth.allowed_domains or email.strip().lower().rpartition("@")[2] in auth.allowed_domains


@asynccontextmanager
async def hold_invitation(ports: AccountPorts, invitation: PresentedInvitation) -> AsyncIterator[None]:
    """The lease of the invitation, if there is one."""
    if not invitation.id:
        yield
        return
    async with ports.core.records.lease(invitation_lease(invitation.id)):
        yield


async def create_account(
    request: ApiRequest, data: Register, account_id: str, password_hash: str, invitation: PresentedInvitation
) -> Account:
    """Account, password and knowledge base, and the invitation as used; they can be read when this returns. Hold the leases of the address
    and the invitation.
    """
    now, changes = request.core.clock.now(), list[Outgoing]()
    used = await use_invitation(request.core.read_models, invitation.id, data.email, account_id, now) if invitation.id else None
    tenant = used.tenant if used is not None else ""
    made = new_account(
        account_id,
        email=data.email,
        name=data.name,
        password_hash=password_hash,
        now=now,
        role=used.role if used is not None and tenant else "user",
        tenant=tenant,
        own_base=True,
        verified_at=now if invitation.by_mail else None,
    )
    account = made.account
    caller = Caller(account.id, account.tenant, account.role, account.tier)
    if used is not None:
        inviting = Caller(account.id, tenant or ids.INSTALLATION, account.role, account.tier)
        changes.append(Outgoing(INVITATIONS_CHANGED, await request.event(InvitationChanged, used.id, used, inviting)))
        changes.append(await audit_event(request, "invitation.accept", caller=caller, tenant=inviting.tenant, target=used.id))
    changes += [Outgoing(topic, await request.event(kind, record.id, record, caller)) for topic, kind, record in made.changes()]
    await request.core.records.change(*changes)
    return account
