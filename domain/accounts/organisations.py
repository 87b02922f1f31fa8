"""Organisations: what a tenant is to its members, and the rules by which its accounts are changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from domain.accounts.errors import LAST_ADMIN, OPERATOR_ONLY
from domain.accounts.records import TENANT_ACCOUNTS
from domain.accounts.topics import ORGANISATIONS_CHANGED
from schemas.errors import FieldError, Refused
from schemas.records import ROLES, Account, AccountRole, Organisation, OrganisationChanged
from streams.tables.projection import Record, Tables

MEMBERS_PAGE = 500  # accounts read at once when the admins of a tenant are looked for

ORGANISATIONS = Record(
    table="organisations",
    topic=ORGANISATIONS_CHANGED,
    event=OrganisationChanged,
    type=Organisation,
    scope=lambda event: event.data.id,
    rank=lambda _event, _offset: 0.0,
)


async def find_organisation(tables: Tables, tenant: str, now: datetime) -> Organisation:
    """The organisation; one that nobody has named is as old as its first account. Raises Unavailable("redis_unavailable")."""
    found = await tables.of(ORGANISATIONS).get(tenant, tenant)
    if found is not None:
        return found
    oldest = await tables.of(TENANT_ACCOUNTS).list(tenant, limit=1, newest_first=False)
    return Organisation(id=tenant, created_at=oldest.items[0].created_at if oldest.items else now, revision=0)


def change_account(present: Account, changes: Mapping[str, Any], role: AccountRole) -> Account:
    """The account with these fields changed by somebody of ``role``; the same one when nothing would change.

    Raises Refused("operator_only") for what only an operator may change: the tier, an operator's account, and the role of operator.
    """
    changed = {name: value for name, value in changes.items() if getattr(present, name) != value}
    if not changed:
        return present
    if role != "operator":
        if present.role == "operator":
            raise Refused(OPERATOR_ONLY, "the account of an operator may be changed by an operator only")
        if "tier" in changed:
            raise _operator_only("tier", "decides what the installation is used for", present.tier)
        if changed.get("role") == "operator":
            raise _operator_only("role", "operators run the installation", "user or admin")
    return replace(present, **changed, revision=present.revision + 1)


def _operator_only(field: str, why: str, limit: str) -> Refused:
    return Refused(OPERATOR_ONLY, errors=(FieldError(field, f"may be set by an operator only: {why}", limit),))


def is_admin(account: Account) -> bool:
    """Whether the account administers its tenant, now."""
    return not account.disabled and ROLES.index(account.role) >= ROLES.index("admin")


async def check_admin_remains(tables: Tables, before: Account, after: Account) -> None:
    """Raises Refused("last_admin") when the change would leave the tenant without an admin; hold ``organisation_lease``."""
    if not is_admin(before) or is_admin(after):
        return
    cursor = ""
    while True:
        page = await tables.of(TENANT_ACCOUNTS).list(before.tenant, limit=MEMBERS_PAGE, cursor=cursor)
        if any(is_admin(each) and each.id != before.id for each in page.items):
            return
        cursor = page.next_cursor
        if not cursor:
            raise Refused(LAST_ADMIN)


def organisation_lease(tenant: str) -> str:
    """The name of the lease to hold while a tenant is created, or its accounts, its name or its invitations are changed."""
    return f"tenant/{tenant}"
