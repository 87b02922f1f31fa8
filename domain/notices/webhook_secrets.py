"""The secrets of webhooks at rest: encrypted with the installation's key, each bound to its webhook."""

from collections.abc import Callable
from datetime import datetime

from adapters.secrets.encryption import decrypt_with_any, encrypt
from schemas.errors import Refused
from schemas.notices import Webhook
from schemas.settings import Settings


class WebhookSecrets:
    """Encrypts and decrypts. After the signing secret was replaced, what the previous one encrypted is read while that is set."""

    def __init__(self, settings: Settings) -> None:
        self._keys = [key.reveal() for key in (settings.encryption_secret, settings.auth.previous_secret) if key]

    def seal(self, webhook_id: str, secret: str, random_bytes: Callable[[int], bytes]) -> str:
        """The secret as it is stored."""
        return encrypt(self._keys[0], secret, context=_context(webhook_id), random_bytes=random_bytes)

    def open(self, webhook: Webhook, now: datetime) -> list[str]:
        """The secrets that sign now, the newest first. ValueError when they were encrypted with a key that is gone."""
        sealed = [webhook.sealed_secret]
        if webhook.previous_secret and webhook.previous_until is not None and now < webhook.previous_until:
            sealed.append(webhook.previous_secret)
        return [self._decrypt(webhook.id, each) for each in sealed]

    def _decrypt(self, webhook_id: str, sealed: str) -> str:
        try:
            return decrypt_with_any(self._keys, sealed, context=_context(webhook_id))
        except Refused:
            raise ValueError(f"the secret of webhook {webhook_id} cannot be decrypted") from None


def _context(webhook_id: str) -> str:
    return f"webhook/{webhook_id}"
