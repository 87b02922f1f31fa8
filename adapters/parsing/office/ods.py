"""ODS: the sheets of an OpenDocument spreadsheet, whose cells hold the text that they show.

Rows and cells that are alike stand in the file once, with a number; empty ones at the end of a sheet by the million.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from adapters.parsing.core.cell_ranges import CellRange
from adapters.parsing.core.hidden import HiddenContent
from adapters.parsing.core.merged_cells import MergedCells
from adapters.parsing.core.source import Bounds
from adapters.parsing.core.xml_options import XML_OPTIONS
from adapters.parsing.office.open_document import CONTENT, OFFICE, SPAN_MAX, STYLE, TABLE, cells_of, number_of, styles_with
from adapters.parsing.office.package import Package
from adapters.parsing.office.sheet import Row, Sheet
from schemas.errors import Refused

_TABLE, _ROW, _COLUMN = TABLE + "table", TABLE + "table-row", TABLE + "table-column"
_HIDDEN = ("collapse", "filter")


def open_sheets(package: Package, bounds: Bounds, hidden: HiddenContent) -> Iterator[Sheet]:
    """Sheets in order. Raises Refused: ``document_unreadable``, ``document_too_complex``."""
    unseen = styles_with(package, STYLE + "table-properties", TABLE + "display", ("false",))
    sheet: _SheetBuilder | None = None
    try:
        for event, element in etree.iterparse(
            BytesIO(package.parts[CONTENT]), events=("start", "end"), tag=(_TABLE, _ROW, _COLUMN), **XML_OPTIONS
        ):
            parent = element.getparent()
            if element.tag == _TABLE and parent is not None and parent.tag == OFFICE + "spreadsheet":
                if event == "start":
                    name = element.get(TABLE + "name", "")
                    is_hidden = element.get(TABLE + "style-name", "") in unseen
                    if is_hidden:
                        hidden.add(f"sheet {name}")
                    sheet = None if is_hidden and hidden.leave_out else _SheetBuilder(name, element, bounds)
                else:
                    if sheet is not None:
                        yield sheet.build()
                    sheet = None
                    element.clear()
            elif event == "end" and element.tag != _TABLE and sheet is not None and sheet.owns(element):
                sheet.add(element)
                element.clear()
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refused("document_unreadable", f"{CONTENT} is not well-formed: {error}") from error


class _SheetBuilder:
    """Collects the rows and columns of one sheet."""

    def __init__(self, name: str, table: Any, bounds: Bounds) -> None:
        self._name, self._table, self._bounds = name, table, bounds
        self._rows: list[Row] = []
        self._ranges: list[CellRange] = []
        self._hidden_columns: list[tuple[int, int]] = []
        self._number = self._column = 1
        self._cells = self._above = 0  # the last row that is hidden or holds something

    def owns(self, element: Any) -> bool:
        """Whether a row or column is of this sheet, not of a table inside a cell."""
        return next(element.iterancestors(_TABLE), None) is self._table

    def add(self, element: Any) -> None:
        """A row or a column, read to its end. Raises Refused("document_too_complex")."""
        if element.tag == _COLUMN:
            count = number_of(element, TABLE + "number-columns-repeated")
            if element.get(TABLE + "visibility") in _HIDDEN:
                self._hidden_columns.append((self._column, min(self._column + count, SPAN_MAX) - 1))
            self._column += count
            return
        count, is_hidden = number_of(element, TABLE + "number-rows-repeated"), element.get(TABLE + "visibility") in _HIDDEN
        cells = list(cells_of(element, self._number, self._ranges))
        for number in range(self._number, self._number + count) if cells else ():
            self._cells += len(cells)
            if self._cells > self._bounds.cells_max:
                raise Refused("document_too_complex", f"a sheet has more than {self._bounds.cells_max:,} cells (CLAW_DOCUMENT_CELLS_MAX)")
            self._rows.append(Row(number, cells, is_hidden, number == self._above + 1))
            self._above = number
        self._number += count
        if is_hidden:
            self._above = self._number - 1

    def build(self) -> Sheet:
        """The sheet."""
        return Sheet(self._name, self._rows, MergedCells(self._ranges, self._bounds.chars_max), self._hidden_columns)
