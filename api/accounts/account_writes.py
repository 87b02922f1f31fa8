"""Accounts as the routes change them: one event, one entry in the audit log, in force here at once and elsewhere within a second."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from api.http.audit import audit_event
from api.http.identity import Caller
from api.http.request import ApiRequest
from domain.accounts.topics import ACCOUNTS_CHANGED
from schemas.records import Account, AccountChanged
from streams.log.outgoing import Outgoing


async def write_account(
    request: ApiRequest, changed: Account, action: str, *, caller: Caller, detail: Mapping[str, str] | None = None
) -> None:
    """Publish this state of an account, and that ``caller`` did ``action``; hold ``organisation_lease``. Raises Unavailable."""
    event: Any = await request.event(AccountChanged, changed.id, changed, replace(caller, tenant=changed.tenant))
    entry = await audit_event(request, action, caller=caller, tenant=changed.tenant, target=changed.id, detail=detail)
    await request.core.records.change(Outgoing(ACCOUNTS_CHANGED, event), entry)
    request.http.identities.forget_account(changed.id)
