"""The area of accounts."""

from domain.accounts.errors import ERRORS
from domain.accounts.identities import IDENTITIES
from domain.accounts.invitations import INVITATIONS, TENANT_INVITATIONS
from domain.accounts.organisations import ORGANISATIONS
from domain.accounts.records import (
    ACCOUNT_CREDENTIALS,
    ACCOUNTS,
    CREDENTIALS,
    EMAILS,
    OPERATORS,
    TENANT_ACCOUNTS,
    TENANT_API_KEYS,
)
from domain.accounts.sessions import ACCOUNT_SESSIONS, SESSIONS
from domain.accounts.topics import (
    ACCOUNTS_CHANGED,
    CREDENTIALS_CHANGED,
    IDENTITIES_CHANGED,
    INVITATIONS_CHANGED,
    ORGANISATIONS_CHANGED,
    SESSIONS_CHANGED,
)
from domain.area import Area
from domain.config_keys import config_keys
from schemas.settings import AuthSettings

AREA = Area(
    name="accounts",
    topics=(ACCOUNTS_CHANGED, CREDENTIALS_CHANGED, INVITATIONS_CHANGED, ORGANISATIONS_CHANGED, SESSIONS_CHANGED, IDENTITIES_CHANGED),
    records=(
        *(ACCOUNTS, EMAILS, TENANT_ACCOUNTS, OPERATORS),
        *(CREDENTIALS, ACCOUNT_CREDENTIALS, TENANT_API_KEYS),
        *(INVITATIONS, TENANT_INVITATIONS, ORGANISATIONS),
        *(SESSIONS, ACCOUNT_SESSIONS, IDENTITIES),
    ),
    errors=ERRORS,
    configs=config_keys(AuthSettings, "registration", public=True),
)
