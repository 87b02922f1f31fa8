"""What the routes of accounts use."""

from dataclasses import dataclass

from adapters.secrets.links import Links
from adapters.secrets.passwords import Passwords
from adapters.secrets.session_tokens import SessionTokens
from api.accounts.oidc_login import OidcLogin
from api.area import Opening
from api.core import Core
from api.http.ports import HttpPorts
from api.limits.ports import LimitPorts
from api.limits.quotas import Quotas
from domain.accounts.known_networks import KnownNetworks
from domain.documents.storage import Storage
from streams.tables.counters import Counter


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPorts:
    """``storage`` sums what a tenant stores; ``usage`` and ``quotas`` are those of the limits area."""

    core: Core
    http: HttpPorts
    passwords: Passwords
    links: Links
    session_tokens: SessionTokens
    oidc: OidcLogin
    known_networks: KnownNetworks
    storage: Storage
    usage: Counter
    quotas: Quotas


def open_ports(opening: Opening) -> AccountPorts:
    """Built from the core and the limits."""
    core, limits = opening.core, opening.ports(LimitPorts)
    passwords = Passwords(core.settings.auth.hash_concurrency)

    async def stop() -> None:
        passwords.close()

    opening.stop_with(stop)
    return AccountPorts(
        core=core,
        http=limits.http,
        passwords=passwords,
        links=Links(core.settings.auth),
        session_tokens=SessionTokens(core.settings.auth),
        oidc=OidcLogin(opening),
        known_networks=KnownNetworks(core.redis, core.settings.redis.key_prefix),
        storage=Storage(core.redis, core.settings.redis.key_prefix),
        usage=limits.usage,
        quotas=limits.quotas,
    )
