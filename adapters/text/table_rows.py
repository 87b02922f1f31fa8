"""Rows of tables in a text: read as cells, and told as ``column: value`` pairs.

A row alone says little: which of its numbers is the price stands in the header, which may be in another chunk. So whoever quotes a row
tells each value with its column, in the punctuation of the reader's language.
"""

import re
from collections.abc import Iterator, Sequence

from adapters.text.labels import tell_pairs
from adapters.text.language import Language
from schemas.documents import TablePart

PAIRS_CHARS_MAX = 600  # of one row as it is shown
ITEM_MARK = re.compile(r"^\s*(?:[-*+•·●○■□◆▪‣]|\(?\d{1,3}[.)、]|[（(]\d{1,3}[）)])\s*")  # of an item in a list
_PIPE = re.compile(r"(?<!\\)\|")


def read_rows(text: str, part: TablePart) -> list[tuple[str, ...]]:
    """The rows of ``part`` of ``text``, in order; a list's items without their marks."""
    lines = text[part.start : part.end].split("\n")
    rows = [split_row(line, part) for line in lines]
    if rows and part.indent:
        rows[0] = ("",) * part.indent + rows[0]
    return rows


def split_row(line: str, part: TablePart) -> tuple[str, ...]:
    """The cells of one line."""
    return split_cells(line, part.separator) if part.columns else (ITEM_MARK.sub("", line, count=1).strip(),)


def split_cells(line: str, separator: str) -> tuple[str, ...]:
    """The cells of a line; a Markdown row's without the bars around it."""
    if separator != "|":
        return tuple(cell.strip() for cell in line.split(separator))
    bare = line.strip().removeprefix("|")
    cells = [" ".join(cell.replace("\\|", "|").split()) for cell in _PIPE.split(bare)]
    return tuple(cells[:-1] if cells[-1] == "" else cells)


def find_lines(text: str, parts: Sequence[TablePart]) -> Iterator[tuple[int, int, TablePart, bool]]:
    """Each line of the tables in ``text``: where it begins and ends, its table, and whether it belongs to the header."""
    for part in parts:
        at = part.start - part.header
        while at < part.end:
            end = text.find("\n", at, part.end)
            end = part.end if end < 0 else end
            yield at, end, part, at < part.start
            at = end + 1


def tell_row(columns: Sequence[str], cells: Sequence[str], language: Language) -> str:
    """``column: value`` pairs of the cells that say something; a value without a name stands alone, or with the label before it."""
    colon, comma = ("：", "；") if language == "zh" else (": ", "; ")
    names = (*columns, *("" for _ in range(len(cells) - len(columns))))
    if any(columns):
        pairs = [f"{name}{colon}{cell}" if name else cell for name, cell in zip(names, cells, strict=False) if cell]
    else:
        pairs = tell_pairs(cells, language)
    told = comma.join(pairs)
    return told if len(told) <= PAIRS_CHARS_MAX else told[:PAIRS_CHARS_MAX] + "…"
