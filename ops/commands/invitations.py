"""`claw invite create`, `list` and `revoke`: who may register where CLAW_AUTH_REGISTRATION is `invitation`."""

import secrets
from datetime import timedelta

import msgspec

from domain.accounts.invitations import INVITATIONS, LISTED, invitation_lease, new_invitation
from domain.accounts.topics import INVITATIONS_CHANGED
from ops.commands.operator_records import open_operator_records
from schemas import ids
from schemas.errors import ConfigurationError, Refused
from schemas.records import Invitation, InvitationChanged
from schemas.settings import Settings

DAYS_MAX = 366
LISTED_MAX = 1_000
ID_CHARS = 12  # of an invitation's id in lists; enough to tell them apart


async def create(settings: Settings, email: str, days: float) -> int:
    """Print a new invitation; it is shown this once."""
    if not 0 < days <= DAYS_MAX:
        raise ConfigurationError(f"--days: {days:g} is not more than 0 and at most {DAYS_MAX}")
    async with open_operator_records(settings) as writer:
        text, invitation = new_invitation(secrets.token_bytes, writer.now, writer.now + timedelta(days=days), email)
        async with writer.records.lease(invitation_lease(invitation.id)):
            changed = writer.outgoing(INVITATIONS_CHANGED, InvitationChanged, ids.INSTALLATION, invitation.id, invitation)
            await writer.records.change(changed, writer.audit_event("invitation.create", ids.INSTALLATION, invitation.id))
    print(text)
    return 0


async def list_(settings: Settings) -> int:
    """Print the newest invitations, with their state; their texts are stored nowhere."""
    async with open_operator_records(settings) as writer:
        page = await writer.views.of(INVITATIONS).list(LISTED, limit=LISTED_MAX)
        for each in page.items:
            state = f"used by {each.account_id}" if each.account_id else "expired" if each.expires_at <= writer.now else "unused"
            life = f"{each.created_at:%Y-%m-%d %H:%M}  until {each.expires_at:%Y-%m-%d %H:%M}"
            print(f"{each.id[:ID_CHARS]}  {life}  {state}  {each.email}".rstrip())
    return 0


async def revoke(settings: Settings, beginning: str) -> int:
    """Revoke the unused invitation whose id begins so, as ``list`` prints it."""
    async with open_operator_records(settings) as writer:
        page = await writer.views.of(INVITATIONS).list(LISTED, limit=LISTED_MAX)
        found = [each for each in page.items if each.id.startswith(beginning) and not each.account_id]
        if len(found) != 1:
            raise Refused("not_found", f"{len(found)} unused invitations have an id that begins with {beginning!r}: see `claw invite list`")
        async with writer.records.lease(invitation_lease(found[0].id)):
            present: Invitation | None = await writer.views.of(INVITATIONS).get(LISTED, found[0].id)
            if present is None or present.account_id:
                raise Refused("not_found", "the invitation has just been used or revoked")
            gone = msgspec.structs.replace(present, revoked=True, revision=present.revision + 1)
            await writer.records.change(
                writer.outgoing(INVITATIONS_CHANGED, InvitationChanged, ids.INSTALLATION, gone.id, gone),
                writer.audit_event("invitation.revoke", ids.INSTALLATION, gone.id),
            )
    print(f"{gone.id[:ID_CHARS]} can no longer be used")
    return 0
