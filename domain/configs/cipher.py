"""Encryption of sensitive values on the log: bound to their key, readable by processes with the installation's secret."""

import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from adapters.secrets.encryption import CONFIG_VALUE, decrypt_with_any, encrypt, fingerprint
from domain.configs.errors import CONFIG_UNREADABLE
from domain.configs.settings import ConfigSettings
from schemas.configs import EncryptedValue
from schemas.errors import ConfigurationError, Refused
from schemas.settings import Settings
from schemas.settings.section import Secret

FINGERPRINT_CHARS = 16
SECRET_BYTES_MIN = 32


class ConfigCipher:
    """``secret`` encrypts; ``previous`` ones are tried as well when something is decrypted."""

    def __init__(self, secret: Secret, *previous: Secret, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._secret, self._random_bytes = secret, random_bytes
        self._readable = tuple(each.reveal() for each in (secret, *previous) if each)

    @classmethod
    def of(cls, settings: Settings) -> "ConfigCipher":
        """By the settings of this process. Raises ConfigurationError for a secret that is too short."""
        own = settings.of(ConfigSettings)
        if own.secret and (length := len(own.secret.reveal().encode())) < SECRET_BYTES_MIN:
            raise ConfigurationError(f"CLAW_CONFIG_SECRET: {length} bytes are too short, at least {SECRET_BYTES_MIN} are needed")
        if own.secret:
            return cls(own.secret, own.previous_secret)
        return cls(settings.auth.secret, own.previous_secret, settings.auth.previous_secret)

    @property
    def secret_id(self) -> str:
        """Tells secrets apart without revealing them; "" for a process that has none."""
        return fingerprint(self._secret.reveal(), "the secret itself")[:FINGERPRINT_CHARS] if self._secret else ""

    def encrypt(self, key: str, value: Secret) -> EncryptedValue:
        """The value as it stands on the log."""
        secret, text = self._secret.reveal(), value.reveal()
        encrypted = encrypt(secret, text, context=_context(key), purpose=CONFIG_VALUE, random_bytes=self._random_bytes)
        return EncryptedValue(encrypted=encrypted, fingerprint=fingerprint(secret, f"{_context(key)} {text}")[:FINGERPRINT_CHARS])

    def decrypt(self, key: str, value: Any) -> Secret:
        """The value of the log. Raises Refused("config_unreadable") when it was encrypted with another secret, or for another key."""
        try:
            return Secret(decrypt_with_any(self._readable, encrypted_of(value).encrypted, context=_context(key), purpose=CONFIG_VALUE))
        except Refused:
            raise Refused(CONFIG_UNREADABLE, f"no secret of this process decrypts {key}") from None


def encrypted_of(value: Any) -> EncryptedValue:
    """The encrypted value in a record. Raises Refused("config_unreadable") for anything else."""
    try:
        return msgspec.convert(value, EncryptedValue)
    except msgspec.ValidationError:
        raise Refused(CONFIG_UNREADABLE, "the record has no encrypted value") from None


def _context(key: str) -> str:
    return f"config/{key}"
