"""Users, organisations and their invitations."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from schemas.bodies.auth import ApiKey, Email, Name
from schemas.bodies.pages import RequestBody
from schemas.records import Account, AccountRole, Credential, Invitation, Organisation, Tier

InvitationState = Literal["unused", "used", "expired"]
MemberRole = Literal["user", "admin"]

INVITATION_S_MAX = 30 * 86_400


class MemberView(Struct, frozen=True, kw_only=True):
    """An account as the admins of its organisation see it."""

    id: str
    email: str
    name: str
    role: AccountRole
    tier: Tier
    disabled: bool
    created_at: datetime

    @classmethod
    def of(cls, account: Account) -> "MemberView":
        """The account without internal fields."""
        return cls(
            id=account.id,
            email=account.email,
            name=account.name,
            role=account.role,
            tier=account.tier,
            disabled=account.disabled,
            created_at=account.created_at,
        )


class MemberPatch(RequestBody, frozen=True, kw_only=True):
    """Fields left out stay as they are."""

    name: Name | UnsetType = UNSET
    role: Annotated[AccountRole, Meta(description="`operator`: by operators only.")] | UnsetType = UNSET
    tier: Annotated[Tier, Meta(description="By operators only.")] | UnsetType = UNSET
    disabled: Annotated[bool, Meta(description="A disabled account is refused everywhere within a second.")] | UnsetType = UNSET


class OwnPatch(RequestBody, frozen=True, kw_only=True):
    """Fields left out stay as they are."""

    name: Name | UnsetType = UNSET


class OrganisationView(Struct, frozen=True, kw_only=True):
    """A tenant as its members know it."""

    id: str
    name: str
    created_at: datetime

    @classmethod
    def of(cls, organisation: Organisation) -> "OrganisationView":
        """The organisation without internal fields."""
        return cls(id=organisation.id, name=organisation.name, created_at=organisation.created_at)


class OrganisationPatch(RequestBody, frozen=True, kw_only=True):
    """The name of the organisation."""

    name: Annotated[str, Meta(max_length=100, examples=["Acme"])]


class InvitationCreate(RequestBody, frozen=True, kw_only=True):
    """Lets one person join the organisation."""

    email: Annotated[Email | None, Meta(description="The only address it is for, to which it is sent where mail is configured.")] = None
    role: MemberRole = "user"
    expires_in_s: Annotated[int, Meta(ge=60, le=INVITATION_S_MAX, description="Seconds.")] = 7 * 86_400
    language: Annotated[Literal["zh", "en"], Meta(description="Of the mail.")] = "en"


class InvitationView(Struct, frozen=True, kw_only=True):
    """An invitation without its text, which is stored nowhere. ``account_id``: who joined with it."""

    id: str
    email: str | None
    role: AccountRole
    state: InvitationState
    created_at: datetime
    expires_at: datetime
    invited_by: str
    account_id: str | None

    @classmethod
    def of(cls, invitation: Invitation, now: datetime) -> "InvitationView":
        """The invitation at this moment."""
        state: InvitationState = "used" if invitation.account_id else "expired" if invitation.expires_at <= now else "unused"
        return cls(
            id=invitation.id,
            email=invitation.email or None,
            role=invitation.role,
            state=state,
            created_at=invitation.created_at,
            expires_at=invitation.expires_at,
            invited_by=invitation.invited_by,
            account_id=invitation.account_id or None,
        )


class InvitationCreated(InvitationView, frozen=True, kw_only=True):
    """``invitation`` is shown only in this response and is not stored: whoever registers with it joins."""

    invitation: Annotated[str, Meta(examples=["invite_pZ3f…"])]


class MemberApiKey(ApiKey, frozen=True, kw_only=True):
    """An API key of a member, without its secret."""

    account_id: str

    @classmethod
    def of_member(cls, credential: Credential, last_used_at: datetime | None) -> "MemberApiKey":
        """The credential without its hash."""
        return cls(**ApiKey.fields_of(credential, last_used_at), account_id=credential.account_id)
