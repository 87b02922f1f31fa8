"""Statistics of use by day, week or month."""

from datetime import date
from typing import Literal

from msgspec import Struct


class StatisticsCounts(Struct, frozen=True, kw_only=True):
    """``questions`` by how they ended: ``answered`` with citations, ``not_found`` in the knowledge bases, ``unsourced`` (an answer without
    citations), ``courtesy`` (to a greeting and the like), ``failed``, ``cancelled``; ``cached`` of them cost nothing.

    Ratings count on the day of their answer, the last one of each answer; ``up_share`` is null without any. Tokens and cost include all
    work of models, ``cost_micros`` in millionths of the installation's currency. ``documents``: submitted ones, new versions too.
    """

    questions: int = 0
    answered: int = 0
    not_found: int = 0
    unsourced: int = 0
    courtesy: int = 0
    failed: int = 0
    cancelled: int = 0
    cached: int = 0
    feedback_up: int = 0
    feedback_down: int = 0
    up_share: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_micros: int = 0
    documents: int = 0


class StatisticsRow(Struct, frozen=True, kw_only=True):
    """One day, week or month, of which only the days from ``start`` to before ``end`` are counted. Active is an account that asked, rated
    or submitted a document; null in the statistics of one account. ``exact``: whether these two numbers are no estimates.
    """

    start: date
    end: date
    active_accounts: int | None
    registered_accounts: int | None
    exact: bool
    counts: StatisticsCounts


class ReasonCounts(Struct, frozen=True, kw_only=True):
    """Ratings with this tag."""

    up: int = 0
    down: int = 0


class RetentionRow(Struct, frozen=True, kw_only=True):
    """The accounts that registered on ``day``, and which share of them was active 1, 7 and 30 days later; null while that day is not over.

    ``exact``: whether the numbers are no estimates.
    """

    day: date
    accounts: int
    day_1: float | None
    day_7: float | None
    day_30: float | None
    exact: bool


class StatisticsView(Struct, frozen=True, kw_only=True):
    """The days from ``start`` to before ``end`` in ``time_zone``, as rows ``by`` day, week or month and in total. ``models``, ``reasons``
    and ``knowledge_bases`` have the counts that are known by them; those of a knowledge base only in the statistics of a tenant.
    """

    time_zone: str
    start: date
    end: date
    by: Literal["day", "week", "month"]
    total: StatisticsRow
    items: tuple[StatisticsRow, ...]
    models: dict[str, StatisticsCounts]
    knowledge_bases: dict[str, StatisticsCounts]
    reasons: dict[str, ReasonCounts]
    retention: tuple[RetentionRow, ...]
