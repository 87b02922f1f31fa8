"""A table read whole: its columns with what they hold, its rows with where they are cited from."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from adapters.index.port import Hit
from adapters.text.language import Haystack, content_terms, fold
from domain.retrieval.tables.values import NOTHING, Kind, kind_of, measure, read_number
from schemas.documents import TablePart

LEVEL = " / "  # between the levels of a header
_BRACKETS = re.compile(r"[(\[（【]([^)\]）】]{0,40})[)\]）】]")
WORD = re.compile(r"[a-z0-9]+")
PROSE_MIN = 36  # mean weight of a cell: six English words, twelve Chinese characters
FIRST_WIDE = "\u2e80"
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
    """``name`` as the header has it; ``levels`` folded and without brackets; ``unit`` is what the brackets say."""

    index: int
    name: str
    levels: tuple[str, ...]
    unit: str
    kind: Kind
    is_prose: bool = False  # its cells are sentences: a word in one of them chooses no row

    @property
    def folded(self) -> str:
        """The lowest level, which names the column."""
        return self.levels[-1] if self.levels else ""

    @property
    def is_measured(self) -> bool:
        """Whether its cells have an order and can be compared."""
        return self.kind in ("number", "date", "time")


@dataclass(frozen=True)
class Table:
    """``whole``: no row is missing. ``total`` rows are in the document, however many were read. ``is_list``: items of a list."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    chunks: tuple[Hit, ...]
    part: TablePart
    total: int
    context: str = ""  # title, headings and caption, folded
    folds: tuple[tuple[str, ...], ...] = field(default=(), repr=False)  # the cells, folded

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
        found = (read_number(self.folded(row, column)) for row in rows)
        return frozenset(quantity.unit for quantity in found if quantity is not None)


def make_table(rows: Sequence[Row], chunks: Sequence[Hit], part: TablePart, context: str) -> Table:
    """The table of these rows; pure, and in proportion to the cells."""
    width = max((len(row.cells) for row in rows), default=0)
    names = (*part.columns, *("" for _ in range(width - len(part.columns))))
    folds = tuple(each for first in range(0, len(rows), FOLDED_AT_ONCE) for each in _fold_rows(rows[first : first + FOLDED_AT_ONCE]))
    columns = tuple(_make_column(index, name, folds) for index, name in enumerate(names))
    return Table(columns, tuple(rows), tuple(chunks), part, part.total, fold(context), folds)


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
    levels = tuple(" ".join(_BRACKETS.sub(" ", level).split()) for level in folded.split(LEVEL))
    return Column(
        index, name, tuple(filter(None, levels)), bracketed[1].strip() if bracketed else "", kind_of(cells), weight > PROSE_MIN * len(cells)
    )


def measured(table: Table, column: Column, rows: Sequence[int]) -> list[tuple[int, object]]:
    """Rows whose cell in the column has a value, with it."""
    pairs = ((row, measure(table.folded(row, column.index), column.kind)) for row in rows)
    return [(row, value) for row, value in pairs if value is not None]
