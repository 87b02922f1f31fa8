"""The audit log: who did what that concerns security, to what, from where, and whether it was accepted."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.events import Event
from schemas.records import AccountRole

ActorKind = Literal["person", "key", "command", "anonymous", "system"]
AuditOutcome = Literal["accepted", "refused"]


class Actor(Struct, frozen=True, kw_only=True):
    """Who acted. ``key``: a program with the API key ``key_id`` of the account; ``command``: somebody at the installation's command line;
    ``anonymous``: nobody that is known; ``system``: the installation itself, such as the guard of a staged change. ``role`` is that of the
    account at that moment, "" without one.
    """

    kind: ActorKind
    account_id: str = ""
    key_id: str = ""
    role: AccountRole | Literal[""] = ""


class AuditEntry(Struct, frozen=True, kw_only=True):
    """``action`` is ``noun.verb``, ``target`` the id of what was acted upon, ``address`` where it came from. ``detail`` has short texts and
    never a secret.
    """

    id: str
    at: datetime
    action: str
    outcome: AuditOutcome = "accepted"
    actor: Actor
    target: str = ""
    address: str = ""
    user_agent: str = ""
    request_id: str = ""
    detail: dict[str, str] = {}


class AuditRecorded(Event, tag="claw.audit.recorded.v1", frozen=True, kw_only=True):
    """Subject: entry id; key: tenant, ``-`` for what concerns the installation."""

    data: AuditEntry
