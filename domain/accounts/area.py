"""The area of accounts."""

from domain.accounts.invitations import INVITATIONS
from domain.accounts.records import ACCOUNT_CREDENTIALS, ACCOUNTS, CREDENTIALS, EMAILS
from domain.accounts.topics import ACCOUNTS_CHANGED, CREDENTIALS_CHANGED, INVITATIONS_CHANGED
from domain.area import Area
from domain.config_keys import config_keys
from schemas.settings import AuthSettings

AREA = Area(
    name="accounts",
    topics=(ACCOUNTS_CHANGED, CREDENTIALS_CHANGED, INVITATIONS_CHANGED),
    configs=config_keys(AuthSettings, "registration", public=True),
    records=(ACCOUNTS, EMAILS, CREDENTIALS, ACCOUNT_CREDENTIALS, INVITATIONS),
)
