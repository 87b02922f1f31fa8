"""Signatures that anybody with the public key can verify without this installation: Ed25519, by a key derived from the signing secret.

What is signed is JSON in one form: fields sorted by name, no spaces, UTF-8. Another signing secret has another key; certificates name the
key that signed them, and stay valid under it.
"""

import base64
import binascii
import hashlib
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from adapters.secrets.derived_keys import derive_key
from adapters.secrets.signing import SigningSecrets, url_text
from schemas.settings import AuthSettings

PURPOSE = b"claw erasure certificate"
ALGORITHM = "Ed25519"
KEY_BYTES = 32
KEY_ID_CHARS = 16


class PublicKey(Struct, frozen=True, kw_only=True):
    """A public key: 32 bytes in base64url without padding, and the beginning of their SHA-256 in hexadecimal as its name."""

    key_id: str
    public_key: str
    algorithm: str = ALGORITHM


class Signature(Struct, frozen=True, kw_only=True):
    """A signature (64 bytes in base64url) and the key to verify it with."""

    key_id: str
    public_key: str
    value: str
    algorithm: str = ALGORITHM


class CertificateSigner:
    """Raises ConfigurationError like ``SigningSecrets``."""

    def __init__(self, auth: AuthSettings) -> None:
        self._secrets = SigningSecrets(auth)
        self._key = Ed25519PrivateKey.from_private_bytes(derive_key(self._secrets.current, PURPOSE))

    @property
    def public_key(self) -> PublicKey:
        """The key that signs now."""
        return describe_key(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, statement: Any) -> Signature:
        """The signature of a statement; the same one for the same statement."""
        key = self.public_key
        return Signature(key_id=key.key_id, public_key=key.public_key, value=url_text(self._key.sign(canonical_json(statement))))


def canonical_json(statement: Any) -> bytes:
    """The bytes that are signed."""
    return msgspec.json.encode(msgspec.to_builtins(statement), order="sorted")


def is_valid(statement: Any, signature: Signature, public_key: str = "") -> bool:
    """Whether this public key, by default the one in the signature, signed the statement."""
    try:
        key = Ed25519PublicKey.from_public_bytes(decode_key(public_key or signature.public_key))
        key.verify(_decode(signature.value), canonical_json(statement))
    except (InvalidSignature, ValueError):
        return False
    return signature.algorithm == ALGORITHM


def describe_key(raw: bytes) -> PublicKey:
    """A public key by its 32 bytes."""
    return PublicKey(key_id=hashlib.sha256(raw).hexdigest()[:KEY_ID_CHARS], public_key=url_text(raw))


def decode_key(text: str) -> bytes:
    """The 32 bytes of a public key. Raises ValueError."""
    raw = _decode(text)
    if len(raw) != KEY_BYTES:
        raise ValueError(f"a public key has {KEY_BYTES} bytes, this one {len(raw)}")
    return raw


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64url: {error}") from None
