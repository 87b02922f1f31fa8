"""XLSX as a stream of non-empty rows; memory grows with the text, not with the declared size of a sheet.

A sheet's extent is the file's claim, and two cells in opposite corners make a rectangle of 17 billion: calamine, pandas and openpyxl lay
it out or walk it. Here the sheet's XML is read once, cell by cell; a shared string is one object however often it is used.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from xml.parsers import expat

from adapters.parsing.core.cell_ranges import CellRange, column_number, read_cells
from adapters.parsing.office.number_formats import DIGITS, NumberFormat, format_number, number_format
from adapters.parsing.office.package import READ_BYTES, Package
from adapters.parsing.office.sheet import Row
from schemas.errors import Refused

EMPTY_CELLS_SHARE = 4  # of cells that only have a format, as many as may hold something, four times over
COLUMN_LETTERS_MAX = 3
MERGES_MAX = 200_000  # of one sheet; what is beyond is read as single cells
HIDDEN_RANGES_MAX = 20_000  # of columns; a sheet has 16,384
_MERGE = re.compile(rb"""<(?:\w{1,20}:)?mergeCell\s{1,20}ref\s{0,20}=\s{0,20}["']([A-Z0-9:$]{2,24})["']""")
_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


class SheetPart(NamedTuple):
    """A sheet as the workbook lists it; ``part`` is the name of its XML."""

    name: str
    part: str
    hidden: bool


class Workbook:
    """The sheets of a package. Raises Refused: ``document_unreadable``, ``document_too_complex``."""

    def __init__(self, package: Package) -> None:
        self._package, self._bounds = package, package.bounds
        self._name = package.main_part("workbook")
        workbook = package.tree(self._name)
        targets = {one.id: one.target for one in package.relations(self._name) if one.kind == "worksheet"}
        sheets = workbook.iterfind("{*}sheets/{*}sheet")
        self.sheets = [
            SheetPart(one.get("name", ""), target, one.get("state", "visible") != "visible")
            for one in sheets
            if (target := targets.get(_relation_id(one), ""))
        ]
        properties = workbook.find("{*}workbookPr")
        self._epoch_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        self._strings = self._load_strings()
        self._formats = self._cell_formats()
        self._cells = self._touched = self._chars = 0

    def merged_ranges(self, sheet: str) -> Iterator[CellRange]:
        """Merged cells of a sheet. They stand behind its rows, which need them: looked up in the bytes, so that rows stay a stream."""
        data = self._package.parts.get(sheet.lower(), b"")
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            data = data.replace(b"\0", b"")  # UTF-16: cell references are ASCII
        for count, match in enumerate(_MERGE.finditer(data, max(data.rfind(b"sheetData"), 0))):
            if count == MERGES_MAX:
                return
            cells = read_cells(match[1].replace(b"$", b"").decode())
            if cells is not None and cells.first_row <= cells.last_row and cells.first_column <= cells.last_column:
                yield cells

    def rows(self, sheet: str, hidden_columns: list[tuple[int, int]]) -> Iterator[Row]:
        """Rows of the sheet in the part of that name, in the file's order; cells that are empty are left out.

        ``hidden_columns`` gets the first and last of those that are hidden, before the first row comes.
        """
        data = self._package.parts.get(sheet.lower())
        if data is None:
            raise Refused("document_unreadable", f"{sheet} is missing")
        reader = _SheetReader(self, hidden_columns)
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
        parser.CharacterDataHandler = reader.text
        try:
            for start in range(0, len(data), READ_BYTES):
                parser.Parse(data[start : start + READ_BYTES], start + READ_BYTES >= len(data))
                yield from reader.take_rows()
        except (expat.ExpatError, LookupError) as error:
            raise Refused("document_unreadable", f"{sheet} is not well-formed: {error}") from error

    def cell_text(self, kind: str, style: str, text: str) -> str:
        """The text that a cell shows."""
        if kind == "s":
            index = int(text) if text.isascii() and text.isdigit() else -1
            return self._show_text(style, self._strings[index]) if 0 <= index < len(self._strings) else ""
        if kind == "b":
            return "TRUE" if text.strip() == "1" else "FALSE"
        if kind != "n":
            return text if kind in ("e", "d") else self._show_text(style, text)
        shown = self._formats.get(style)
        if shown is None and text.isdigit() and len(text) < DIGITS:
            return text
        try:
            return format_number(float(text)) if shown is None else shown.show(float(text))
        except (ValueError, ArithmeticError):  # no number, or none that is one: as it is written
            return text

    def _show_text(self, style: str, text: str) -> str:
        shown = self._formats.get(style)
        return shown.show_text(text) if shown is not None and shown.changes_text and text else text

    def count_cell(self, text: str) -> None:
        """Count a cell, also one without text. Raises Refused("document_too_complex")."""
        self._touched += 1
        self._cells += bool(text)
        self._chars += len(text)
        if self._cells > self._bounds.cells_max or self._touched > EMPTY_CELLS_SHARE * self._bounds.cells_max:
            raise Refused("document_too_complex", f"it has more than {self._bounds.cells_max:,} cells (CLAW_DOCUMENT_CELLS_MAX)")
        if self._chars > self._bounds.chars_max:
            raise Refused(
                "document_too_complex", f"its cells hold more than {self._bounds.chars_max:,} characters (CLAW_DOCUMENT_TEXT_CHARS_MAX)"
            )

    def _load_strings(self) -> list[str]:
        part = self._package.find_target(self._name, "sharedStrings")
        found: list[str] = []
        chars = 0
        for item in self._package.children(part, _S + "sst", [_S + "si"]) if part else ():
            text = "".join(_string_runs(item))
            chars += len(text)
            if chars > self._bounds.chars_max or len(found) == self._bounds.cells_max:
                raise Refused(
                    "document_too_complex",
                    f"it has more than {self._bounds.cells_max:,} texts or {self._bounds.chars_max:,} characters of text "
                    "(CLAW_DOCUMENT_CELLS_MAX, CLAW_DOCUMENT_TEXT_CHARS_MAX)",
                )
            found.append(text)
        return found

    def _cell_formats(self) -> dict[str, NumberFormat]:
        """By a cell's style: how its content is shown, when that is not General."""
        tree = self._package.find_tree(self._name, "styles")
        if tree is None:
            return {}
        codes = {one.get("numFmtId", ""): one.get("formatCode", "") for one in tree.iterfind("{*}numFmts/{*}numFmt")}
        formats: dict[str, NumberFormat] = {}
        known: dict[str, NumberFormat | None] = {}
        for index, style in enumerate(tree.iterfind("{*}cellXfs/{*}xf")):
            format_id = style.get("numFmtId", "")
            if format_id not in known:
                number = int(format_id) if format_id.isascii() and format_id.isdigit() and len(format_id) < 8 else 0  # noqa: PLR2004
                known[format_id] = number_format(number, codes.get(format_id, ""), epoch_1904=self._epoch_1904)
            shown = known[format_id]
            if shown is not None:
                formats[str(index)] = shown
        return formats


class _SheetReader:
    """Handlers that expat calls while it parses a sheet."""

    def __init__(self, workbook: Workbook, hidden_columns: list[tuple[int, int]]) -> None:
        self._workbook, self._hidden_columns = workbook, hidden_columns
        self._hidden, self._above = False, 0  # the last row that held something or was hidden
        self._rows: list[Row] = []
        self._row, self._column = 0, 0
        self._columns: dict[str, int] = {}
        self._cells: list[tuple[int, str]] = []
        self._kind, self._style = "n", ""
        self._pieces: list[str] = []
        self._inside = self._phonetic = False

    def take_rows(self) -> list[Row]:
        """The rows that were read since the last time."""
        rows, self._rows = self._rows, []
        return rows

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        if tag == "c":
            self._set_column(attributes.get("r", ""))
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "0")
            self._pieces = []
        elif tag in ("v", "t"):
            self._inside = not self._phonetic
        elif tag == "row":
            given = attributes.get("r", "")
            self._row = int(given) if given.isascii() and given.isdigit() and len(given) < 8 else self._row + 1  # noqa: PLR2004
            self._column, self._cells = 0, []
            self._hidden = _is_on(attributes.get("hidden", "")) or attributes.get("ht") == "0"
        elif tag == "col":
            self._add_column_range(attributes)
        elif tag == "rPh":
            self._phonetic = True

    def end(self, name: str) -> None:
        tag = name.rpartition(":")[2]
        if tag in ("v", "t"):
            self._inside = False
        elif tag == "c":
            text = self._workbook.cell_text(self._kind, self._style, "".join(self._pieces)).strip() if self._pieces else ""
            self._workbook.count_cell(text)
            if text:
                self._cells.append((self._column, text))
        elif tag == "row":
            if self._cells:
                self._rows.append(Row(self._row, self._cells, self._hidden, self._row == self._above + 1))
            if self._cells or self._hidden:
                self._above = self._row
        elif tag == "rPh":
            self._phonetic = False

    def text(self, data: str) -> None:
        if self._inside:
            self._pieces.append(data)

    def _add_column_range(self, attributes: dict[str, str]) -> None:
        first, last = attributes.get("min", ""), attributes.get("max", "")
        hidden = _is_on(attributes.get("hidden", "")) or attributes.get("width") == "0"
        known = f"{first}{last}".isascii() and first.isdigit() and last.isdigit() and max(len(first), len(last)) < 8  # noqa: PLR2004
        if hidden and known and len(self._hidden_columns) < HIDDEN_RANGES_MAX:
            self._hidden_columns.append((int(first), int(last)))

    def _set_column(self, reference: str) -> None:
        letters = reference.rstrip("0123456789")
        column = self._columns.get(letters)
        if column is None:
            column = column_number(letters) if 0 < len(letters) <= COLUMN_LETTERS_MAX and letters.isascii() and letters.isupper() else 0
            self._columns[letters[: COLUMN_LETTERS_MAX + 1]] = column
        self._column = column or self._column + 1


def _is_on(value: str) -> bool:
    return value in ("1", "true")


def _string_runs(item: Any) -> Iterator[str]:
    """Text of a shared string, plain or in formatted runs, without phonetic hints."""
    for child in item:
        tag = child.tag.rpartition("}")[2]
        if tag == "t":
            yield child.text or ""
        elif tag == "r":
            yield child.findtext("{*}t", "") or ""


def _relation_id(sheet: Any) -> str:
    return next((str(value) for name, value in sheet.attrib.items() if name.endswith("}id")), "")
