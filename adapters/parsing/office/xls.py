"""XLS and XLSB: values by calamine; number formats, merged cells and what is hidden from the records of XLS, which calamine does not tell.

Records are walked once. What cannot be read of them costs the formats, not the document: values are then shown as they are, like those of
XLSB, whose records are not read.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any

import olefile  # type: ignore[import-untyped]
from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

from adapters.parsing.core.cell_ranges import CellRange
from adapters.parsing.core.hidden import HiddenContent
from adapters.parsing.core.merged_cells import MergedCells
from adapters.parsing.core.source import Bounds
from adapters.parsing.office.number_formats import NumberFormat, format_number, number_format
from adapters.parsing.office.sheet import Row, Sheet
from schemas.errors import Refused

AREA_SHARE = 16  # an old sheet's cells, the empty ones counted, in terms of those that may hold something
MERGES_MAX = 65_536  # of one sheet
_STREAMS = ("Workbook", "Book")
_BOF, _EOF, _DATE_MODE, _FORMAT, _XF, _BOUND_SHEET = 0x0809, 0x000A, 0x0022, 0x041E, 0x00E0, 0x0085
_ROW, _COLUMNS, _MERGED = 0x0208, 0x007D, 0x00E5
_NUMBER, _RK, _MULTIPLE_RK, _FORMULA = 0x0203, 0x027E, 0x00BD, 0x0006
_BIFF8 = 0x0600
_HIDDEN_ROW, _HIDDEN_COLUMN, _VISIBILITY = 0x20, 1, 3
_PANIC = "PanicException"  # of calamine, which is no Exception and has no name to import
_BROKEN = (OSError, struct.error, LookupError, ValueError, TypeError, AttributeError, ArithmeticError)


@dataclass(slots=True)
class _SheetRecords:
    """What the records say about one sheet; rows and columns from 0."""

    hidden: bool = False
    texts: dict[tuple[int, int], str] = field(default_factory=dict)  # of numbers with a format
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    merged: list[CellRange] = field(default_factory=list)


def old_sheets(data: bytes, bounds: Bounds, hidden: HiddenContent) -> Iterator[Sheet]:
    """Sheets of an old workbook, or of a binary one. Raises Refused: ``document_unreadable``, ``document_too_complex``."""
    with refuse_panics():
        yield from _read_sheets(data, bounds, hidden)


def _read_sheets(data: bytes, bounds: Bounds, hidden: HiddenContent) -> Iterator[Sheet]:
    too_many = Refused("document_too_complex", f"it has more than {bounds.cells_max:,} cells (CLAW_DOCUMENT_CELLS_MAX)")
    area = 0
    try:
        workbook = CalamineWorkbook.from_filelike(BytesIO(data))
        names = workbook.sheet_names
        known = _read_records(data, bounds.cells_max)
        if len(known) != len(names):
            known = [_SheetRecords() for _ in names]
        seen = [one.visible == SheetVisibleEnum.Visible for one in workbook.sheets_metadata]  # known even when the records are not
        for name, records, is_seen in zip(names, known, seen, strict=True):
            if records.hidden or not is_seen:
                hidden.add(f"sheet {name}")
                if hidden.leave_out:
                    continue
            sheet = workbook.get_sheet_by_name(name)
            area += sheet.height * sheet.width
            if area > AREA_SHARE * bounds.cells_max:
                raise too_many
            merged = MergedCells(records.merged, bounds.chars_max)
            yield Sheet(name, _rows(sheet, records, bounds.cells_max), merged, records.hidden_columns)
    except (CalamineError, OSError, ValueError) as error:
        raise Refused("document_unreadable", f"the workbook cannot be read: {error}") from error


@contextmanager
def refuse_panics() -> Iterator[None]:
    """Raises Refused for what calamine raises where a file breaks its own checks."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise Refused("document_unreadable", "the workbook is damaged") from error


def _rows(sheet: Any, records: _SheetRecords, cells_max: int) -> Iterator[Row]:
    """An old sheet has at most 65,536 rows of 256 columns, all of which are walked."""
    top, left = sheet.start or (0, 0)
    count = above = 0
    for index, row in enumerate(sheet.to_python(skip_empty_area=True), top):
        cells = [
            (column + 1, text) for column, value in enumerate(row, left) if (text := _cell_text(value, records.texts.get((index, column))))
        ]
        count += len(cells)
        if count > cells_max:
            raise Refused("document_too_complex", f"a sheet has more than {cells_max:,} cells (CLAW_DOCUMENT_CELLS_MAX)")
        hidden = index in records.hidden_rows
        if cells:
            yield Row(index + 1, cells, hidden, index == above)
        if cells or hidden:
            above = index + 1


def _cell_text(value: object, formatted: str | None) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if formatted is not None and not isinstance(value, str):
        return formatted
    if isinstance(value, float):
        return format_number(value)
    if isinstance(value, datetime):
        return str(value if value.time() != time() else value.date())
    return str(value).strip() if isinstance(value, str | int | date | time | timedelta) else ""


def _read_records(data: bytes, cells_max: int) -> list[_SheetRecords]:
    """One entry per sheet in the workbook's order; none when the records cannot be read."""
    try:
        with olefile.OleFileIO(BytesIO(data)) as container:
            stream = next(container.openstream(name).read() for name in _STREAMS if container.exists(name))
        return _RecordReader(stream, cells_max).read()
    except (*_BROKEN, StopIteration):
        return []


class _RecordReader:
    """Walks the globals, then every sheet that they list."""

    def __init__(self, stream: bytes, cells_max: int) -> None:
        self._stream, self._cells_left = stream, cells_max
        self._codes: dict[int, str] = {}
        self._format_ids: list[int] = []
        self._formats: Mapping[int, NumberFormat] = {}
        self._sheets: list[tuple[int, _SheetRecords]] = []
        self._is_biff8, self._epoch_1904 = True, False

    def read(self) -> list[_SheetRecords]:
        for kind, body in self._records(0):
            self._read_global(kind, body)
        known = {one: number_format(one, self._codes.get(one, ""), epoch_1904=self._epoch_1904) for one in set(self._format_ids)}
        self._formats = {index: shown for index, one in enumerate(self._format_ids) if (shown := known[one]) is not None}
        for start, sheet in self._sheets:
            for kind, body in self._records(start):
                self._read_sheet(kind, body, sheet)
        return [sheet for _, sheet in self._sheets]

    def _records(self, at: int) -> Iterator[tuple[int, bytes]]:
        """Kind and body of the records of one part, without those of charts inside it."""
        depth = 0
        while at + 4 <= len(self._stream):
            kind, size = struct.unpack_from("<HH", self._stream, at)
            if kind == _BOF:
                depth += 1
            elif kind == _EOF:
                depth -= 1
                if depth <= 0:
                    return
            if depth == 1:
                yield kind, self._stream[at + 4 : at + 4 + size]
            at += 4 + size

    def _read_global(self, kind: int, body: bytes) -> None:
        if kind == _BOF:
            self._is_biff8 = struct.unpack_from("<H", body)[0] == _BIFF8
        elif kind == _DATE_MODE:
            self._epoch_1904 = body[:1] == b"\x01"
        elif kind == _FORMAT:
            self._codes[struct.unpack_from("<H", body)[0]] = self._code(body)
        elif kind == _XF:
            self._format_ids.append(struct.unpack_from("<H", body, 2)[0])
        elif kind == _BOUND_SHEET:
            start, state = struct.unpack_from("<IB", body)
            self._sheets.append((start, _SheetRecords(hidden=state & _VISIBILITY != 0)))

    def _code(self, body: bytes) -> str:
        if not self._is_biff8:
            return body[3 : 3 + body[2]].decode("gb18030", "replace")
        count, wide = struct.unpack_from("<HB", body, 2)
        return body[5 : 5 + 2 * count].decode("utf-16-le", "replace") if wide & 1 else body[5 : 5 + count].decode("latin-1")

    def _read_sheet(self, kind: int, body: bytes, sheet: _SheetRecords) -> None:
        if kind == _NUMBER or (kind == _FORMULA and body[12:14] != b"\xff\xff"):
            row, column, style, value = struct.unpack_from("<HHHd", body)
            self._add(sheet, row, column, style, value)
        elif kind == _RK:
            row, column, style, packed = struct.unpack_from("<HHHI", body)
            self._add(sheet, row, column, style, _unpack_rk(packed))
        elif kind == _MULTIPLE_RK:
            row, column = struct.unpack_from("<HH", body)
            for index, (style, packed) in enumerate(struct.iter_unpack("<HI", body[4 : len(body) - 2])):
                self._add(sheet, row, column + index, style, _unpack_rk(packed))
        else:
            _read_layout(kind, body, sheet)

    def _add(self, sheet: _SheetRecords, row: int, column: int, style: int, value: float) -> None:
        shown = self._formats.get(style)
        if shown is None:
            return
        self._cells_left -= 1
        if self._cells_left < 0:
            raise Refused("document_too_complex", "it has too many cells (CLAW_DOCUMENT_CELLS_MAX)")
        sheet.texts[row, column] = shown.show(value)


def _read_layout(kind: int, body: bytes, sheet: _SheetRecords) -> None:
    """Hidden rows and columns, merged cells."""
    if kind == _ROW:
        if body[12] & _HIDDEN_ROW:
            sheet.hidden_rows.add(struct.unpack_from("<H", body)[0])
    elif kind == _COLUMNS:
        first, last, width, _, options = struct.unpack_from("<HHHHH", body)
        if options & _HIDDEN_COLUMN or not width:
            sheet.hidden_columns.append((first + 1, last + 1))
    elif kind == _MERGED:
        for top, bottom, left, right in struct.iter_unpack("<HHHH", body[2 : 2 + 8 * struct.unpack_from("<H", body)[0]]):
            if len(sheet.merged) < MERGES_MAX and top <= bottom and left <= right:
                sheet.merged.append(CellRange(top + 1, left + 1, bottom + 1, right + 1))


def _unpack_rk(packed: int) -> float:
    """A number in 30 bits: the upper half of a float or an integer, perhaps a hundred times what it says."""
    value: float
    if packed & 2:
        value = struct.unpack("<i", struct.pack("<I", packed))[0] >> 2
    else:
        value = struct.unpack("<d", struct.pack("<II", 0, packed & 0xFFFFFFFC))[0]
    return value / 100 if packed & 1 else value
