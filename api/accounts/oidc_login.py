"""The identity provider of the settings, with what its logins need."""

from collections.abc import Mapping

from adapters.oidc.attempts import LoginAttempts
from adapters.oidc.client import OidcClient, check_issuer
from api.area import Opening
from domain.accounts.identities import parse_role_groups
from domain.accounts.settings import OidcSettings
from schemas.errors import Refused
from schemas.records import AccountRole


class OidcLogin:
    """The provider of the settings. Raises ConfigurationError for settings that cannot work."""

    def __init__(self, opening: Opening) -> None:
        core, self.settings = opening.core, opening.core.settings.of(OidcSettings)
        self.roles: Mapping[str, AccountRole] = parse_role_groups(self.settings.role_groups)
        self.attempts = LoginAttempts(core.settings.auth, core.random_bytes)
        self._client: OidcClient | None = None
        if self.settings.provider:
            self._client = OidcClient(
                self.settings.issuer,
                self.settings.client_id,
                self.settings.client_secret.reveal(),
                timeout_s=self.settings.timeout_s,
                groups_claim=self.settings.groups_claim,
                monotonic_s=core.clock.monotonic_s,
            )
            opening.run(self._client)

    def client(self, provider: str) -> OidcClient:
        """The client of this provider; Refused("not_found") for another name."""
        if self._client is None or provider != self.settings.provider:
            raise Refused("not_found", "there is no identity provider of this name")
        return self._client


def check_settings(oidc: OidcSettings) -> None:
    """Raises ConfigurationError for settings that cannot work."""
    parse_role_groups(oidc.role_groups)
    if oidc.provider:
        check_issuer(oidc.issuer)
