"""Entries of the audit log, for tests of what makes and reads them."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from domain.audit.entries import audit_entry
from schemas.audit import Actor, AuditRecorded
from tests.support.api_process import Person

AT = datetime(2026, 11, 30, tzinfo=UTC)


def entry(action: str = "api_key.create", actor: Actor | None = None, **fields: Any) -> AuditRecorded:
    made = audit_entry(
        action, actor or Actor(kind="person", account_id="a"), id="1", tenant="t", at=AT, source="/claw/test", traceparent="", **fields
    )
    assert made.key == "t"
    assert isinstance(made.event, AuditRecorded)
    return made.event


async def refusals(admin: Person, count: int) -> list[dict[str, Any]]:
    """The refusals of the admin's tenant, once there are so many."""
    async with asyncio.timeout(10):
        while True:
            items = (await admin.call("GET", "/audit", params={"action": "request.", "outcome": "refused"})).json()["items"]
            if len(items) >= count:
                return list(items)
            await asyncio.sleep(0.05)
