"""Accounts, sessions, API keys."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from schemas.bodies.conversations import KNOWLEDGE_BASES_MAX
from schemas.bodies.pages import RequestBody
from schemas.records import Account, AccountRole, AnswerMode, Credential, Scope, Tier
from schemas.sessions import SessionKind, SessionRecord
from schemas.widgets import ORIGINS_MAX, PER_DAY_MAX, PER_MINUTE_MAX, STREAMS_MAX, WidgetAccess

# enough to be an address, the rest is the mail server's; `$` would also match before a trailing line feed in Python
EMAIL = r"^[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]+\.[^@\s.\x00-\x1f\x7f]+$(?!\n)"

Email = Annotated[str, Meta(max_length=254, pattern=EMAIL, description="Unique; letter case is ignored.", examples=["ada@example.com"])]
RANGES_MAX = 32  # address ranges of one API key

Name = Annotated[str, Meta(max_length=100, examples=["Ada"])]
KeyMode = Annotated[
    AnswerMode | None,
    Meta(
        description="The mode of questions with this key that name none, and of conversations created with it. `grounded` also refuses"
        " `assistant`; null leaves the choice to the question."
    ),
]


NewPassword = Annotated[
    str, Meta(min_length=8, max_length=256, description="Any characters; length matters most.", examples=["correct horse battery"])
]
InCookies = Annotated[bool, Meta(description="For pages: the tokens are set as HttpOnly cookies and do not stand in the response.")]


class Register(RequestBody, frozen=True, kw_only=True):
    """A new account with a tenant and a default knowledge base of its own."""

    email: Email
    password: NewPassword
    name: Name = ""
    invitation: Annotated[
        str,
        Meta(
            max_length=2_048,
            description="An invitation, or that of a link in a mail; it can be used once. That of an organisation makes you a member of it;"
            " where registration is by invitation, one is needed.",
        ),
    ] = ""
    cookie: InCookies = False


class Login(RequestBody, frozen=True, kw_only=True):
    """E-mail and password."""

    email: Annotated[str, Meta(min_length=1, max_length=254, examples=["ada@example.com"])]
    password: Annotated[str, Meta(min_length=1, max_length=256, examples=["correct horse battery"])]
    cookie: InCookies = False


class Refresh(RequestBody, frozen=True, kw_only=True):
    """The newest refresh token of a session; with ``cookie`` it comes from the page's cookie."""

    refresh_token: Annotated[str, Meta(max_length=256, description="Required without `cookie`.")] = ""
    cookie: InCookies = False


class LoginProvider(Struct, frozen=True, kw_only=True):
    """An identity provider: ``name`` stands in addresses, ``title`` on a button."""

    name: str
    title: str


class PasswordChange(RequestBody, frozen=True, kw_only=True):
    """Both passwords."""

    old_password: Annotated[str, Meta(min_length=1, max_length=256, examples=["correct horse battery"])]
    new_password: NewPassword


class ResetRequest(RequestBody, frozen=True, kw_only=True):
    """The address of an account."""

    email: Annotated[str, Meta(min_length=1, max_length=254, examples=["ada@example.com"])]


class LinkConfirm(RequestBody, frozen=True, kw_only=True):
    """What a link in a mail carries."""

    token: Annotated[str, Meta(min_length=1, max_length=2_048, description="That of the link.")]


class ResetConfirm(LinkConfirm, frozen=True, kw_only=True):
    """The token of the link, and the password to set."""

    password: NewPassword


class MailRequestAccepted(Struct, frozen=True, kw_only=True):
    """A mail is on its way if there is somebody to send it to."""

    status: Literal["accepted"] = "accepted"


class User(Struct, frozen=True, kw_only=True):
    """An account as its owner sees it."""

    id: str
    email: str
    name: str
    role: AccountRole
    tier: Tier
    created_at: datetime
    default_knowledge_base_id: str
    verified: Annotated[bool, Meta(description="Whether the e-mail address was verified by a link.")]

    @classmethod
    def of(cls, account: Account, default_knowledge_base_id: str) -> "User":
        """The account without internal fields."""
        return cls(
            id=account.id,
            email=account.email,
            name=account.name,
            role=account.role,
            tier=account.tier,
            created_at=account.created_at,
            default_knowledge_base_id=default_knowledge_base_id,
            verified=account.verified_at is not None,
        )


class Session(Struct, frozen=True, kw_only=True):
    """The tokens of a session, and its account. Send the first as ``Authorization: Bearer <access_token>``.

    ``refresh_token`` is used once, at ``POST /api/v1/auth/refresh``.
    """

    access_token: str
    token_type: str = "Bearer"  # noqa: S105  # the scheme's name
    expires_in: Annotated[int, Meta(description="Seconds.")]
    refresh_token: str
    refresh_expires_in: Annotated[int, Meta(description="Seconds.")]
    session_id: str
    user: User


class PageSession(Struct, frozen=True, kw_only=True):
    """The session of a page, whose tokens are in cookies. Send ``csrf_token`` as ``X-CSRF-Token`` with every request but GET."""

    csrf_token: str
    expires_in: Annotated[int, Meta(description="Seconds.")]
    refresh_expires_in: Annotated[int, Meta(description="Seconds.")]
    session_id: str
    user: User


class SessionView(Struct, frozen=True, kw_only=True):
    """A session as its owner sees it. ``refreshed_at``: when its newest tokens were issued; ``network``: from where it was begun."""

    id: str
    kind: SessionKind
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    user_agent: str
    network: str
    current: Annotated[bool, Meta(description="Whether this request belongs to it.")]

    @classmethod
    def of(cls, session: SessionRecord, current_id: str) -> "SessionView":
        """The session without internal fields."""
        return cls(
            id=session.id,
            kind=session.kind,
            created_at=session.created_at,
            refreshed_at=session.rotated_at,
            expires_at=session.expires_at,
            user_agent=session.user_agent,
            network=session.network,
            current=session.id == current_id,
        )


class CurrentSession(Struct, frozen=True, kw_only=True):
    """The session of the request; ``csrf_token`` is null where tokens are not in cookies."""

    session: SessionView
    csrf_token: str | None
    user: User


PerMinute = Annotated[int, Meta(ge=1, le=PER_MINUTE_MAX, description="Left out: that of the installation, `CLAW_WIDGET_*`.")]


class WidgetKey(RequestBody, frozen=True, kw_only=True):
    """What makes an API key that of a widget, which stands in a page for everybody to read: it asks its knowledge bases, and does nothing
    else. Limits that are left out are those of the installation (`CLAW_WIDGET_*`).
    """

    origins: Annotated[
        tuple[Annotated[str, Meta(max_length=300)], ...],
        Meta(
            min_length=1,
            max_length=ORIGINS_MAX,
            description="Of the pages that embed it: `https://host[:port]`; `http` for loopback alone.",
            examples=[["https://www.example.org"]],
        ),
    ]
    knowledge_base_ids: Annotated[
        tuple[UUID, ...], Meta(min_length=1, max_length=KNOWLEDGE_BASES_MAX, description="What it is asked about, and nothing else.")
    ]
    visitor_requests_per_minute: PerMinute | None = None
    visitor_questions_per_minute: PerMinute | None = None
    requests_per_minute: PerMinute | None = None
    questions_per_minute: PerMinute | None = None
    questions_per_day: Annotated[int, Meta(ge=1, le=PER_DAY_MAX, description="Per day (UTC), of all visitors together.")] | None = None
    streams_max: Annotated[int, Meta(ge=1, le=STREAMS_MAX, description="Open event streams, of all visitors together.")] | None = None
    account_share: (
        Annotated[
            float, Meta(gt=0, le=1, description="Share of the account's quotas, token limits and open replies that visitors may use up.")
        ]
        | None
    ) = None


KeyScopes = Annotated[tuple[Scope, ...], Meta(min_length=1, max_length=8)]
DEFAULT_SCOPES: tuple[Scope, ...] = ("chat", "knowledge:read", "knowledge:write")


class ApiKeyCreate(RequestBody, frozen=True, kw_only=True):
    """A key for a program, by default with the scopes chat, and reading and writing knowledge; or with ``widget`` a key for pages."""

    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["nightly import"])]
    scopes: KeyScopes | UnsetType = UNSET
    widget: WidgetKey | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    mode: KeyMode = None
    addresses: Annotated[
        tuple[Annotated[str, Meta(max_length=64)], ...],
        Meta(
            max_length=RANGES_MAX,
            description="The addresses and CIDRs from which the key may be used; none: anywhere.",
            examples=[["203.0.113.0/24", "2001:db8::/48"]],
        ),
    ] = ()


class ApiKeyPatch(RequestBody, frozen=True, kw_only=True):
    """Fields that are left out stay as they are. ``widget`` is replaced as a whole; no other key becomes that of a widget."""

    name: Annotated[str, Meta(min_length=1, max_length=100, examples=["nightly import"])] | UnsetType = UNSET
    widget: WidgetKey | UnsetType = UNSET


class ApiKeyRotate(RequestBody, frozen=True, kw_only=True):
    """A new secret; the present one is accepted until the overlap ends."""

    overlap_s: Annotated[int, Meta(ge=0, le=7 * 86_400, description="Seconds; 0 ends the present secret at once.")] = 86_400


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key without its secret."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None
    mode: AnswerMode | None = None
    addresses: tuple[str, ...] = ()
    last_used_at: Annotated[datetime | None, Meta(description="To the minute; null when it was not used.")] = None
    previous_until: Annotated[datetime | None, Meta(description="Until then the secret before the last rotation is accepted.")] = None
    widget: Annotated[WidgetAccess | None, Meta(description="Of the key of a widget, which has no scopes; null of every other.")] = None

    @classmethod
    def of(cls, credential: Credential, last_used_at: datetime | None = None) -> "ApiKey":
        """The credential without its hash."""
        return cls(**cls.fields_of(credential, last_used_at))

    @staticmethod
    def fields_of(credential: Credential, last_used_at: datetime | None = None) -> dict[str, Any]:
        """The fields that every view of a key has."""
        return {
            "id": credential.id,
            "name": credential.name,
            "scopes": credential.scopes,
            "created_at": credential.created_at,
            "expires_at": credential.expires_at,
            "mode": credential.mode,
            "addresses": credential.addresses,
            "last_used_at": last_used_at,
            "previous_until": credential.previous.until if credential.previous is not None else None,
            "widget": credential.widget,
        }


class ApiKeyCreated(ApiKey, frozen=True, kw_only=True):
    """``key`` is shown only in this response and is not stored."""

    key: Annotated[str, Meta(examples=["claw_0b9c…_pZ3f…"])]
