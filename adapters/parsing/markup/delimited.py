"""Tables written as text: comma, semicolon, tab or bar between the cells."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.cell_ranges import CellRange
from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.core.text import decode_entry
from schemas.documents import Locator
from schemas.errors import Refused

DELIMITERS = ",;\t|"
SNIFFED_CHARS = 32_768
SNIFFED_ROWS = 100
CELL_LINES_MAX = 50  # in a quoted cell of a file with broken quotes: one that goes on longer was never closed
_SEPARATOR_LINE = re.compile(r"""\s*"?sep=([,;\t|])"?[ \t]*(?:\n|$)""", re.IGNORECASE)


def parse_csv(entry: Entry) -> ParsedText:
    """A table as a file, in any encoding. Raises as ``parse_rows`` does."""
    return parse_rows(decode_entry(entry), entry.bounds)


def parse_rows(text: str, bounds: Bounds) -> ParsedText:
    """One table block of the whole file, its first row the header; ``text`` must be clean. Formulas are text like any other.

    Raises Refused("document_too_complex") beyond the limits of cells and characters.
    """
    csv.field_size_limit(bounds.chars_max)  # the process's own; its default would refuse a long cell
    if declared := _SEPARATOR_LINE.match(text):
        text, delimiter = text[declared.end() :], declared[1]
    else:
        delimiter = _sniff_delimiter(text)
    rows: list[list[str]] = []
    cells = width = 0
    for row in _read_rows(text, delimiter):
        cells += len(row)
        if cells > bounds.cells_max:
            raise Refused("document_too_complex", f"the table has more than {bounds.cells_max:,} cells (CLAW_DOCUMENT_CELLS_MAX)")
        width = max(width, len(row))
        rows.append(row)
    while rows and not any(rows[-1]):
        rows.pop()
    assembly = Assembly(bounds.chars_max)
    if rows:
        first = 1 + (declared is not None)
        assembly.add_table(rows, Locator(cells=str(CellRange(first, 1, first + len(rows) - 1, max(width, 1)))))
    return assembly.build()


def _sniff_delimiter(text: str) -> str:
    """The delimiter that agrees with the quotes and splits most rows, header included, into equally many cells; more cells win a tie."""
    sample = text[:SNIFFED_CHARS]
    if len(text) > SNIFFED_CHARS and "\n" in sample:
        sample = sample[: sample.rindex("\n")]
    lines = sample.splitlines(keepends=True)
    best, best_score = DELIMITERS[0], (False, 0.0, False, 0)
    for delimiter in DELIMITERS:
        quoted = _read_strict(lines, delimiter)
        rows = quoted if quoted is not None else list(_repair_rows(lines, delimiter))
        widths = [len(row) for row in rows[:SNIFFED_ROWS] if any(row)]
        if not widths:
            continue
        ((width, count),) = Counter(widths).most_common(1)
        if width > 1:
            score = (quoted is not None, round(count / len(widths), 1), widths[0] == width, width)
            if score > best_score:
                best, best_score = delimiter, score
    return best


def _read_rows(text: str, delimiter: str) -> Iterable[list[str]]:
    """Rows by the quotes; in a file with broken quotes, as far as they are consistent."""
    lines = text.splitlines(keepends=True)
    quoted = _read_strict(lines, delimiter)
    return quoted if quoted is not None else _repair_rows(lines, delimiter)


def _read_strict(lines: list[str], delimiter: str) -> list[list[str]] | None:
    """Rows, or None when quotes are not closed or end inside a cell."""
    try:
        return list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def _repair_rows(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    """Rows of a file with broken quotes: a quote counts only when it is closed within a few lines."""
    opening = re.compile(rf'(?:^|{re.escape(delimiter)})[ \t]*"')
    at = 0
    while at < len(lines):
        if '"' not in lines[at]:
            yield lines[at].rstrip("\n").split(delimiter)
            at += 1
            continue
        last = at
        if lines[at].count('"') % 2 and opening.search(lines[at]):
            closing = (index for index in range(at + 1, min(at + CELL_LINES_MAX, len(lines))) if lines[index].count('"') % 2)
            last = next(closing, at)
        broken = last == at and lines[at].count('"') % 2
        yield from csv.reader(lines[at : last + 1], delimiter=delimiter, quoting=csv.QUOTE_NONE if broken else csv.QUOTE_MINIMAL)
        at = last + 1
