"""Opaque cursors of lists: a position as URL-safe text, and back."""

import base64
import binascii
from collections.abc import Mapping

import msgspec

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


def encode_offsets(before: Mapping[int, int]) -> str:
    """The offsets of a topic's partitions as a cursor."""
    return encode_cursor(msgspec.json.encode([*before.items()]))


def decode_offsets(cursor: str) -> dict[int, int]:
    """The offsets by partition. Raises Refused("validation_failed")."""
    try:
        return dict(msgspec.json.decode(decode_cursor(cursor), type=list[tuple[int, int]]))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise invalid_cursor() from None


def invalid_cursor() -> Refused:
    """The refusal of a cursor that no list returned."""
    error = FieldError("cursor", "is not a cursor that a list gave out", "leave it out to start from the first page")
    return Refused("validation_failed", "The cursor cannot be read.", errors=(error,))
