"""The records of a new account, for registration through the API and for the operator's commands alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from schemas import ids
from schemas.records import Account, AccountChanged, AccountRole, Credential, CredentialChanged, KnowledgeBase, KnowledgeBaseChanged
from streams.topics import Topic

DEFAULT_KNOWLEDGE_BASE_NAME = "Default"

RecordKind = type[AccountChanged] | type[CredentialChanged] | type[KnowledgeBaseChanged]


@dataclass(frozen=True, slots=True)
class NewAccount:
    """``base`` is None in a tenant that has its knowledge base already."""

    account: Account
    password: Credential
    base: KnowledgeBase | None

    def changes(self) -> Sequence[tuple[Topic, RecordKind, Account | Credential | KnowledgeBase]]:
        """Topics, events and records, in the order of publishing: the account comes last, so a login finds everything."""
        base: Sequence[tuple[Topic, RecordKind, KnowledgeBase]] = (
            ((KNOWLEDGE_CHANGED, KnowledgeBaseChanged, self.base),) if self.base is not None else ()
        )
        return (
            (CREDENTIALS_CHANGED, CredentialChanged, self.password),
            *base,
            (ACCOUNTS_CHANGED, AccountChanged, self.account),
        )


def new_account(
    account_id: str, *, email: str, name: str, password_hash: str, now: datetime, role: AccountRole = "user", tenant: str = ""
) -> NewAccount:
    """The records of an account in the existing ``tenant``, or in a tenant of its own with a default knowledge base."""
    own = ids.derive("tenant", account_id)
    account = Account(id=account_id, tenant=tenant or own, email=email.strip(), name=name, role=role, created_at=now)
    password = Credential(
        id=ids.derive("password", account_id),
        tenant=account.tenant,
        account_id=account_id,
        kind="password",
        secret_hash=password_hash,
        created_at=now,
    )
    base = KnowledgeBase(
        id=ids.default_knowledge_base(own),
        tenant=own,
        user_id=account_id,
        name=DEFAULT_KNOWLEDGE_BASE_NAME,
        created_at=now,
        updated_at=now,
    )
    return NewAccount(account, password, None if tenant else base)
