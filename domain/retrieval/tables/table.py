"""A table read whole: its columns with what they hold, its rows with where they are cited from."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache

from adapters.index.port import Hit
from adapters.text.language import Haystack, content_terms, fold
from domain.retrieval.tables.units import BARE, Unit, is_known, read_unit
from domain.retrieval.tables.values import NOTHING, Kind, Quantity, kind_of, measure, read_flag, read_number
from schemas.documents import TablePart

LEVEL = " / "  # between the levels of a header
_BRACKETS = re.compile(r"[(\[（【]([^)\]）】]{0,40})[)\]）】]")
WORD = re.compile(r"[a-z0-9]+")
PROSE_MIN = 36  # mean weight of a cell: six English words, twelve Chinese characters
FIRST_WIDE = "\u2e80"
_BARE_UNITS = frozenset("kg km cm mm eur usd gbp % € $ £".split())
YEAR = re.compile(r"(?:1[5-9]|20)\d{2}年?")
DENIAL = re.compile(r"[不未非无没]|not |no |without ")
STATES_MAX, STATE_CHARS_MAX = 50, 24  # distinct cells of a column of states, and of one of them
FOLDED_AT_ONCE = 200  # rows: folding holds the interpreter lock, about 2 ms
KIND_ROWS_MAX = 500  # that tell what a column holds


@lru_cache(maxsize=8_192)
def stem(word: str) -> str:
    """The stem of one folded word; "" of one without content. A word with digits is a name, and stays."""
    if any(map(str.isdigit, word)):
        return word
    return normal(next(iter(content_terms(word)), ""))


def normal(term: str) -> str:
    """A stemmed term without what the stemmer leaves of an ending: city and cities, house and houses."""
    return term.removesuffix("e").removesuffix("y")


@dataclass(frozen=True, slots=True)
class Row:
    """``line`` is the row as its chunk has it, ``chunk`` the index of that chunk in ``Table.chunks``."""

    number: int
    cells: tuple[str, ...]
    line: str
    chunk: int


@dataclass(frozen=True, slots=True)
class Column:
    """``name`` as the header has it; ``levels`` folded and without brackets; ``unit`` is what the brackets, or the end of the name, say.

    ``scale`` is the unit of its bare numbers, where that is sure.
    """

    index: int
    name: str
    levels: tuple[str, ...]
    unit: str
    kind: Kind
    scale: Unit = BARE
    is_prose: bool = False  # its cells are sentences: a word in one of them chooses no row

    @property
    def folded(self) -> str:
        """The lowest level, which names the column."""
        return self.levels[-1] if self.levels else ""

    @property
    def is_measured(self) -> bool:
        """Whether its cells have an order and can be compared."""
        return self.kind in ("number", "date", "time")


@dataclass(frozen=True, eq=False)
class Table:
    """``whole``: no row is missing. ``total`` rows are in the document, however many were read. ``is_list``: items of a list.

    Tables are never compared by their cells: each equals itself alone.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    chunks: tuple[Hit, ...]
    part: TablePart
    total: int
    context: str = ""  # title, headings and caption, folded
    folds: tuple[tuple[str, ...], ...] = field(default=(), repr=False)  # the cells, folded
    titles: tuple[str, ...] = ()  # of the tables that were joined

    @property
    def title(self) -> str:
        """What people call it: its caption, else its document's title with the heading above it."""
        head = self.chunks[0]
        return self.part.caption or " / ".join(dict.fromkeys((head.title, *head.headings[-1:])))

    @property
    def is_list(self) -> bool:
        return not self.part.columns

    @property
    def whole(self) -> bool:
        return len(self.rows) == self.total

    def folded(self, row: int, column: int) -> str:
        """A cell as it is compared; empty where the row ends before."""
        cells = self.folds[row]
        return cells[column] if column < len(cells) else ""

    def cell(self, row: int, column: int) -> str:
        """A cell as it is shown."""
        cells = self.rows[row].cells
        return cells[column] if column < len(cells) else ""

    @cached_property
    def stems(self) -> frozenset[str]:
        """The words of ``known``."""
        return frozenset(stem(word) for word in WORD.findall(self.known.folded))

    def knows(self, term: str) -> bool:
        """Whether a content term of a question is one that the table speaks of itself; a lone Chinese character says nothing."""
        if term.isascii():
            return normal(term) in self.stems
        return len(term) == 1 or self.known.contains(term)

    @cached_property
    def known(self) -> Haystack:
        """What the table says it is about: its introduction and the names of its columns."""
        return Haystack("\n".join((self.context, *(" ".join(column.levels) for column in self.columns))))

    @cached_property
    def _quantities(self) -> dict[int, list[Quantity | None]]:
        return {}

    def quantities(self, column: int) -> list[Quantity | None]:
        """The numbers of a column, one for each row; read once."""
        if column not in self._quantities:
            self._quantities[column] = [read_number(self.folded(row, column)) for row in range(len(self.rows))]
        return self._quantities[column]

    @cached_property
    def has_dates(self) -> bool:
        """Whether a column holds dates, or years: only then a period says something of its rows."""
        return any(column.kind == "date" or self.holds_years(column) for column in self.columns)

    def holds_years(self, column: Column) -> bool:
        """Whether all that stands in a column are years."""
        cells = self.values[column.index]
        return column.kind == "number" and bool(cells) and all(map(YEAR.fullmatch, cells))

    @cached_property
    def denials(self) -> tuple[str, ...]:
        """Cells that say not, such as 未付款 and "not started": no denial of the question's own."""
        return tuple(
            text
            for values in self.values
            if len(values) <= STATES_MAX
            for text in values
            if DENIAL.match(text) and len(text) <= STATE_CHARS_MAX and read_flag(text) is None
        )

    def value(self, row: int, column: Column) -> Decimal | None:
        """A cell as a number that orders the column: in the base unit, a date in days, a time in minutes; None where it says none."""
        if column.kind != "number":
            return measure(self.folded(row, column.index), column.kind)
        quantity = self.quantities(column.index)[row]
        if quantity is None:
            return None
        return quantity.value * (read_unit(quantity.unit) if quantity.unit else column.scale).factor

    def mixed_units(self, column: Column, rows: Sequence[int]) -> list[str]:
        """The units that stand in these rows, where they do not measure the same thing; bare numbers are of the column's unit."""
        if column.kind != "number":
            return []
        units = self.units(column.index, rows)
        known = units - {""}
        dimensions = {read_unit(unit).dimension for unit in known}
        bare = "" in units
        if is_known(read_unit(column.unit)) and bare:
            dimensions.add(column.scale.dimension)
        elif bare and (len({read_unit(unit) for unit in known}) > 1 or "ratio" in dimensions):
            return sorted(units)  # of which unit the bare ones are is not said
        return sorted(known | ({column.unit} if bare and is_known(column.scale) and column.unit else set())) if len(dimensions) > 1 else []

    def unit_of(self, column: Column, rows: Sequence[int]) -> str:
        """The unit in which a result is told: the header's, else the one most of these rows have."""
        if is_known(column.scale) and column.unit:
            return column.unit
        quantities = self.quantities(column.index)
        found = Counter(quantity.unit for row in rows if (quantity := quantities[row]) and quantity.unit)
        return found.most_common(1)[0][0] if found else column.unit

    @cached_property
    def values(self) -> tuple[dict[str, list[int]], ...]:
        """By column: each distinct folded cell and the rows that have it."""
        found: tuple[dict[str, list[int]], ...] = tuple({} for _ in self.columns)
        for row in range(len(self.rows)):
            for column in range(len(self.columns)):
                value = self.folded(row, column)
                if value not in NOTHING:
                    found[column].setdefault(value, []).append(row)
        return found

    def units(self, column: int, rows: Sequence[int]) -> frozenset[str]:
        """The units that stand with the numbers of these rows."""
        quantities = self.quantities(column)
        return frozenset(quantity.unit for row in rows if (quantity := quantities[row]) is not None)


def make_table(rows: Sequence[Row], chunks: Sequence[Hit], part: TablePart, context: str) -> Table:
    """The table of these rows; pure, and in proportion to the cells."""
    width = max((len(row.cells) for row in rows), default=0)
    names = (*part.columns, *("" for _ in range(width - len(part.columns))))
    folds = tuple(each for first in range(0, len(rows), FOLDED_AT_ONCE) for each in _fold_rows(rows[first : first + FOLDED_AT_ONCE]))
    columns = tuple(_make_column(index, name, folds) for index, name in enumerate(names))
    return Table(columns, tuple(rows), tuple(chunks), part, part.total, fold(context), folds)


def join_columns(columns: Sequence[Column], folds: Sequence[tuple[str, ...]]) -> tuple[Column, ...]:
    """The columns of joined tables: what they hold is seen anew."""
    return tuple(_make_column(column.index, column.name, folds) for column in columns)


def _fold_rows(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The folded cells of some rows, folded in one go (cells hold no tabs and no line breaks)."""
    lines = fold("\n".join("\t".join(row.cells) for row in rows)).split("\n")
    return [tuple(cell.strip() for cell in line.split("\t")) for line in lines]


def _make_column(index: int, name: str, folds: Sequence[tuple[str, ...]]) -> Column:
    step = max(1, len(folds) // KIND_ROWS_MAX)
    cells = [row[index] for row in folds[::step] if index < len(row) and row[index]]
    weight = sum(len(cell) + 2 * sum(character > FIRST_WIDE for character in cell) for cell in cells)  # a Chinese character is half a word
    folded = fold(name)
    bracketed = _BRACKETS.search(folded)
    levels = tuple(filter(None, (" ".join(_BRACKETS.sub(" ", level).split()) for level in folded.split(LEVEL))))
    unit = bracketed[1].strip() if bracketed else _unit_behind(levels[-1] if levels else "")
    kind = kind_of(cells)
    return Column(index, name, levels, unit, kind, _scale_of(unit, cells) if kind == "number" else BARE, weight > PROSE_MIN * len(cells))


def _unit_behind(name: str) -> str:
    """The unit at the end of a name, behind a slash or a comma (单价/元, "Weight, g"), or the commonest ones behind a blank."""
    head, mark, last = name.replace("，", ",").replace(",", "/").rpartition("/")
    if not mark:
        head, mark, last = name.rpartition(" ")
        mark = mark if last in _BARE_UNITS else ""
    return last.strip() if head and mark and is_known(read_unit(last)) else ""


def _scale_of(unit: str, cells: Sequence[str]) -> Unit:
    """The unit of bare numbers: the header's, else the only one that stands in the cells."""
    read = read_unit(unit)
    if unit and (is_known(read) or read.factor != 1):
        return read
    found = {quantity.unit for cell in cells[:KIND_ROWS_MAX] if (quantity := read_number(cell)) and quantity.unit}
    return read_unit(next(iter(found))) if len(found) == 1 else BARE
