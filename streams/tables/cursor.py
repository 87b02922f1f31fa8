"""Opaque cursors of lists: a position as URL-safe text, and back."""

import base64
import binascii

from schemas.errors import FieldError, Refused


def encode_cursor(position: bytes) -> str:
    """The position as base64url without padding."""
    return base64.urlsafe_b64encode(position).decode().rstrip("=")


def decode_cursor(cursor: str) -> bytes:
    """The position; the caller checks that it is one of its own. Refused("validation_failed") for text that is not base64url."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise invalid_cursor() from None


def invalid_cursor() -> Refused:
    """The refusal of a cursor that no list returned."""
    error = FieldError("cursor", "is not a cursor that a list gave out", "leave it out to start from the first page")
    return Refused("validation_failed", "The cursor cannot be read.", errors=(error,))
