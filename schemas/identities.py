"""Who an account is at an identity provider."""

from datetime import datetime

from msgspec import Struct

from schemas.events import Event


class OidcIdentity(Struct, frozen=True, kw_only=True):
    """``issuer`` and ``subject`` name a person for ever, unlike an e-mail address. ``id`` is a hash of both."""

    id: str
    tenant: str
    account_id: str
    issuer: str
    subject: str
    created_at: datetime
    removed: bool = False
    revision: int = 1


class IdentityChanged(Event, tag="claw.identity.changed.v1", frozen=True, kw_only=True):
    """Subject and key: identity id."""

    data: OidcIdentity
