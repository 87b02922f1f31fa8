"""Secrets on the log, such as passwords of documents: encrypted with a key of the installation, bound to what they open."""

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable, Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.secrets.derived_keys import derive_key
from schemas.errors import Refused

VERSION = "v1."
NONCE_BYTES = 12
DOCUMENT_PASSWORD, CONFIG_VALUE = b"claw document password", b"claw config value"  # purposes: each has a key of its own


def encrypt(
    secret: str,
    text: str,
    *,
    context: str,
    purpose: bytes = DOCUMENT_PASSWORD,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> str:
    """``text`` as printable ASCII that only ``decrypt`` with the same secret, context and purpose can read (AES-256-GCM)."""
    nonce = random_bytes(NONCE_BYTES)
    sealed = AESGCM(derive_key(secret, purpose)).encrypt(nonce, text.encode(), context.encode())
    return VERSION + base64.urlsafe_b64encode(nonce + sealed).decode()


def decrypt(secret: str, sealed: str, *, context: str, purpose: bytes = DOCUMENT_PASSWORD) -> str:
    """The text. Raises Refused("password_required") when it was encrypted with another secret, context or purpose."""
    try:
        raw = base64.b64decode(sealed.removeprefix(VERSION), altchars=b"-_", validate=True)
        if not sealed.startswith(VERSION):
            raise _decryption_failure()
        return AESGCM(derive_key(secret, purpose)).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode()).decode()
    except (InvalidTag, binascii.Error, ValueError):
        raise _decryption_failure() from None


def decrypt_with_any(secrets: Iterable[str], sealed: str, *, context: str, purpose: bytes = DOCUMENT_PASSWORD) -> str:
    """The text by the first of the secrets that opens it, such as the present one and those before it. Raises like ``decrypt``."""
    for secret in secrets:
        try:
            return decrypt(secret, sealed, context=context, purpose=purpose)
        except Refused:
            continue
    raise _decryption_failure()


def fingerprint(secret: str, text: str) -> str:
    """A keyed hash in hex, equal for equal texts only."""
    return hmac.new(derive_key(secret, b"claw fingerprint"), text.encode(), "sha256").hexdigest()


def _decryption_failure() -> Refused:
    return Refused("password_required", "the password given with the file cannot be opened any more: send the file again with it")
