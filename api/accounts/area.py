"""Accounts, organisations, sessions, API keys and usage."""

from api.accounts import (
    api_keys,
    invitations,
    oidc,
    open_sessions,
    organisation,
    passwords,
    recovery,
    refresh,
    sessions,
    usage,
    users,
    verification,
)
from api.accounts.ports import open_ports
from api.area import ApiArea

AREA = ApiArea(
    name="accounts",
    routers=(
        sessions.router,
        refresh.router,
        open_sessions.router,
        oidc.router,
        passwords.router,
        recovery.router,
        verification.router,
        users.router,
        organisation.router,
        invitations.router,
        api_keys.router,
        usage.router,
    ),
    open_ports=open_ports,
)
