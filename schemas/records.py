"""Records: entities whose present state is the newest event of their id. ``deleted`` is explicit, never implied by absence."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.events import Event
from schemas.widgets import WidgetAccess

Tier = Literal["free", "pro", "enterprise"]
AccountRole = Literal["user", "admin", "operator"]
ROLES: tuple[AccountRole, ...] = ("user", "admin", "operator")
"""Each may do what the one before it may: an admin administers a tenant, an operator the installation."""

Scope = Literal["chat", "knowledge:read", "knowledge:write", "webhooks", "ops"]
ConversationType = Literal["chat", "consulting", "support"]
AnswerMode = Literal["grounded", "assistant"]
Sharing = Literal["private", "tenant"]


class Account(Struct, frozen=True, kw_only=True):
    """A person or a service. The e-mail address is part of this record, the password hash of ``Credential``.

    ``knowledge_base_id``: its default knowledge base, "" for that of the tenant. ``verified_at``: when its owner proved that the address is
    theirs.
    """

    id: str
    tenant: str
    email: str
    name: str = ""
    role: AccountRole = "user"
    tier: Tier = "free"
    created_at: datetime
    disabled: bool = False
    revision: int = 1
    knowledge_base_id: str = ""
    verified_at: datetime | None = None


class ReplacedSecret(Struct, frozen=True, kw_only=True):
    """The secret of an API key before its rotation, accepted until ``until``. ``secret_at`` as in ``Credential``."""

    secret_hash: str
    until: datetime
    secret_at: datetime | None = None


class Credential(Struct, frozen=True, kw_only=True):
    """A password (argon2id) or an API key (SHA-256 of 256 random bits). Lives on a topic analysts cannot read.

    ``mode`` of a key: that of questions which name none; ``grounded`` also forbids the other one. None: the question decides.
    ``addresses``: the CIDRs from which a key may be used; () anywhere. ``secret_at``: the time from which the secret of a rotated key was
    derived; None: a derived id's was derived from its creation, another's is random. ``rotations``: the requests of the last rotations, the
    newest last. ``widget``: the key of a widget, which has no scopes; None for every other.
    """

    id: str
    tenant: str
    account_id: str
    kind: Literal["password", "api_key"]
    secret_hash: str
    name: str = ""
    scopes: tuple[Scope, ...] = ()
    created_at: datetime
    expires_at: datetime | None = None
    revoked: bool = False
    revision: int = 1
    mode: AnswerMode | None = None
    addresses: tuple[str, ...] = ()
    secret_at: datetime | None = None
    previous: ReplacedSecret | None = None
    rotations: tuple[str, ...] = ()
    widget: WidgetAccess | None = None


class Invitation(Struct, frozen=True, kw_only=True):
    """Lets one person register. ``id`` is the SHA-256 of its 256 random bits, in hexadecimal: the text itself is stored nowhere.

    ``account_id``: the account that was registered with it, "" while it is unused. ``email``: the only address it is for; "" any.
    ``tenant``: the organisation that its holder joins in this ``role``; "" for an organisation of their own.
    """

    id: str
    created_at: datetime
    expires_at: datetime
    email: str = ""
    account_id: str = ""
    revoked: bool = False
    revision: int = 1
    tenant: str = ""
    role: AccountRole = "user"
    invited_by: str = ""


class Organisation(Struct, frozen=True, kw_only=True):
    """A tenant as its members know it; ``id`` is the tenant."""

    id: str
    name: str = ""
    created_at: datetime
    revision: int = 1


class Conversation(Struct, frozen=True, kw_only=True):
    """``revision`` is the ETag: it grows by one with every change. ``titled_by`` "": no title yet, or one of an early release.

    ``mode`` ``grounded``: answers rest on passages alone; ``assistant``: the model may answer without them, and says so.
    ``pinned``: its owner keeps it at hand. ``model``: the name of the model that is asked first; "": the first of the settings.
    """

    id: str
    tenant: str
    user_id: str
    title: str = ""
    titled_by: Literal["", "rule", "model", "person"] = ""
    type: ConversationType = "chat"
    system_prompt: str = ""
    knowledge_base_ids: tuple[str, ...] = ()
    status: Literal["active", "archived"] = "active"
    created_at: datetime
    updated_at: datetime
    deleted: bool = False
    revision: int = 1
    mode: AnswerMode = "grounded"
    pinned: bool = False
    model: str = ""


class RecordOwner(Struct, frozen=True):
    """The account that a record belongs to, for tables that only count records."""

    account_id: str


class KnowledgeBase(Struct, frozen=True, kw_only=True):
    """A set of documents that belongs to an account; ``sharing`` opens it to the tenant."""

    id: str
    tenant: str
    user_id: str
    name: str
    description: str = ""
    sharing: Sharing = "private"
    created_at: datetime
    updated_at: datetime
    deleted: bool = False
    revision: int = 1


class AccountChanged(Event, tag="claw.account.changed.v1", frozen=True, kw_only=True):
    """Subject and key: account id."""

    data: Account


class CredentialChanged(Event, tag="claw.credential.changed.v1", frozen=True, kw_only=True):
    """Subject and key: credential id."""

    data: Credential


class InvitationChanged(Event, tag="claw.invitation.changed.v1", frozen=True, kw_only=True):
    """Subject and key: invitation id. ``tenant`` is the inviting one, ``-`` for an invitation of the operator."""

    data: Invitation


class OrganisationChanged(Event, tag="claw.organisation.changed.v1", frozen=True, kw_only=True):
    """Subject and key: tenant."""

    data: Organisation


class ConversationChanged(Event, tag="claw.conversation.changed.v1", frozen=True, kw_only=True):
    """Subject and key: conversation id."""

    data: Conversation


class KnowledgeBaseChanged(Event, tag="claw.knowledge_base.changed.v1", frozen=True, kw_only=True):
    """Subject and key: knowledge base id."""

    data: KnowledgeBase
