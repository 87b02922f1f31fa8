"""The text of an API key: ``claw_<id><checksum>_<secret>``.

The checksum tells a key that was mistyped or pasted in part from one that was revoked, without a look-up, and lets a scanner of leaked
secrets recognise one. It stands before the secret, so that no part of a key looks like one of before there was a checksum
(``claw_<id>_<secret>``, still valid). It protects nothing: the secret does.
"""

import hashlib
import re
import zlib
from uuid import UUID

from domain.accounts.errors import API_KEY_MALFORMED
from schemas.errors import Refused

PREFIX = "claw_"
ID_CHARS, CHECKSUM_CHARS = 32, 6
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_KEY = re.compile(r"claw_([0-9a-f]{32})([0-9A-Za-z]{6})?_([A-Za-z0-9_-]{1,128})")


def key_text(credential_id: str, secret: str) -> str:
    """The key as its owner uses it."""
    hexadecimal = UUID(credential_id).hex
    return f"{PREFIX}{hexadecimal}{_checksum(hexadecimal, secret)}_{secret}"


def split_key(key: str) -> tuple[str, str]:
    """Credential id and secret. Raises Refused("api_key_malformed") for what no key of this product is, or for one that was damaged."""
    match = _KEY.fullmatch(key)
    if match is None or (match[2] is not None and match[2] != _checksum(match[1], match[3])):
        raise Refused(API_KEY_MALFORMED)
    return str(UUID(match[1])), match[3]


def key_hash(secret: str) -> str:
    """The stored hash of a key's secret; a plain hash is enough for 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(hexadecimal: str, secret: str) -> str:
    """CRC-32 in six digits of base 62: it changes with every wrong character, and with two that changed places."""
    rest, digits = zlib.crc32(f"{hexadecimal}_{secret}".encode()), ""
    for _ in range(CHECKSUM_CHARS):
        rest, digit = divmod(rest, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits
