"""ODP: each slide's title as heading, then its shapes in reading order, then its notes; every block knows its slide."""

import re
from collections.abc import Iterator
from typing import Any

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.cell_ranges import CellRange
from adapters.parsing.core.hidden import HiddenContent, name_runs
from adapters.parsing.core.merged_cells import fill_grid
from adapters.parsing.core.source import Entry
from adapters.parsing.office.open_document import (
    CONTENT,
    DRAW,
    OFFICE,
    PRESENTATION,
    STYLE,
    SVG,
    TABLE,
    TEXT,
    cells_of,
    document_title,
    open_document,
    styles_with,
    text_of,
)
from adapters.parsing.office.slides import Box, reading_order
from schemas.documents import Locator
from schemas.errors import Refused

_PAGE = DRAW + "page"
_FURNITURE = ("date-time", "footer", "header", "page-number")  # placeholders of the slide and of the day
_LENGTH = re.compile(r"(-?\d{1,6}(?:\.\d{1,6})?)(cm|mm|in|pt)")
_MICROMETRES = {"cm": 10_000, "mm": 1_000, "in": 25_400, "pt": 353}
_PARAGRAPHS = (TEXT + "p", TEXT + "h")


def parse_odp(entry: Entry) -> ParsedText:
    """Raises Refused: ``document_unreadable``, ``document_too_complex``. Notes: ``hidden_left_out`` or ``hidden_included``."""
    package = open_document(entry)
    assembly, hidden = Assembly(entry.bounds.chars_max), HiddenContent(include=entry.bounds.include_hidden)
    unseen = styles_with(package, STYLE + "drawing-page-properties", PRESENTATION + "visibility", ("hidden",))
    hidden_slides: list[int] = []
    for number, page in enumerate(package.children(CONTENT, OFFICE + "presentation", (_PAGE,)), 1):
        if number > entry.bounds.pages_max:
            raise Refused("document_too_complex", f"it has more than {entry.bounds.pages_max:,} slides (CLAW_DOCUMENT_PAGES_MAX)")
        if page.get(DRAW + "style-name", "") in unseen:
            hidden_slides.append(number)
            if hidden.leave_out:
                continue
        _SlideText(assembly, Locator(slide=number)).add(page)
    if hidden_slides:
        hidden.add("slides " + name_runs(hidden_slides))
    hidden.note_in(assembly)
    return assembly.build(document_title(package))


class _SlideText:
    """One slide on its way into the text."""

    def __init__(self, assembly: Assembly, place: Locator) -> None:
        self._assembly, self._place = assembly, place

    def add(self, page: Any) -> None:
        self._assembly.start_section()
        shapes = [shape for shape in page if shape.get(PRESENTATION + "class") not in _FURNITURE]
        titles = [shape for shape in shapes if shape.get(PRESENTATION + "class") == "title"]
        words = [" ".join(text_of(paragraph).split()) for title in titles for paragraph in title.iter(*_PARAGRAPHS)]
        self._assembly.add_heading(1, " ".join(filter(None, words)), self._place)
        drawn = [shape for shape in shapes if shape not in titles and shape.tag != PRESENTATION + "notes"]
        self._add_shapes(drawn)
        for notes in page.iterchildren(PRESENTATION + "notes"):
            for frame in notes.iterchildren(DRAW + "frame"):
                if frame.get(PRESENTATION + "class") == "notes":
                    self._add_content(frame)

    def _add_shapes(self, shapes: list[Any]) -> None:
        for shape in reading_order([(_box_of(shape), shape) for shape in shapes]):
            if shape.tag == DRAW + "g":
                self._add_shapes(list(shape))
            else:
                self._add_content(shape)

    def _add_content(self, element: Any, *, listed: bool = False) -> None:
        """Paragraphs, lists and tables at any depth, each once."""
        for child in element:
            if child.tag in _PARAGRAPHS:
                text = text_of(child)
                if listed:
                    self._assembly.add_item(text, self._place)
                else:
                    self._assembly.add_paragraph(text, self._place)
            elif child.tag == TABLE + "table":
                self._add_table(child)
            elif isinstance(child.tag, str):
                self._add_content(child, listed=listed or child.tag == TEXT + "list")

    def _add_table(self, table: Any) -> None:
        ranges: list[CellRange] = []
        rows = [list(cells_of(row, number, ranges)) for number, row in enumerate(_rows_of(table), 1)]
        grid = fill_grid(rows, ranges, self._assembly.chars_max)
        self._assembly.add_table(grid.rows, self._place, header_rows=grid.header_rows)


def _rows_of(table: Any) -> Iterator[Any]:
    """Its rows, not those of a table inside one of its cells."""
    return (row for row in table.iter(TABLE + "table-row") if next(row.iterancestors(TABLE + "table")) is table)


def _box_of(shape: Any) -> Box:
    top, left, height = (_micrometres(shape.get(SVG + name, "")) for name in ("y", "x", "height"))
    return Box(top, left, height)


def _micrometres(length: str) -> int:
    found = _LENGTH.fullmatch(length)
    return round(float(found[1]) * _MICROMETRES[found[2]]) if found else 0
