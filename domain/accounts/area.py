"""The area of accounts."""

from domain.accounts.errors import ERRORS
from domain.accounts.invitations import INVITATIONS
from domain.accounts.records import ACCOUNT_CREDENTIALS, ACCOUNTS, CREDENTIALS, EMAILS, OPERATORS
from domain.accounts.sessions import ACCOUNT_SESSIONS, SESSIONS
from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED, INVITATIONS_CHANGED, SESSIONS_CHANGED
from domain.area import Area

AREA = Area(
    name="accounts",
    topics=(ACCOUNTS_CHANGED, CREDENTIALS_CHANGED, INVITATIONS_CHANGED, SESSIONS_CHANGED),
    records=(ACCOUNTS, EMAILS, CREDENTIALS, ACCOUNT_CREDENTIALS, INVITATIONS, SESSIONS, ACCOUNT_SESSIONS, OPERATORS),
    errors=ERRORS,
)
