"""Invitations: who may register where registration is by invitation. Each can be used once, before it expires.

The text of an invitation is 256 random bits; its record has only the SHA-256. It is used up in the same publish that makes the
account, under a lease, so two people never register with one; a repeat of the same registration finds its own account in the record.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

import msgspec

from adapters.secrets.signing import url_text
from domain.accounts.records import email_scope
from domain.accounts.topics import INVITATIONS_CHANGED
from schemas.errors import FieldError, Refused
from schemas.records import Invitation, InvitationChanged
from streams.tables.projection import Record, Tables, rank_of

PREFIX = "invite_"
SECRET_BYTES = 32
LISTED = "all"  # the scope of every invitation

INVITATIONS = Record(
    table="invitations",
    topic=INVITATIONS_CHANGED,
    event=InvitationChanged,
    type=Invitation,
    scope=lambda _event: LISTED,
    gone=lambda event: event.data.revoked,
    rank=lambda event, _offset: rank_of(event.data.created_at),
)
TENANT_INVITATIONS = Record(  # those of organisations
    table="tenant_invitations",
    topic=INVITATIONS_CHANGED,
    event=InvitationChanged,
    type=Invitation,
    scope=lambda event: event.data.tenant,
    applies=lambda event: event.data.tenant != "",
    gone=lambda event: event.data.revoked,
    rank=lambda event, _offset: rank_of(event.data.created_at),
)


def new_invitation(random_bytes: Callable[[int], bytes], now: datetime, expires_at: datetime, email: str = "") -> tuple[str, Invitation]:
    """The text to give away, and the record."""
    text = PREFIX + url_text(random_bytes(SECRET_BYTES))
    return text, Invitation(id=invitation_id(text), created_at=now, expires_at=expires_at, email=email.strip())


def invitation_id(text: str) -> str:
    """The id of an invitation's record."""
    return hashlib.sha256(text.strip().encode()).hexdigest()


async def find_invitation(tables: Tables, invitation: str) -> Invitation | None:
    """The invitation of this id, if there is one that was not revoked."""
    return await tables.of(INVITATIONS).get(LISTED, invitation)


async def use_invitation(tables: Tables, invitation: str, email: str, account_id: str, now: datetime) -> Invitation:
    """The record of this id as it is once ``account_id`` has registered with it; hold ``invitation_lease``.

    Raises Refused("invitation_invalid") alike for one that is unknown, used by another account, revoked, expired, or for another address.
    """
    present = await find_invitation(tables, invitation)
    if present is None or present.account_id not in ("", account_id):
        raise invalid_invitation()
    if not present.account_id and present.expires_at <= now:
        raise invalid_invitation()
    if present.email and email_scope(present.email) != email_scope(email):
        raise invalid_invitation()
    return msgspec.structs.replace(present, account_id=account_id, revision=present.revision + 1)


def invalid_invitation() -> Refused:
    """The refusal, the same whatever is wrong."""
    detail = "is unknown, used, revoked, expired, or for another e-mail address"
    return Refused("invitation_invalid", errors=(FieldError("invitation", detail, "one that is unused"),))


def invitation_lease(invitation: str) -> str:
    """The name of the lease to hold while the invitation of this id is used or revoked."""
    return f"invitation/{invitation}"
