"""XLSX as a stream of rows that hold something, in the memory of what it says.

A sheet's extent is the file's claim, and two cells in opposite corners make a rectangle of 17 billion: calamine, pandas and openpyxl lay
it out or walk it. Here the sheet's XML is read once, cell by cell; a shared string is one object however often it is used.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from xml.parsers import expat

from adapters.parsing.core.cell_ranges import column_number
from adapters.parsing.office.package import READ_BYTES, Package
from schemas.errors import Refused

Row = tuple[int, list[tuple[int, str]]]  # its number and the columns that hold something, all from 1

EMPTY_CELLS_SHARE = 4  # of cells that only have a format, as many as may hold something, four times over
COLUMN_LETTERS_MAX = 3
SERIAL_MAX = 2_958_466  # the end of the year 9999
LEAP_SERIAL = 60  # the 29th of February 1900, which Excel has and the calendar has not
DIGITS = 15  # that a number keeps
_SECONDS = 86_400
_INTEGER_MAX = 10**DIGITS  # beyond it a float has no units
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\[\]]*+\]', re.IGNORECASE)
_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_DATES = {*range(14, 18), 22, *range(27, 32), 36, *range(50, 59)}  # built-in formats; the higher ones are East Asian
_TIMES = {18, 19, 20, 21, 32, 33, 34, 35, 45, 47}
_PERCENTS = {9, 10}
_ELAPSED = 46

NumberFormat = Callable[[float], str]


def format_number(value: float) -> str:
    """As a sheet shows it without a format: no ``.0``, no more digits than Excel keeps."""
    return str(int(value)) if value == int(value) and abs(value) < _INTEGER_MAX else f"{value:.15g}"


class Workbook:
    """The sheets of a package. Raises Refused: ``document_unreadable``, ``document_too_complex``."""

    def __init__(self, package: Package) -> None:
        self._package, self._bounds = package, package.bounds
        self._name = package.main_part("workbook")
        workbook = package.tree(self._name)
        targets = {one.id: one.target for one in package.relations(self._name) if one.kind == "worksheet"}
        sheets = workbook.iterfind("{*}sheets/{*}sheet")
        self.sheets = [(one.get("name", ""), target) for one in sheets if (target := targets.get(_relation_id(one), ""))]
        properties = workbook.find("{*}workbookPr")
        self._epoch_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        self._strings = self._load_strings()
        self._formats = self._cell_formats()
        self._cells = self._touched = self._chars = 0

    def rows(self, sheet: str) -> Iterator[Row]:
        """Rows of the sheet in the part of that name, in the file's order; cells that are empty are left out."""
        data = self._package.parts.get(sheet.lower())
        if data is None:
            raise Refused("document_unreadable", f"{sheet} is missing")
        reader = _SheetReader(self)
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
        """What a cell shows."""
        if kind == "s":
            index = int(text) if text.isascii() and text.isdigit() else -1
            return self._strings[index] if 0 <= index < len(self._strings) else ""
        if kind == "b":
            return "TRUE" if text.strip() == "1" else "FALSE"
        if kind != "n":
            return text
        shown = self._formats.get(style, format_number)
        if shown is format_number and text.isdigit() and len(text) < DIGITS:
            return text
        try:
            return shown(float(text))
        except (ValueError, OverflowError):  # no number, or none that is one: as it is written
            return text

    def count_cell(self, text: str) -> None:
        """Counts a cell, also one without text. Raises Refused("document_too_complex")."""
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
        """By a cell's style: how its number is shown, when that changes what it says."""
        tree = self._package.find_tree(self._name, "styles")
        if tree is None:
            return {}
        codes = {one.get("numFmtId", ""): one.get("formatCode", "") for one in tree.iterfind("{*}numFmts/{*}numFmt")}
        formats: dict[str, NumberFormat] = {}
        for index, style in enumerate(tree.iterfind("{*}cellXfs/{*}xf")):
            shown = self._formatter_for(style.get("numFmtId", ""), codes)
            if shown is not None:
                formats[str(index)] = shown
        return formats

    def _formatter_for(self, format_id: str, codes: dict[str, str]) -> NumberFormat | None:
        code = _QUOTED.sub("", codes.get(format_id, "")).lower().partition(";")[0]
        built_in = int(format_id) if format_id.isascii() and format_id.isdigit() and not code else -1
        if "%" in code or built_in in _PERCENTS:
            return lambda value: f"{format_number(float(f'{value * 100:.12g}'))}%"
        if "[" in code or built_in == _ELAPSED:
            return _format_duration
        days = bool(re.search("[yd]", code)) or built_in in _DATES or ("m" in code and not re.search("[hs]", code))
        if days or re.search("[hs]", code) or built_in in _TIMES:
            return lambda value: self._format_moment(value, days=days)
        return None

    def _format_moment(self, value: float, *, days: bool) -> str:
        """A serial number as ISO date, time, or both; as it is when it is none."""
        if not 0 <= value < SERIAL_MAX:
            return format_number(value)
        whole, seconds = divmod(round(value * _SECONDS), _SECONDS)
        if whole == 0 and not days:
            return str((datetime(1900, 1, 1) + timedelta(seconds=seconds)).time())  # noqa: DTZ001  sheets know no zones
        base = datetime(1904, 1, 1) if self._epoch_1904 else datetime(1899, 12, 31 if whole < LEAP_SERIAL else 30)  # noqa: DTZ001
        moment = base + timedelta(days=whole, seconds=seconds)
        return str(moment) if seconds else str(moment.date())


class _SheetReader:
    """What expat calls while it reads a sheet."""

    def __init__(self, workbook: Workbook) -> None:
        self._workbook = workbook
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
                self._rows.append((self._row, self._cells))
        elif tag == "rPh":
            self._phonetic = False

    def text(self, data: str) -> None:
        if self._inside:
            self._pieces.append(data)

    def _set_column(self, reference: str) -> None:
        letters = reference.rstrip("0123456789")
        column = self._columns.get(letters)
        if column is None:
            column = column_number(letters) if 0 < len(letters) <= COLUMN_LETTERS_MAX and letters.isascii() and letters.isupper() else 0
            self._columns[letters[: COLUMN_LETTERS_MAX + 1]] = column
        self._column = column or self._column + 1


def _format_duration(value: float) -> str:
    seconds = round(abs(value) * _SECONDS)
    return f"{'-' * (value < 0)}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _string_runs(item: Any) -> Iterator[str]:
    """Text of a shared string, plain or in runs of different looks, without how it is pronounced."""
    for child in item:
        tag = child.tag.rpartition("}")[2]
        if tag == "t":
            yield child.text or ""
        elif tag == "r":
            yield child.findtext("{*}t", "") or ""


def _relation_id(sheet: Any) -> str:
    return next((str(value) for name, value in sheet.attrib.items() if name.endswith("}id")), "")
