"""The cache as an admin sees it: the entries of their own tenant."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.bodies.pages import RequestBody

WARM_ITEMS_MAX = 200

Text = Annotated[str, Meta(min_length=1, max_length=200)]


class ScenarioView(Struct, frozen=True, kw_only=True):
    """``served_by``: ``cache`` has entries of ``life_s`` seconds (0 = off); ``table`` is a record table that its events keep up to date."""

    name: str
    summary: str
    served_by: Literal["cache", "table"]
    life_s: int | None = None
    warmable: bool = False


class ScenariosView(Struct, frozen=True, kw_only=True):
    """All scenarios."""

    items: tuple[ScenarioView, ...]


class ScenarioStats(Struct, frozen=True, kw_only=True):
    """Of the last 24 hours, over all processes. ``hit_rate``: the share of lookups without a computation; null before the first.

    ``shared`` lookups waited for another one's computation; ``dropped`` entries were outdated when they were read.
    """

    name: str
    hit_rate: float | None
    hit: int
    miss: int
    shared: int
    refresh: int
    stored: int
    too_large: int
    dropped: int
    entries: int | None = None


class StatsView(Struct, frozen=True, kw_only=True):
    """Scenarios that were used."""

    hours: int
    items: tuple[ScenarioStats, ...]


class EntryView(Struct, frozen=True, kw_only=True):
    """``key`` begins with the scenario's name; ``size_bytes`` as stored."""

    key: str
    scenario: str
    expires_in_s: float
    size_bytes: int


class CacheHealth(Struct, frozen=True, kw_only=True):
    """``down``: every lookup is a miss, and requests are served without the cache. ``round_trip_ms`` of one lookup now."""

    status: Literal["up", "down"]
    round_trip_ms: float | None = None
    entries: dict[str, int] = {}


class InvalidateRequest(RequestBody, frozen=True, kw_only=True):
    """Exactly one of them. ``prefix`` is the beginning of keys as they are listed, ``retrieval/…``; ``tag`` such as ``kb/<id>``."""

    scenario: Text | None = None
    tag: Text | None = None
    prefix: Text | None = None


class Invalidated(Struct, frozen=True, kw_only=True):
    """The number of removed ``entries``; null for a tag or a scenario, whose entries are not counted."""

    entries: int | None = None


class WarmSearch(RequestBody, frozen=True, kw_only=True):
    """A search to compute in advance."""

    query: Annotated[str, Meta(min_length=1, max_length=8_000)]
    knowledge_base_ids: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=100)]
    limit: Annotated[int, Meta(ge=1, le=50)] = 10


class WarmDocument(RequestBody, frozen=True, kw_only=True):
    """A document whose first page of chunks is read in advance."""

    knowledge_base_id: Text
    document_id: Text


class WarmupRequest(RequestBody, frozen=True, kw_only=True):
    """``searches`` for ``retrieval``, ``documents`` for ``document_content``; neither: those used in the last hour."""

    scenario: Literal["retrieval", "document_content"]
    searches: Annotated[tuple[WarmSearch, ...], Meta(max_length=WARM_ITEMS_MAX)] = ()
    documents: Annotated[tuple[WarmDocument, ...], Meta(max_length=WARM_ITEMS_MAX)] = ()


class WarmupView(Struct, frozen=True, kw_only=True):
    """The progress of a warm-up. ``failed`` items do not exist, or could not be computed."""

    id: str
    scenario: str
    state: Literal["running", "done", "failed"]
    total: int | None = None
    done: int = 0
    failed: int = 0
    started_at: datetime
    updated_at: datetime
