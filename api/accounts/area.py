"""Accounts, sessions, API keys and usage."""

from api.accounts import api_keys, open_sessions, passwords, refresh, sessions, usage
from api.accounts.ports import open_ports
from api.area import ApiArea

AREA = ApiArea(
    name="accounts",
    routers=(sessions.router, refresh.router, open_sessions.router, passwords.router, api_keys.router, usage.router),
    open_ports=open_ports,
)
