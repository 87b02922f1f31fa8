"""Lists: one page, and the cursor of the next."""

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class RequestBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of request bodies: unknown fields are refused, not ignored."""


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """``next_cursor`` is null on the last page; cursors are opaque."""

    items: tuple[T, ...]
    next_cursor: str | None = None
