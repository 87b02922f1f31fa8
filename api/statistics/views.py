"""Statistics as people see them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from domain.statistics.changes import BASE, MODEL, REASON
from domain.statistics.table import By, Cohort, PeriodStatistics, StatisticsScope, StatisticsTable, add_sums
from schemas.bodies.statistics import ReasonCounts, RetentionRow, StatisticsCounts, StatisticsRow, StatisticsView
from streams.tables.sketches import ThetaSketch, merge_sketches

COUNTS = ("questions", "answered", "not_found", "unsourced", "courtesy", "failed", "cancelled", "cached")
TOTALS = ("prompt_tokens", "completion_tokens", "cost_micros", "documents")
COLUMNS = (
    *("start", "end", "active_accounts", "registered_accounts", "exact"),
    *StatisticsCounts.__struct_fields__,
)


async def read_statistics(table: StatisticsTable, scope: StatisticsScope, first: date, last: date, by: By, today: date) -> StatisticsView:
    """From the first to the last day. Raises Unavailable."""
    rows = await table.rows(scope, first, last, by)
    cohorts = await table.cohorts(scope, first, last, today) if scope.registered else []
    sums = add_sums([row.sums for row in rows])
    active, registered = merge_sketches(row.active for row in rows), merge_sketches(row.registered for row in rows)
    end = last + timedelta(days=1)
    return StatisticsView(
        time_zone=table.zone_name,
        start=first,
        end=end,
        by=by,
        total=_row(PeriodStatistics(first, end, active, registered, sums), scope),
        items=tuple(_row(row, scope) for row in rows),
        models={name: _counts(some) for name, some in _split(sums, MODEL)},
        knowledge_bases={name: _counts(some) for name, some in _split(sums, BASE)},
        reasons={name: ReasonCounts(up=some.get("up", 0), down=some.get("down", 0)) for name, some in _split(sums, REASON)},
        retention=tuple(map(_retention, cohorts)),
    )


def table_lines(view: StatisticsView) -> Iterator[Sequence[str]]:
    """The rows as cells, with a head."""
    yield COLUMNS
    for row in view.items:
        own = (row.start, row.end, row.active_accounts, row.registered_accounts, row.exact)
        counts = (getattr(row.counts, name) for name in StatisticsCounts.__struct_fields__)
        yield ["" if cell is None else str(cell).lower() if isinstance(cell, bool) else str(cell) for cell in (*own, *counts)]


def _row(row: PeriodStatistics, scope: StatisticsScope) -> StatisticsRow:
    return StatisticsRow(
        start=row.start,
        end=row.end,
        active_accounts=row.active.size if scope.active else None,
        registered_accounts=row.registered.size if scope.registered else None,
        exact=row.active.is_exact and row.registered.is_exact,
        counts=_counts(row.sums),
    )


def _counts(sums: Mapping[str, int]) -> StatisticsCounts:
    up, down = sums.get("up", 0), sums.get("down", 0)
    return StatisticsCounts(
        **{name: sums.get(name, 0) for name in (*COUNTS, *TOTALS)},
        feedback_up=up,
        feedback_down=down,
        up_share=round(up / (up + down), 4) if up + down > 0 else None,
    )


def _split(sums: Mapping[str, int], kind: str) -> list[tuple[str, dict[str, int]]]:
    """The sums of fields such as ``up:model:glm-4`` by what they name."""
    found: dict[str, dict[str, int]] = {}
    for field, value in sums.items():
        what, _, rest = field.partition(":")
        of, _, name = rest.partition(":")
        if of == kind and value:
            found.setdefault(name, {})[what] = value
    return sorted(found.items())


def _retention(cohort: Cohort) -> RetentionRow:
    whole, parts = cohort.registered.size, cohort.retained
    return RetentionRow(
        day=cohort.day,
        accounts=whole,
        day_1=_share(parts[1], whole),
        day_7=_share(parts[7], whole),
        day_30=_share(parts[30], whole),
        exact=cohort.registered.is_exact and all(each is None or each.is_exact for each in parts.values()),
    )


def _share(part: ThetaSketch | None, whole: int) -> float | None:
    return None if part is None else round(min(1.0, part.size / whole), 4) if whole else 0.0
