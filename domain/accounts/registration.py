"""The records of a new account, for registration through the API and for the operator's commands alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED, ORGANISATIONS_CHANGED
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from schemas import ids
from schemas.records import (
    Account,
    AccountChanged,
    AccountRole,
    Credential,
    CredentialChanged,
    KnowledgeBase,
    KnowledgeBaseChanged,
    Organisation,
    OrganisationChanged,
)
from streams.topics import Topic

DEFAULT_KNOWLEDGE_BASE_NAME = "Default"

RecordKind = type[AccountChanged] | type[CredentialChanged] | type[KnowledgeBaseChanged] | type[OrganisationChanged]
Row = Account | Credential | KnowledgeBase | Organisation


@dataclass(frozen=True, slots=True)
class NewAccount:
    """``organisation`` is None in a tenant that exists already; ``base`` also there where the account gets none."""

    account: Account
    password: Credential
    base: KnowledgeBase | None
    organisation: Organisation | None

    def changes(self) -> Sequence[tuple[Topic, RecordKind, Row]]:
        """Topics, events and records, in the order of publishing: the account comes last, so a login finds everything."""
        found: list[tuple[Topic, RecordKind, Row]] = [(CREDENTIALS_CHANGED, CredentialChanged, self.password)]
        if self.base is not None:
            found.append((KNOWLEDGE_CHANGED, KnowledgeBaseChanged, self.base))
        if self.organisation is not None:
            found.append((ORGANISATIONS_CHANGED, OrganisationChanged, self.organisation))
        return (*found, (ACCOUNTS_CHANGED, AccountChanged, self.account))


def new_account(
    account_id: str,
    *,
    email: str,
    name: str,
    password_hash: str,
    now: datetime,
    role: AccountRole = "user",
    tenant: str = "",
    own_base: bool = False,
    verified_at: datetime | None = None,
) -> NewAccount:
    """The records of an account in a tenant of its own with a default knowledge base, or in the existing ``tenant``, there with a private
    knowledge base of its own if it gets one: the tenant's may be somebody's.
    """
    account = Account(
        id=account_id,
        tenant=tenant or ids.derive("tenant", account_id),
        email=email.strip(),
        name=name,
        role=role,
        created_at=now,
        knowledge_base_id=ids.own_knowledge_base(tenant, account_id) if tenant and own_base else "",
        verified_at=verified_at,
    )
    password = Credential(
        id=ids.derive("password", account_id),
        tenant=account.tenant,
        account_id=account_id,
        kind="password",
        secret_hash=password_hash,
        created_at=now,
    )
    base = KnowledgeBase(
        id=default_base_of(account),
        tenant=account.tenant,
        user_id=account_id,
        name=DEFAULT_KNOWLEDGE_BASE_NAME,
        created_at=now,
        updated_at=now,
    )
    if tenant:
        return NewAccount(account, password, base if own_base else None, None)
    return NewAccount(account, password, base, Organisation(id=account.tenant, created_at=now))


def default_base_of(account: Account) -> str:
    """The id of the account's default knowledge base."""
    return account.knowledge_base_id or ids.default_knowledge_base(account.tenant)
