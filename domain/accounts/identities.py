"""Accounts as an identity provider knows them: found by issuer and subject, never by their e-mail address, which somebody else may get."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from domain.accounts.topics import IDENTITIES_CHANGED
from schemas.errors import ConfigurationError
from schemas.identities import IdentityChanged, OidcIdentity
from schemas.records import ROLES, AccountRole
from streams.tables.projection import Record

IDENTITIES = Record(
    table="identities",
    topic=IDENTITIES_CHANGED,
    event=IdentityChanged,
    type=OidcIdentity,
    scope=lambda event: event.data.id,
    gone=lambda event: event.data.removed,
    rank=lambda _event, _offset: 0.0,
)


def identity_id(issuer: str, subject: str) -> str:
    """The id of the record of a person at an issuer."""
    return hashlib.sha256(msgspec.json.encode((issuer, subject))).hexdigest()


def parse_role_groups(text: str) -> Mapping[str, AccountRole]:
    """The role of each group of ``CLAW_OIDC_ROLE_GROUPS``. Raises ConfigurationError."""
    found: dict[str, AccountRole] = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        role, _, group = pair.partition("=")
        if role.strip() not in ROLES or not group.strip():
            raise ConfigurationError(f"CLAW_OIDC_ROLE_GROUPS: {pair!r} is not role=group with a role of {', '.join(ROLES)}")
        found[group.strip()] = cast("AccountRole", role.strip())
    return found


def role_of(groups: Sequence[str], roles: Mapping[str, AccountRole]) -> AccountRole:
    """The highest role that one of the groups has."""
    return max((roles[group] for group in groups if group in roles), key=ROLES.index, default="user")
