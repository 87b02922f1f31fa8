"""The audit log, for admins of their tenant and for operators."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from schemas.audit import Actor, AuditEntry, AuditOutcome, AuditRecorded


class AuditView(Struct, frozen=True, kw_only=True):
    """One entry. ``tenant`` is ``-`` for what concerns the installation."""

    id: str
    at: datetime
    tenant: str
    action: Annotated[str, Meta(description="`noun.verb`.", examples=["api_key.create"])]
    outcome: AuditOutcome
    actor: Actor
    target: Annotated[str, Meta(description="The id of what was acted upon.")]
    address: str
    user_agent: str
    request_id: str
    detail: dict[str, str]

    @classmethod
    def of(cls, event: AuditRecorded) -> "AuditView":
        """The entry of an event."""
        entry: AuditEntry = event.data
        return cls(
            id=entry.id,
            at=entry.at,
            tenant=event.tenant,
            action=entry.action,
            outcome=entry.outcome,
            actor=entry.actor,
            target=entry.target,
            address=entry.address,
            user_agent=entry.user_agent,
            request_id=entry.request_id,
            detail=entry.detail,
        )
