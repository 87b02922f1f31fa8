"""Who may change what of an account."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from domain.accounts.organisations import change_account, is_admin
from schemas.errors import Refused
from schemas.records import Account, AccountRole

MEMBER = Account(id="a", tenant="t", email="ada@example.com", created_at=datetime(2026, 11, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("present", "by", "changes", "allowed"),
    [
        ("user", "admin", {"role": "admin"}, True),
        ("admin", "admin", {"role": "user", "disabled": True, "name": "Ada"}, True),
        ("user", "admin", {"role": "operator"}, False),
        ("user", "admin", {"tier": "pro"}, False),
        ("user", "admin", {"tier": "free"}, True),  # as it is
        ("operator", "admin", {"disabled": True}, False),
        ("operator", "admin", {"name": ""}, True),  # as it is
        ("user", "operator", {"role": "operator", "tier": "enterprise"}, True),
        ("operator", "operator", {"role": "user"}, True),
    ],
)
def test_rules(present: AccountRole, by: AccountRole, changes: dict[str, Any], allowed: bool) -> None:
    account = replace(MEMBER, role=present)
    if allowed:
        changed = change_account(account, changes, by)
        assert {name: getattr(changed, name) for name in changes} == changes
        assert changed.revision == account.revision + any(getattr(account, name) != value for name, value in changes.items())
    else:
        with pytest.raises(Refused) as raised:
            change_account(account, changes, by)
        assert raised.value.code == "operator_only"


@pytest.mark.parametrize(
    ("role", "disabled", "expected"), [("user", False, False), ("admin", False, True), ("operator", False, True), ("admin", True, False)]
)
def test_who_administers(role: AccountRole, disabled: bool, expected: bool) -> None:
    assert is_admin(replace(MEMBER, role=role, disabled=disabled)) is expected
