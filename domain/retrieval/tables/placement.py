"""Conditions with the columns that they are on, in the units of those columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from domain.retrieval.tables.columns import Mention, measured_columns
from domain.retrieval.tables.conditions import Condition
from domain.retrieval.tables.table import Column, Table
from domain.retrieval.tables.units import BARE, Unit, is_known, is_scaled, read_unit

ROWS_LOOKED_AT = 200  # to see in which units a column is
YEARS = range(1, 10_000)
PERCENT, HUNDRED = Decimal("0.01"), 100


@dataclass(frozen=True, slots=True)
class Placed:
    """A condition on a column; ``value`` as ``Table.value`` gives the column's cells. ``told``: what was made of the words."""

    column: int
    condition: Condition
    value: Decimal
    told: str = ""

    def is_fulfilled(self, table: Table, row: int) -> bool:
        """Whether the row's cell fulfils it; one without a value does not."""
        column = table.columns[self.column]
        value = table.value(row, column)
        if value is None:
            return False
        if self.condition.is_date and column.kind == "number":
            value = Decimal(date(int(value), 1, 1).toordinal()) if int(value) in YEARS else value
        match self.condition.comparison:
            case ">":
                return value > self.value
            case ">=":
                return value >= self.value
            case "<":
                return value < self.value
            case "<=":
                return value <= self.value
            case _:
                return column.kind == "date" and date.fromordinal(int(value)).month == self.value


def place_conditions(conditions: Sequence[Condition], mentions: Sequence[Mention], table: Table) -> tuple[list[Placed], tuple[int, ...]]:
    """Each condition with the column that it is about; or the columns between which one cannot decide."""
    placed: list[Placed] = []
    for condition in conditions:
        able = _able_columns(condition, table)
        near = _near_columns(condition, able, mentions, table)
        if len(near) != 1:
            return placed, tuple(column.index for column in near or table.columns)
        value, told = _value_in(near[0], condition, table)
        if value is None:
            return placed, (near[0].index,)
        placed.append(Placed(near[0].index, condition, value, told or condition.told))
    return placed, ()


def _able_columns(condition: Condition, table: Table) -> list[Column]:
    """The columns on which it can be at all: dates, or numbers of what its unit measures."""
    measured = measured_columns(table)
    if condition.is_date:
        dates = [column for column in measured if column.kind == "date"]
        # a column of years holds no months
        years = [] if condition.is_within_year else [column for column in measured if table.holds_years(column)]
        return dates or years
    able = [column for column in measured if column.kind in ("number", "time")]
    if condition.is_sign:
        able = [column for column in able if any((table.value(row, column) or 0) < 0 for row in range(len(table.rows)))]
    unit = read_unit(condition.unit)
    if is_known(unit):
        same = [column for column in able if unit.dimension in _dimensions(column, table)]
        return same or [column for column in able if _dimensions(column, table) <= {""}]
    # of more than a hundred without a unit, no column of percentages is meant
    shares = condition.value > HUNDRED and not condition.is_sign
    return [column for column in able if not shares or "ratio" not in _dimensions(column, table)]


def _near_columns(condition: Condition, able: Sequence[Column], mentions: Sequence[Mention], table: Table) -> list[Column]:
    """Of these the one that the question names, last before the condition; else the one with its unit; else all."""
    named = {mention.column: mention for mention in mentions}
    near = [column for column in able if column.index in named]
    if not near and condition.unit:
        near = [column for column in able if has_unit(table, column, condition.unit)]
    near = near or list(able)
    if len(near) > 1:
        before = [column for column in near if column.index in named and named[column.index].start <= condition.start]
        near = [max(before, key=lambda column: named[column.index].start)] if before else near
    return near


def _dimensions(column: Column, table: Table) -> set[str]:
    """What the numbers of a column measure; {""} where it has no units."""
    units = table.units(column.index, range(min(len(table.rows), ROWS_LOOKED_AT)))
    found = {read_unit(unit).dimension for unit in units if unit}
    return found | ({column.scale.dimension} if "" in units or not found else set())


def _value_in(column: Column, condition: Condition, table: Table) -> tuple[Decimal | None, str]:
    """The condition's value as the column's cells are read, and how it was understood where that needs saying; None: nobody can tell."""
    if condition.is_date or column.kind != "number" or condition.is_sign:
        return condition.value, ""
    unit, dimensions = read_unit(condition.unit), _dimensions(column, table)
    if unit.dimension == "ratio" and "ratio" not in dimensions:
        return (condition.value * unit.factor, "") if _holds_fractions(column, table) else (condition.value, "")
    if is_known(unit):
        return (condition.value * unit.factor, "") if unit.dimension in dimensions else (condition.value, "")
    own = _bare_unit(column, condition, table)
    if own is None:
        return None, ""
    if own.dimension == "ratio" and 0 < condition.value < 1 and not _holds_less_than(table, column, PERCENT):
        return condition.value, f"{(condition.value * 100).normalize():f}%"
    return condition.value * own.factor, ""


def _bare_unit(column: Column, condition: Condition, table: Table) -> Unit | None:
    """The unit of a number that the question gives without one: the column's; None where the cells have several."""
    if is_known(column.scale) or column.scale.factor != 1:
        if condition.is_scaled and is_scaled(column.unit):  # 超过五万, in a column of 万元
            return BARE
        return column.scale
    units = {read_unit(unit) for unit in table.units(column.index, range(len(table.rows))) if unit}
    known = {unit for unit in units if is_known(unit)}
    if len(known) > 1:
        return None
    return next(iter(known), BARE)


def _holds_fractions(column: Column, table: Table) -> bool:
    return all(-1 <= value <= 1 for row in range(len(table.rows)) if (value := table.value(row, column)) is not None)


def _holds_less_than(table: Table, column: Column, least: Decimal) -> bool:
    return any(0 < value < least for row in range(len(table.rows)) if (value := table.value(row, column)) is not None)


def has_unit(table: Table, column: Column, unit: str) -> bool:
    """Whether a column is in this unit: as its header, its name or its cells say."""
    if not unit.strip():
        return False
    if column.unit and (column.unit.startswith(unit) or unit in column.unit.split("/")):
        return True
    if unit in column.folded.split() or (not unit.isascii() and unit in column.folded):
        return True
    some = range(min(len(table.rows), 50))
    return any(one.startswith(unit) or one.split("/")[0] == unit for one in table.units(column.index, some) if one)
