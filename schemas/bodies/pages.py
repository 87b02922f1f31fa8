"""Lists: one page and where the next one begins."""

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class RequestBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every request body: a field that is not known is refused, never ignored."""


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """``next_cursor`` is null on the last page; cursors are opaque."""

    items: tuple[T, ...]
    next_cursor: str | None = None
