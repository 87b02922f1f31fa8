"""Sessions: what a login begins, refresh tokens prolong, and a logout ends."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.events import Event

SessionKind = Literal["token", "cookie"]
SessionEnd = Literal["", "logout", "revoked", "password", "reset", "reuse", "replaced"]


class SessionRecord(Struct, frozen=True, kw_only=True):
    """One login on one device. It holds no secret: tokens are derived from it with the signing secret.

    ``kind``: whether the tokens are in the client's hands or in HttpOnly cookies of a page. ``generation``: that of the newest refresh
    token, issued at ``rotated_at``. ``expires_at``: the absolute end. ``network``: of the address that logged in. The client's name and
    its network are cleared when the session ends. ``end_reason``: "" while it has not ended.
    """

    id: str
    tenant: str
    account_id: str
    kind: SessionKind = "token"
    created_at: datetime
    expires_at: datetime
    generation: int = 0
    rotated_at: datetime
    user_agent: str = ""
    network: str = ""
    ended_at: datetime | None = None
    end_reason: SessionEnd = ""
    revision: int = 1


class SessionChanged(Event, tag="claw.session.changed.v1", frozen=True, kw_only=True):
    """Subject and key: session id."""

    data: SessionRecord
