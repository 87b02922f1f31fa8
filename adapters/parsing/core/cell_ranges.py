"""Places in a file: names of cells, the rows of a part of a table, several places merged."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from schemas.documents import Locator

_RANGE = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})(?::([A-Z]{1,3})([1-9]\d{0,6}))?$")
_LETTERS = 26


class CellRange(NamedTuple):
    """A rectangle of cells; rows and columns count from 1, the last ones belong to it."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int

    def __str__(self) -> str:
        """``A1:C20``; one cell is ``A1``."""
        first, last = f"{column_name(self.first_column)}{self.first_row}", f"{column_name(self.last_column)}{self.last_row}"
        return first if first == last else f"{first}:{last}"


def column_name(number: int) -> str:
    """1 is A, 27 is AA."""
    name = ""
    while number > 0:
        number, letter = divmod(number - 1, _LETTERS)
        name = chr(ord("A") + letter) + name
    return name


def column_number(name: str) -> int:
    """A is 1, AA is 27; ``name`` is capital letters."""
    number = 0
    for letter in name:
        number = number * _LETTERS + ord(letter) - ord("A") + 1
    return number


def read_cells(text: str) -> CellRange | None:
    """``A1:C20`` as numbers; None when it is not written like that."""
    match = _RANGE.match(text)
    if match is None:
        return None
    column, row, last_column, last_row = match.groups()
    return CellRange(int(row), column_number(column), int(last_row or row), column_number(last_column or column))


def locate_rows(place: Locator | None, first: int, last: int, lines: int) -> Locator | None:
    """The place of the lines ``first`` to ``last`` (from 0) of a table of ``lines`` lines, when every line is a row of its cells."""
    cells = read_cells(place.cells) if place is not None else None
    if place is None or cells is None or cells.last_row - cells.first_row + 1 != lines:
        return place
    rows = cells._replace(first_row=cells.first_row + first, last_row=cells.first_row + last)
    return Locator(page=place.page, page_last=place.page_last, slide=place.slide, sheet=place.sheet, cells=str(rows), part=place.part)


def is_separate(one: Locator | None, other: Locator | None) -> bool:
    """Whether two places may not share a chunk: different files, sheets or slides. Pages may."""
    return _container_key(one) != _container_key(other)


def merge_places(places: Iterable[Locator | None]) -> Locator | None:
    """The place of neighbouring blocks, none of them ``apart``; None when none has one."""
    known = [place for place in places if place is not None]
    if not known:
        return None
    pages = [page for place in known for page in (place.page, place.page_last) if page]
    first, last = min(pages, default=0), max(pages, default=0)
    rectangles = [read for place in known if (read := read_cells(place.cells))]
    cells = str(_bounding_range(rectangles)) if rectangles else ""
    part, sheet, slide = _container_key(known[0])
    return Locator(page=first, page_last=last if last > first else 0, slide=slide, sheet=sheet, cells=cells, part=part)


def _bounding_range(rectangles: list[CellRange]) -> CellRange:
    tops, lefts, bottoms, rights = zip(*rectangles, strict=True)
    return CellRange(min(tops), min(lefts), max(bottoms), max(rights))


def _container_key(place: Locator | None) -> tuple[str, str, int]:
    return (place.part, place.sheet, place.slide) if place is not None else ("", "", 0)
