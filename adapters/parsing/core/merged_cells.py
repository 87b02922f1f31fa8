"""Merged cells: what one says belongs to every row and column that it covers, so each of them says it.

A search finds a row by its own words, and a chunk may begin in the middle of a table: a row that leaves its product to the merged cell
above would be found for no product, or for the wrong one.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from adapters.parsing.core.cell_ranges import CellRange

REPEATED_CHARS_MAX = 200  # a longer text is a remark on the rows: said once
HEADER_ROWS_MAX = 4
FILL_SHARE = 4  # what is said again may be so much of the text that a document may have


class _Cover(NamedTuple):
    text: str
    last_row: int


class MergedCells:
    """The merged cells of one grid that is read from top to bottom. Rows and columns count from 1, as in ``CellRange``.

    ``chars_max`` bounds what is said again: beyond it merged cells are said once. Ranges cost nothing but their entry; only rows and
    columns that hold something are ever filled.
    """

    def __init__(self, ranges: Iterable[CellRange], chars_max: int) -> None:
        self._ends = {(one.first_row, one.first_column): (one.last_row, one.last_column) for one in ranges}
        self._covers: dict[int, _Cover] = {}  # by column
        self._chars_left = chars_max // FILL_SHARE

    def __bool__(self) -> bool:
        return bool(self._ends)

    def last_row(self, row: int, column: int) -> int:
        """The last row of the merged cell that begins here, or this one."""
        return self._ends.get((row, column), (row, column))[0]

    def last_column(self, row: int, column: int) -> int:
        """The last column of the merged cell that begins here, or this one."""
        return self._ends.get((row, column), (row, column))[1]

    def fill(self, row: int, cells: Iterable[tuple[int, str]], columns: Sequence[int]) -> dict[int, str]:
        """The texts of a row by column, with those of merged cells in every one of ``columns`` (ascending) that they cover.

        What a file keeps below a merged cell is not shown and not read. A cell as wide as the whole table is a caption inside it: once.
        """
        held = dict(cells)
        if not self._ends and not self._covers:
            return held
        wide: _Cover | None = None
        wide_until = 0
        for column in columns:
            if column <= wide_until and wide is not None:
                self._repeat(held, column, wide.text)
                if wide.last_row > row:
                    self._covers[column] = wide
                continue
            cover = self._covers.get(column)
            if cover is not None and cover.last_row >= row:
                self._repeat(held, column, cover.text)
                continue
            end = self._ends.get((row, column)) if column in held else None
            if end is None or (column == columns[0] and end[1] >= columns[-1] > column):
                continue
            wide, wide_until = _Cover(held[column], end[0]), end[1]
            if end[0] > row:
                self._covers[column] = wide
        return held

    def _repeat(self, held: dict[int, str], column: int, text: str) -> None:
        self._chars_left -= len(text) + 1
        held[column] = text if len(text) <= REPEATED_CHARS_MAX and self._chars_left > 0 else ""


def count_header_rows(spans: Iterable[bool]) -> int:
    """Rows of a header of several levels: a row with a cell over several columns (True in ``spans``) is followed by the next level."""
    count = 1
    for spanned in spans:
        if not spanned or count == HEADER_ROWS_MAX:
            break
        count += 1
    return count


class MergedGrid(NamedTuple):
    """The rows of a table whose merged cells say what they say everywhere, and how many of them are its header."""

    rows: list[list[str]]
    header_rows: int


def fill_grid(rows: Sequence[Sequence[tuple[int, str]]], ranges: Sequence[CellRange], chars_max: int) -> MergedGrid:
    """The rows of a table as columns from 1 with their texts; in ``ranges`` rows count from 1 too."""
    width = max((column for row in rows for column, _ in row), default=0)
    merged = MergedCells(ranges, chars_max)
    columns = range(1, width + 1)
    filled: list[list[str]] = []
    spanned: list[bool] = []
    for number, row in enumerate(rows, 1):
        held = merged.fill(number, row, columns)
        filled.append([held.get(column, "") for column in columns])
        spanned.append(any(merged.last_column(number, column) > column for column, _ in row))
    return MergedGrid(filled, count_header_rows(spanned))
