"""Usage by window of time and by model, and what is left of the quotas."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.settings.quotas import Measure, Period


class SpentView(Struct, frozen=True, kw_only=True):
    """``messages``: answers, of which ``cached`` came from the cache and cost nothing.

    Tokens and cost include other work of models, such as summaries. ``reasoning_tokens``: completion tokens that were thinking;
    ``cached_tokens``: prompt tokens that the provider had cached. ``cost_micros``: millionths of the installation's currency.
    """

    messages: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    cost_micros: int = 0


class UsageItem(Struct, frozen=True, kw_only=True):
    """One window; windows without usage are left out."""

    start: datetime
    total: SpentView
    models: dict[str, SpentView]


class QuotaView(Struct, frozen=True, kw_only=True):
    """One quota of the caller's tier; it resets at ``resets_at``."""

    measure: Measure
    period: Period
    limit: int
    used: int
    left: int
    resets_at: datetime


class UsageView(Struct, frozen=True, kw_only=True):
    """``items`` are those that begin in [``start``, ``end``), oldest first; ``total`` and ``models`` are their sums."""

    window: Literal["minute", "hour", "day", "month"]
    start: datetime
    end: datetime
    total: SpentView
    models: dict[str, SpentView]
    items: tuple[UsageItem, ...]


class OwnUsageView(UsageView, frozen=True, kw_only=True):
    """With the quotas that are set for the caller's tier."""

    quotas: tuple[QuotaView, ...]


class StorageView(Struct, frozen=True, kw_only=True):
    """What the tenant's knowledge bases store now."""

    documents: int
    bytes: int
    chunks: int


class TenantUsageView(UsageView, frozen=True, kw_only=True):
    """Usage of all accounts, or of the chosen account or key; ``storage`` is always that of the whole tenant."""

    storage: StorageView
