"""Keys derived from the installation's secrets: every purpose has one of its own, so what was made for one never passes for another."""

from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


@lru_cache(maxsize=64)  # a few secrets and purposes
def derive_key(secret: str, purpose: bytes) -> bytes:
    """256 bits (HKDF-SHA256)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret.encode())
