"""The answer to a question from a table: which rows, and what was worked out from them.

Nothing is guessed. A question with words that neither its form nor the table explains is not about the table; one that is, but leaves open
which column it means, or meets numbers in different units, or a table of which a part is missing, is told so with the rows nearest.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from heapq import nlargest, nsmallest
from statistics import median

from adapters.text.labels import is_form, is_label
from adapters.text.language import Haystack, Language, content_terms, fold, language_of
from domain.retrieval.tables import statements
from domain.retrieval.tables.columns import NAMING, PROPERTIES, Mention, columns_of, find_columns, measured_columns
from domain.retrieval.tables.selection import Selection, Value, prefer_values, select_rows
from domain.retrieval.tables.table import Column, Table
from domain.retrieval.tables.units import NOT_ADDED, read_unit
from domain.retrieval.tables.wording import ADJECTIVES, Asked, read_question

QUESTION_CHARS_MAX = 400
UNEXPLAINED_MAX = 0.34  # of the question's weight; measured with ``claw eval tables``, dev half
LOOKUP_UNEXPLAINED_MAX = 0.25
ROWS_SHOWN_MAX = 30  # of a list; 5 of what a number rests on
EVIDENCE_ROWS_MAX = 5
LOOKUP_ROWS_MAX = 30
GROUPS_MAX = 30
COMPARED = 2
_COUNTED = re.compile(r"最[多少]|\b(?:most|fewest)\b")  # of a superlative that counts rows
REACHED_MAX = 1_000  # rows with one and the same extreme value


@dataclass(frozen=True, slots=True)
class Finding:
    """``rows`` are those to show, in order. ``statement`` is "" where the rows say it all. ``score`` compares findings in several tables.

    ``is_computed`` is false for what was found to be impossible; ``missing`` are words of the question for which the table has no column.
    """

    statement: str
    rows: tuple[int, ...]
    score: float
    is_computed: bool = True
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Question:
    """A question read against a table."""

    asked: Asked
    table: Table
    mentions: Sequence[Mention]
    selection: Selection
    language: Language

    @property
    def targets(self) -> list[Column]:
        """The columns asked for: those named that choose no rows, strongest first."""
        chosen = self.selection.columns
        named = dict.fromkeys(mention.column for mention in self.mentions if mention.column not in chosen)
        return [self.table.columns[index] for index in named]

    @property
    def is_grouped(self) -> bool:
        """Whether a number for each value of a column is asked for; 每日 in a cell asks for none."""
        return self.asked.is_grouped and not any(value.text[:1] in ("每", "各") for value in self.selection.values)

    @property
    def counted_column(self) -> Column | None:
        """The column whose values are counted: the one named right behind the words that ask how many, or right before them."""
        said = [mention for mention in self.mentions if mention.end > mention.start and self.asked.counted >= 0]
        behind = [mention for mention in said if 0 <= mention.start - self.asked.counted <= 1]
        before = [mention for mention in said if mention.end == self.asked.asks_count]  # 学历有几种
        return self.table.columns[(behind or before)[0].column] if behind or before else None

    @property
    def conditions(self) -> str:
        """The conditions on the rows, for people."""
        told = []
        colon, denied = ("：", "不是 ") if self.language == "zh" else (": ", "not ")
        for value in self.selection.values:
            name = self.table.columns[value.column].name
            cells = {self.table.folded(row, value.column) for row in value.rows}
            shown = self.table.cell(value.rows[0], value.column) if len(cells) == 1 else value.text
            shown = denied + shown if value.is_excluded else shown
            told.append(f"{name}{colon}{shown}" if name else shown)
        for placed in self.selection.conditions:
            said = self.asked.question[placed.condition.start : placed.condition.end].strip()
            meant = f" = {placed.told}" if placed.told else ""
            told.append(f"{self.table.columns[placed.column].name} {said}{meant}")
        for column, wanted in self.selection.flags:
            yes, no = ("是", "否") if self.language == "zh" else ("yes", "no")
            told.append(f"{self.table.columns[column].name} = {yes if wanted else no}")
        empty = "未填写" if self.language == "zh" else "empty"
        told += [f"{self.table.columns[column].name}{colon}{empty}" for column in self.selection.gaps]
        return ("，" if self.language == "zh" else ", ").join(dict.fromkeys(told))

    def name_of(self, row: int, besides: int) -> str:
        """The name of a row: its first cell that says something in another column."""
        cells = self.table.rows[row].cells
        order = sorted(range(len(cells)), key=lambda index: self.table.columns[index].kind != "text")
        return next((cells[index] for index in order if cells[index] and index != besides), f"#{row + 1}")

    @property
    def has_unknown_property(self) -> bool:
        """Whether the question asks for a person, a place and the like, and no column holds such."""
        return any(each.asked.search(self.asked.question) and not columns_of(name, self.table.columns) for name, each in PROPERTIES.items())

    def missing_column(self) -> Finding:
        """The rows that the question names, and that the table does not have what it asks about them."""
        words = self.selection.left
        found = self.found(statements.no_such_column(self.language, words), self.selection.rows, is_computed=False)
        return replace(found, missing=words)

    def refuse(self, statement: str) -> Finding:
        """The finding that says why nothing was computed, with the first rows it is about."""
        return self.found(statement, self.selection.rows[:EVIDENCE_ROWS_MAX], is_computed=False)

    def found(self, statement: str, rows: Sequence[int], *, is_computed: bool = True) -> Finding:
        """A finding; better the more of the question the table explains."""
        named = 0.2 * min(3, len(self.selection.columns)) + 0.2 * max((mention.strength for mention in self.mentions), default=0.0)
        return Finding(statement, tuple(rows), 1.0 - self.selection.unexplained + named, is_computed)


def answer_question(question: str, table: Table, today: date | None = None) -> Finding | None:
    """The answer that the table gives; None when the question is not about it. Relative dates count from ``today``."""
    if not table.rows or _is_form(table):
        return None
    language, folded = language_of(question), fold(question[:QUESTION_CHARS_MAX])
    names = [level for column in table.columns for level in column.levels[-1:]]
    asked = read_question(folded, names, cells=table.denials, today=today if table.has_dates else None)
    if table.is_list:
        return _answer_from_list(asked, table, language)
    mentions, rest = find_columns(asked.rest, folded, table)
    mentions, rest = prefer_values(asked, rest, mentions, table)
    read = _Question(asked, table, mentions, select_rows(asked, rest, mentions, table), language)
    if asked.operation == "lookup" and (read.selection.values or not read.selection.is_filtered):
        finding = _look_up(read)
    else:
        finding = _answer_from_rows(read) if read.selection.unexplained <= UNEXPLAINED_MAX and _is_about(read) else None
    return None if read.selection.absent else finding


def _is_form(table: Table) -> bool:
    """Whether the rows are labels with their values: sentences about one thing, of which nothing is counted or compared."""
    return not table.is_list and not any(column.name for column in table.columns) and is_form([row.cells for row in table.rows])


def _answer_from_rows(read: _Question) -> Finding | None:
    """What the rows give; words that were not understood may be the very condition, so they are told, or leave no answer."""
    finding = _refuse(read) or _compute(read)
    if finding is None or not read.selection.left:
        return finding
    if not read.selection.is_filtered and read.asked.operation in ("list", "count"):
        return None
    return replace(finding, statement=finding.statement.rstrip("：:") + statements.not_considered(read.language, read.selection.left))


def _refuse(read: _Question) -> Finding | None:
    """Why the table cannot be computed with: a part of it is missing, or a condition may be on several columns."""
    table = read.table
    if not table.whole:
        return read.refuse(statements.partial_table(read.language, len(table.rows), table.total))
    if read.asked.operation == "beyond":
        return read.refuse(statements.beyond(read.language))
    if read.selection.unclear:
        return read.refuse(statements.unclear_columns(read.language, [table.columns[index] for index in read.selection.unclear]))
    return None


def _is_about(read: _Question) -> bool:
    """Whether the question names something of the table: rows, columns, or what it is about."""
    if read.selection.is_filtered or read.mentions:
        return True
    said = content_terms(read.asked.rest)
    return bool(said) and all(read.table.knows(term) for term in said)


def _compute(read: _Question) -> Finding | None:
    asked = read.asked
    match asked.operation:
        case "compare":
            return _compare(read)
        case "max" | "min":
            return _extreme_group(read) or _extreme(read)
        case "sum" | "mean" | "median":
            return _total(read)
        case "count":
            return _count(read)
        case _:
            return _list(read)


def _look_up(read: _Question) -> Finding | None:
    """The rows that the question names, when it asks for nothing that the table does not have."""
    selection = read.selection
    if not selection.values or not selection.rows or len(selection.rows) > LOOKUP_ROWS_MAX:
        return None
    whole = any(value.whole for value in selection.values)
    if _names_property(read):
        return read.found(statements.found_row(read.language), selection.rows)
    if not read.targets and (selection.left or read.has_unknown_property):
        few = len(selection.rows) <= EVIDENCE_ROWS_MAX and selection.unexplained <= 2 * UNEXPLAINED_MAX
        # what sentences in cells say, no column names
        return read.missing_column() if whole and few and not any(column.is_prose for column in read.table.columns) else None
    if selection.unexplained > LOOKUP_UNEXPLAINED_MAX:
        return None
    count = len(selection.rows)
    statement = statements.found_row(read.language) if count == 1 else statements.list_rows(read.language, count, count, read.conditions)
    return read.found(statement, selection.rows)


def _names_property(read: _Question) -> bool:
    """Whether the row is the property that is asked for: 联系人 in a table of items and what they are."""
    named = all(one.whole and not one.column and is_label(one.text) for one in read.selection.values)
    return named and len(read.table.columns) == 2 and len(read.selection.rows) == 1  # noqa: PLR2004


def _list(read: _Question) -> Finding | None:
    rows = read.selection.rows
    if not rows:
        return (
            read.found(statements.no_rows(read.language, len(read.table.rows), read.conditions), ()) if read.selection.is_filtered else None
        )
    if len(rows) == len(read.table.rows) and read.selection.values and not read.asked.negations:
        return None
    shown = rows[:ROWS_SHOWN_MAX]
    return read.found(statements.list_rows(read.language, len(shown), len(rows), read.conditions), shown)


def _count(read: _Question) -> Finding | None:
    table, rows = read.table, read.selection.rows
    if read.is_grouped:
        return _group(read, "count")
    numbers = [column for column in read.targets if column.kind == "number" and not NAMING.search(column.folded)]
    column = read.counted_column
    if numbers and (column is None or column.kind != "text"):  # how many employees: the numbers are counts themselves
        if len(rows) == 1:
            return read.found(statements.found_row(read.language), rows)
        return _total(read)
    if not rows:
        return read.found(statements.no_rows(read.language, len(table.rows), read.conditions), ())
    if column is not None and column.index:
        different = {table.folded(row, column.index) for row in rows} - {""}
        if len(different) < len(rows):
            statement = statements.count_values(read.language, column, len(different), read.conditions)
            return read.found(statement, rows[:EVIDENCE_ROWS_MAX])
    return read.found(statements.count_rows(read.language, len(rows), len(table.rows), read.conditions), rows[:ROWS_SHOWN_MAX])


def _measured_target(read: _Question) -> tuple[Column | None, list[Column]]:
    """The column to measure, or those between which the question does not decide."""
    able = measured_columns(read.table)
    named = [mention for mention in read.mentions if read.table.columns[mention.column] in able]
    outside = [mention for mention in named if mention.column not in read.selection.columns] or named
    if outside:
        strongest = outside[0].strength
        best = [read.table.columns[mention.column] for mention in outside if mention.strength == strongest]
        if len(best) > 1 and read.asked.property:
            best = columns_of(read.asked.property, best) or best
        return (best[0], []) if len(best) == 1 else (None, best)
    if read.asked.property:
        meant = columns_of(read.asked.property, able)
        if not meant and read.asked.property == "time":
            meant = [column for column in able if column.kind in ("date", "time")]
        return (meant[0], []) if len(meant) == 1 else (None, meant)
    if len(able) == 1:
        return able[0], []
    for name, pattern in ADJECTIVES.items():
        meant = columns_of(name, able) if pattern.search(read.asked.question) else []
        if len(meant) == 1:
            return meant[0], []
    return None, able


def _values(read: _Question, column: Column) -> list[tuple[int, Decimal]]:
    pairs = ((row, read.table.value(row, column)) for row in read.selection.rows)
    return [(row, value) for row, value in pairs if value is not None]


def _impossible(read: _Question, column: Column | None, unclear: Sequence[Column]) -> Finding | None:
    """The finding that says why nothing can be measured; None when something can."""
    if column is None:
        return read.refuse(statements.unclear_columns(read.language, unclear)) if unclear else None
    units = read.table.mixed_units(column, read.selection.rows)
    return read.refuse(statements.mixed_units(read.language, column, units)) if units else None


def _extreme(read: _Question) -> Finding | None:
    column, unclear = _measured_target(read)
    problem = _impossible(read, column, unclear)
    if problem is not None or column is None:
        return problem
    values = _values(read, column)
    if not values:
        return read.refuse(statements.unclear_columns(read.language, []))
    most = read.asked.operation == "max"
    # by a heap, whose steps are Python's: sorting 50,000 values at once would hold the interpreter lock
    order = nlargest if most else nsmallest
    if read.asked.rank > 1:
        ranked = order(read.asked.rank, {value for _, value in values})
        if len(ranked) < read.asked.rank:
            return read.found(statements.too_few(read.language, column, len(ranked)), read.selection.rows, is_computed=False)
        reached = [(row, value) for row, value in values if value == ranked[-1]][:REACHED_MAX]
    else:
        last = order(read.asked.top, (value for _, value in values))[-1]
        reached = [(row, value) for row, value in values if (value >= last if most else value <= last)][:REACHED_MAX]
    chosen = [row for row, _ in sorted(reached, key=lambda pair: pair[1], reverse=most)][:ROWS_SHOWN_MAX]
    told = [(read.name_of(row, column.index), read.table.cell(row, column.index)) for row in chosen]
    say = statements.extreme(read.language, read.asked.operation, column, told, read.conditions, rank=read.asked.rank)
    return read.found(say, chosen)


def _extreme_group(read: _Question) -> Finding | None:
    """The group whose count, sum or mean is the largest; None where the question compares rows."""
    table, aggregate = read.table, read.asked.aggregate
    named = [mention for mention in read.mentions if mention.end > mention.start and mention.column not in read.selection.columns]
    groups = [table.columns[mention.column] for mention in sorted(named, key=lambda one: one.start)]
    groups = [column for column in groups if column.kind == "text" and len(table.values[column.index]) < len(table.rows)]
    able = measured_columns(table)
    numbers = [table.columns[mention.column] for mention in read.mentions if table.columns[mention.column] in able]
    if not groups or (not aggregate and (numbers or read.asked.property or not _COUNTED.search(read.asked.question))):
        return None
    column, number = groups[0], None
    if aggregate:
        number, unclear = _measured_target(read)
        problem = _impossible(read, number, unclear)
        if problem is not None or number is None:
            return problem
    found = _reduce_groups(read, column, number, aggregate or "count")
    wanted = sorted(found, key=lambda each: each.value, reverse=read.asked.operation == "max")
    values = list(dict.fromkeys(each.value for each in wanted))
    if len(values) < read.asked.rank:
        return None
    last = values[read.asked.rank - 1] if read.asked.rank > 1 else wanted[min(read.asked.top, len(wanted)) - 1].value
    first = last if read.asked.rank > 1 else values[0]
    chosen = [each for each in wanted if min(first, last) <= each.value <= max(first, last)][:GROUPS_MAX]
    told = [(each.name, each.told) for each in chosen]
    what = _what_of(read, number, aggregate or "count")
    rows = [row for each in chosen for row in each.rows]
    say = statements.extreme_group(read.language, read.asked.operation, column, what, told, read.conditions, rank=read.asked.rank)
    return read.found(say, rows[:ROWS_SHOWN_MAX])


def _total(read: _Question) -> Finding | None:
    if read.is_grouped:
        return _group(read, read.asked.operation)
    column, unclear = _measured_target(read)
    problem = _impossible(read, column, unclear)
    if problem is not None or column is None:
        return problem
    values = _values(read, column)
    if not values or column.kind != "number":
        return read.refuse(statements.unclear_columns(read.language, []))
    missing = len(read.selection.rows) - len(values)
    if read.asked.operation == "sum" and (units := _not_added(read, column)):
        return read.refuse(statements.mixed_units(read.language, column, units))
    unit = _unit_told(read, column)
    value = _reduce(column, [each for _, each in values], read.asked.operation, unit)
    say = {"mean": statements.mean, "median": statements.median}.get(read.asked.operation, statements.total)
    rows = [row for row, _ in values]
    return read.found(say(read.language, column, value, unit, len(values), missing, read.conditions), rows[:EVIDENCE_ROWS_MAX])


def _not_added(read: _Question, column: Column) -> list[str]:
    """Units whose relation is a matter of convention, where several are in the rows."""
    units = read.table.units(column.index, read.selection.rows) - {""}
    return sorted(units) if len(units) > 1 and any(read_unit(unit).dimension in NOT_ADDED for unit in units) else []


def _unit_told(read: _Question, column: Column) -> str:
    """The unit that the question asks for (多少公斤, "in kg"), where it measures the same; else the column's."""
    own = read.table.unit_of(column, read.selection.rows)
    unit = read.asked.unit
    return unit if unit and own and unit != own and read_unit(unit).dimension == read_unit(own).dimension else own


def _reduce(column: Column, values: Sequence[Decimal], operation: str, unit: str) -> Decimal:
    """The sum, mean or median of values in the base unit, in the unit in which it is told."""
    factor = read_unit(unit).factor if unit else column.scale.factor
    shown = [value / factor for value in values]
    whole = sum(shown, Decimal(0))
    if operation not in ("mean", "median"):
        return whole if factor == 1 else round(whole, statements.PLACES_MAX)
    places = max((-int(value.as_tuple().exponent) for value in shown if isinstance(value.as_tuple().exponent, int)), default=0)
    step = Decimal(1).scaleb(-min(max(places, 0) + 2, statements.PLACES_MAX))
    return (median(shown) if operation == "median" else whole / len(shown)).quantize(step, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows with the same value in a column, and what was worked out from them."""

    name: str
    rows: tuple[int, ...]
    value: Decimal
    told: str


def _reduce_groups(read: _Question, column: Column, number: Column | None, operation: str) -> list[_Group]:
    """Counts, sums or means by the values of a column; a group without a number is left out where one is asked for."""
    table, chosen = read.table, frozenset(read.selection.rows)
    unit = "" if number is None else _unit_told(read, number)
    found: list[_Group] = []
    for rows in table.values[column.index].values():
        own = tuple(row for row in rows if row in chosen)
        values = [value for row in own if number and (value := table.value(row, number)) is not None]
        name = table.cell(rows[0], column.index)
        if number is not None and values:
            value = _reduce(number, values, operation if operation in ("mean", "median") else "sum", unit)
            found.append(_Group(name, own, value, statements.amount(value, unit)))
        elif own and number is None:
            found.append(_Group(name, own, Decimal(len(own)), str(len(own))))
    return found


def _what_of(read: _Question, number: Column | None, operation: str) -> str:
    """What was worked out for each group, in words."""
    words = {
        "zh": {"count": "行数", "sum": "的合计", "mean": "的平均", "median": "的中位数"},
        "en": {"count": "rows", "sum": " total", "mean": " average", "median": " median"},
    }
    return (number.name if number else "") + words[read.language][operation if number else "count"]


def _group(read: _Question, operation: str) -> Finding | None:
    """Counts, sums or means by the values of the column that the question names."""
    table = read.table
    by = [column for column in read.targets if column.kind in ("text", "flag")]
    repeated = [column for column in by if len(table.values[column.index]) < len(table.rows)]
    if not repeated:
        return read.refuse(statements.not_grouped(read.language))
    number = next((each for each in read.targets if each.kind == "number"), None)
    if number is not None and (problem := _impossible(read, number, ())):
        return problem
    found = [(each.name, each.told) for each in _reduce_groups(read, repeated[0], number, operation)]
    what = _what_of(read, number, operation)
    return read.found(statements.groups(read.language, repeated[0], what, found[:GROUPS_MAX]), read.selection.rows[:EVIDENCE_ROWS_MAX])


def _compare(read: _Question) -> Finding | None:
    """Two rows of one column beside each other."""
    pairs = _find_pairs(read)
    if pairs is None:
        if len(read.selection.values) <= 1:
            return None
        shown = read.selection.rows[:ROWS_SHOWN_MAX]
        return read.found(statements.list_rows(read.language, len(shown), len(read.selection.rows), ""), shown)
    if any(len(rows) != 1 for rows in pairs):  # several rows of one name: which of them is meant, the question does not say
        rows = sorted({row for rows in pairs for row in rows})
        shown = tuple(rows[:ROWS_SHOWN_MAX])
        return read.found(statements.list_rows(read.language, len(shown), len(rows), ""), shown) if rows else None
    pair = [rows[0] for rows in pairs]
    column, unclear = _measured_target(read)
    problem = _impossible(read, column, unclear) if column is None else None
    if problem is not None or column is None:
        return None if problem is None else Finding(problem.statement, tuple(pair), problem.score, is_computed=False)
    table = read.table
    values = [table.value(row, column) for row in pair]
    if values[0] is None or values[1] is None or table.mixed_units(column, pair):
        return read.found(statements.list_rows(read.language, COMPARED, COMPARED, ""), pair)
    order = sorted(zip(values, pair, strict=True), key=lambda each: -Decimal(each[0] or 0))
    (more, first), (less, second) = order
    unit = table.unit_of(column, pair)
    between = (Decimal(more or 0) - Decimal(less or 0)) / (read_unit(unit).factor if unit else column.scale.factor)
    gap = statements.amount(round(between, statements.PLACES_MAX), unit.partition("/")[0]) if more != less else ""
    told = [(read.name_of(row, column.index), table.cell(row, column.index)) for row in (first, second)]
    return read.found(statements.compare(read.language, column, told[0], told[1], gap), (first, second))


def _find_pairs(read: _Question) -> list[list[int]] | None:
    """The rows of the two values of one column that are compared, as far as what else the question says leaves them."""
    by_column: dict[int, list[Value]] = {}
    for value in read.selection.values:
        others = by_column.setdefault(value.column, [])
        if all(other.rows != value.rows for other in others):  # the lamp of each of two regions is one product
            others.append(value)
    two = next((column for column, values in by_column.items() if len(values) == COMPARED), None)
    if two is None:
        return None
    left = set(range(len(read.table.rows)))
    for column, values in by_column.items():
        if column != two:
            left &= {row for value in values for row in value.rows}
    return [[row for row in value.rows if row in left] for value in by_column[two]]


def _answer_from_list(asked: Asked, table: Table, language: Language) -> Finding | None:
    """The items of a list that the question is about: asked for all of them, or how many."""
    if asked.operation not in ("list", "count") or len(table.rows) < COMPARED:
        return None
    said = content_terms(asked.rest)
    introduced = fold(" ".join((table.part.caption, *(table.chunks[0].headings[-1:] if table.chunks else ()))))
    haystack = Haystack(introduced)
    held = [term for term in said if haystack.contains(term)]
    if not said or 2 * len(held) <= len(said) or asked.conditions:
        return None
    left = [term for term in said if not table.knows(term)]
    if 3 * len(left) > len(said):
        return None
    rows = range(len(table.rows))
    shown = rows[:ROWS_SHOWN_MAX]
    if asked.operation == "count" and table.whole:
        return Finding(statements.count_items(language, len(rows)), tuple(shown), 1.0)
    return Finding(statements.list_rows(language, len(shown), table.total, "", items=True), tuple(shown), 0.9 - len(left) / len(said))
