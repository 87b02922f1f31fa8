"""The record tables of accounts, and how an account is found by its address."""

import hashlib

from msgspec import Struct

from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED
from schemas.records import Account, AccountChanged, Credential, CredentialChanged
from streams.log.outgoing import LogOffset
from streams.tables.projection import Record, Tables, micros, rank_of
from streams.tables.record_table import order_of

OPERATORS_SCOPE = "all"


class EmailOwner(Struct, frozen=True):
    """The owner of an e-mail address, by its newest claim."""

    account_id: str
    tenant: str


def email_scope(address: str) -> str:
    """SHA-256 of the address as it is compared, without regard to case: no address stands in a key."""
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()


def _claim_order(event: AccountChanged, offset: LogOffset) -> str:
    """Claims of one address by several accounts lie in several partitions: only their time orders them."""
    return order_of(micros(event.time), offset.offset)


ACCOUNTS = Record(
    table="accounts",
    topic=ACCOUNTS_CHANGED,
    event=AccountChanged,
    type=Account,
    scope=lambda event: event.data.id,
    rank=lambda _event, _offset: 0.0,
)
EMAILS = Record(
    table="emails",
    topic=ACCOUNTS_CHANGED,
    event=AccountChanged,
    type=EmailOwner,
    scope=lambda event: email_scope(event.data.email),
    id=lambda event: email_scope(event.data.email),
    value=lambda event: EmailOwner(event.data.id, event.data.tenant),
    order=_claim_order,
    rank=lambda _event, _offset: 0.0,
)
CREDENTIALS = Record(
    table="credentials",
    topic=CREDENTIALS_CHANGED,
    event=CredentialChanged,
    type=Credential,
    scope=lambda event: event.data.id,
    gone=lambda event: event.data.revoked,
    rank=lambda _event, _offset: 0.0,
)
ACCOUNT_CREDENTIALS = Record(
    table="account_credentials",
    topic=CREDENTIALS_CHANGED,
    event=CredentialChanged,
    type=Credential,
    scope=lambda event: f"{event.data.account_id}/{event.data.kind}",
    gone=lambda event: event.data.revoked,
    rank=lambda event, _offset: rank_of(event.data.created_at),
)
TENANT_ACCOUNTS = Record(
    table="tenant_accounts",
    topic=ACCOUNTS_CHANGED,
    event=AccountChanged,
    type=Account,
    scope=lambda event: event.data.tenant,
    rank=lambda event, _offset: rank_of(event.data.created_at),
)
TENANT_API_KEYS = Record(
    table="tenant_api_keys",
    topic=CREDENTIALS_CHANGED,
    event=CredentialChanged,
    type=Credential,
    scope=lambda event: event.data.tenant,
    applies=lambda event: event.data.kind == "api_key",
    gone=lambda event: event.data.revoked,
    rank=lambda event, _offset: rank_of(event.data.created_at),
)
OPERATORS = Record(  # they are told of what concerns the installation
    table="operators",
    topic=ACCOUNTS_CHANGED,
    event=AccountChanged,
    type=Account,
    scope=lambda _event: OPERATORS_SCOPE,
    gone=lambda event: event.data.role != "operator" or event.data.disabled,
    rank=lambda event, _offset: rank_of(event.data.created_at),
)


async def find_account(tables: Tables, email: str) -> Account | None:
    """The account that has this e-mail address now. Raises Unavailable("redis_unavailable")."""
    scope = email_scope(email)
    owner = await tables.of(EMAILS).get(scope, scope)
    account = await tables.of(ACCOUNTS).get(owner.account_id, owner.account_id) if owner else None
    return account if account and email_scope(account.email) == scope else None


async def find_password(tables: Tables, account_id: str) -> Credential | None:
    """The account's newest password that is not revoked. Raises Unavailable("redis_unavailable")."""
    page = await tables.of(ACCOUNT_CREDENTIALS).list(f"{account_id}/password", limit=1)
    return page.items[0] if page.items else None
