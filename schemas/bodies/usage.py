"""Usage: what was spent, in which stretch of time, on which model; what is left of the quotas."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from schemas.settings.quotas import Measure, Period


class SpentView(Struct, frozen=True, kw_only=True):
    """``messages``: answers, of which ``cached`` came from the cache and cost nothing.

    Tokens and cost also of what models wrote beside the answers. ``cost_micros``: millionths of the installation's currency.
    """

    messages: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int = 0


class UsageItem(Struct, frozen=True, kw_only=True):
    """One stretch of time; those in which nothing was spent are left out."""

    start: datetime
    total: SpentView
    models: dict[str, SpentView]


class QuotaView(Struct, frozen=True, kw_only=True):
    """One quota of the caller's tier; it starts anew at ``resets_at``."""

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
    """What the tenant's knowledge bases hold now."""

    documents: int
    bytes: int
    chunks: int


class TenantUsageView(UsageView, frozen=True, kw_only=True):
    """Everybody's, or the chosen account's or key's; ``storage`` is always the whole tenant's."""

    storage: StorageView
