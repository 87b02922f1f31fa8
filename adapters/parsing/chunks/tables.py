"""Tables as data beside the text of chunks: which lines are rows, under which columns, which rows of which table.

Nothing is said twice: a chunk's text has the rows, and a few numbers say where. A table that goes on behind a page break under the same
header is one table. A list is a table of one nameless column, introduced by the sentence or heading above it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from adapters.parsing.core.assembly import CELL_SEPARATOR
from adapters.parsing.core.blocks import Block, ParsedText
from adapters.text.table_rows import split_cells
from schemas.documents import TablePart

COLUMNS_MAX = 64  # that have names; cells behind them have none
COLUMN_CHARS_MAX = 80
CAPTION_CHARS_MAX = 160
LEVELS = " / "  # between the levels of a header

_DELIMITERS = re.compile(r"[ \t]*+\|?(?:[ \t]*+:?-++:?[ \t]*+\|?)++$")
_NUMBER = re.compile(r"[-+]?[¥$€£]?\s?\d[\d,]{0,20}(?:\.\d{1,20})?\s?%?$")
_YEAR = re.compile(r"(?:19|20)\d\d$")


@dataclass(slots=True)
class _Table:
    """A block of rows from ``begin``, its first line, to ``end``; ``start`` is its first row below the header."""

    number: int
    begin: int
    start: int
    end: int
    first: int
    total: int
    columns: tuple[str, ...]
    separator: str
    caption: str


class TableFinder:
    """The tables of a parsed text, asked for chunk by chunk in the order of the text."""

    def __init__(self, parsed: ParsedText) -> None:
        self._text = parsed.text
        self._tables = _find_tables(parsed)
        self._next = 0
        self._at, self._row = -1, 0  # the last row that was counted: where it begins, and its number

    def parts(self, start: int, end: int) -> tuple[TablePart, ...]:
        """The rows that begin in ``text[start:end]``, by table; offsets count from ``start``."""
        while self._next < len(self._tables) and self._tables[self._next].end <= start:
            self._next += 1
        found: list[TablePart] = []
        index = self._next
        while index < len(self._tables) and self._tables[index].begin < end:
            if part := self._part(self._tables[index], start, end):
                found.append(part)
            index += 1
        return tuple(found)

    def _part(self, table: _Table, start: int, end: int) -> TablePart | None:
        begin, stop = max(table.start, start), min(table.end, end)
        if begin >= stop:
            return None
        row = table.first
        if begin > table.start:
            if self._at < table.start:
                self._at, self._row = table.start, table.first
            self._row += self._text.count("\n", self._at, begin)
            self._at, row = begin, self._row
        line = self._text.rfind("\n", table.start, begin) + 1 or table.start
        before = self._text[line:begin]
        return TablePart(
            number=table.number,
            start=begin - start,
            end=stop - start,
            first=row,
            total=table.total,
            columns=table.columns,
            separator=table.separator,
            header=max(0, table.start - max(start, table.begin)) if begin == table.start else 0,
            indent=len(split_cells(before, table.separator)) - 1 if before and table.columns else 0,
            caption=table.caption,
        )


def _find_tables(parsed: ParsedText) -> list[_Table]:
    tables: list[_Table] = []
    above: Block | None = None  # the block right before
    for block in parsed.blocks:
        table = None
        if block.kind == "table":
            table = _read_table(parsed.text, block)
        elif block.kind == "list":
            text = parsed.text[block.start : block.end]
            table = _Table(0, block.start, block.start, block.end, 0, text.count("\n") + 1, (), "", "")
        if table is not None:
            _place_table(table, block, above, tables, parsed.text)
            tables.append(table)
        above = block
    _set_totals(tables)
    return tables


def _place_table(table: _Table, block: Block, above: Block | None, tables: Sequence[_Table], text: str) -> None:
    """Number and caption; a block that goes on with the table before has its number, and counts its rows on."""
    last = tables[-1] if tables else None
    goes_on = last is not None and above is not None and above.kind == block.kind and last.end == above.end
    if goes_on and last is not None and above is not None and _continues(table, block, last, above):
        table.number, table.first, table.caption = last.number, last.first + last.total, last.caption
        return
    table.number = last.number + 1 if last is not None else 1
    introduction = text[above.start : above.end] if above is not None and above.kind in ("paragraph", "heading") else ""
    line = introduction.strip().rpartition("\n")[2].lstrip("# ").strip()
    table.caption = line if len(line) <= CAPTION_CHARS_MAX else ""


def _continues(table: _Table, block: Block, last: _Table, above: Block) -> bool:
    """Items of one list; a table under the header of the one before, on the next page."""
    if block.kind == "list":
        return block.headings == above.headings
    pages = (above.place.page_last or above.place.page, block.place.page) if above.place and block.place else (0, 0)
    return bool(pages[1]) and pages[1] - pages[0] == 1 and bool(table.columns) and table.columns == last.columns


def _set_totals(tables: Sequence[_Table]) -> None:
    """Every part of a table knows how many rows the whole has."""
    totals: dict[int, int] = {}
    for table in tables:
        totals[table.number] = totals.get(table.number, 0) + table.total
    for table in tables:
        table.total = totals[table.number]


def _read_table(text: str, block: Block) -> _Table | None:
    """The table of a block; None when it has no row below its header."""
    first = text.find("\n", block.start, block.end)
    if first < 0:
        return None
    second_end = text.find("\n", first + 1, block.end)
    second = text[first + 1 : second_end if second_end >= 0 else block.end]
    marked = "|" in text[block.start : first] and _DELIMITERS.match(second) is not None  # Markdown
    separator = "|" if marked else CELL_SEPARATOR
    lines: list[str] = []
    start = block.start
    for _ in range(1 if marked else block.header_lines):
        stop = text.find("\n", start, block.end)
        if stop < 0:
            break
        lines.append(text[start:stop])
        start = stop + 1
    if marked:
        start = second_end + 1 if second_end >= 0 else block.end
    header = [split_cells(line, separator) for line in lines]
    columns = _join_levels(header) or ("",) * len(split_cells(text[block.start : first], separator))
    if not marked and len(header) == 1:
        following = text[start : text.find("\n", start, block.end) if text.find("\n", start, block.end) >= 0 else block.end]
        if _is_data(header[0], split_cells(following, separator)):
            columns, start = ("",) * len(columns), block.start
    rows = text.count("\n", start, block.end) + 1 if start < block.end else 0
    return _Table(0, block.start, start, block.end, 0, rows, columns[:COLUMNS_MAX], separator, "") if rows else None


def _join_levels(header: Sequence[Sequence[str]]) -> tuple[str, ...]:
    columns = zip_longest(*header, fillvalue="")
    return tuple(LEVELS.join(dict.fromkeys(filter(None, levels)))[:COLUMN_CHARS_MAX] for levels in columns)


def _is_data(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether the first row is one like those below it: a number above a number, and no year, names no column."""
    pairs = zip(first, second, strict=False)
    return any(_NUMBER.match(one) and not _YEAR.match(one) and _NUMBER.match(other) for one, other in pairs)
