"""The address and the name that an erasure looks for: encrypted in its record until the final check, for the account goes first."""

import secrets
from collections.abc import Callable

import msgspec
from msgspec import Struct

from adapters.secrets.encryption import decrypt_with_any, encrypt
from schemas.errors import Refused
from schemas.settings import Settings

PURPOSE = b"claw erasure terms"


class ErasureTerms(Struct, frozen=True):
    """What a person is called in texts."""

    address: str = ""
    name: str = ""


class TermCipher:
    """Encrypts and decrypts the terms of an erasure, bound to its id."""

    def __init__(self, settings: Settings) -> None:
        self._keys = [key.reveal() for key in (settings.encryption_secret, settings.auth.previous_secret) if key]

    def seal(self, erasure_id: str, terms: ErasureTerms, random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
        """The terms as they stand on the log."""
        text = msgspec.json.encode(terms).decode()
        return encrypt(self._keys[0], text, context=erasure_id, purpose=PURPOSE, random_bytes=random_bytes)

    def open(self, erasure_id: str, sealed: str) -> ErasureTerms | None:
        """The terms; None when they were encrypted with a secret that is gone: addresses cannot be looked for then."""
        try:
            text = decrypt_with_any(self._keys, sealed, context=erasure_id, purpose=PURPOSE) if sealed else "{}"
        except Refused:
            return None
        return msgspec.json.decode(text, type=ErasureTerms)
