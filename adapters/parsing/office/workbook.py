"""XLSX and XLS: per sheet its name as heading and a table for every run of rows; a block knows its sheet and cells."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.cell_ranges import CellRange
from adapters.parsing.core.source import Entry
from adapters.parsing.office.drawings import A
from adapters.parsing.office.package import OLE_MAGIC, decrypt_entry, open_package
from adapters.parsing.office.xlsx import Row, Workbook, format_number
from schemas.documents import Locator
from schemas.errors import Refused

CAPTION_ROWS_MAX = 3  # lines above a table's header that say what it is
AREA_SHARE = 16  # an old sheet's cells, the empty ones counted, in terms of those that may hold something


def parse_workbook(entry: Entry) -> ParsedText:
    """Raises Refused: ``document_unreadable``, ``document_too_complex``, ``password_required``, ``password_wrong``."""
    data = decrypt_entry(entry)
    assembly = Assembly(entry.bounds.chars_max)
    if data.startswith(OLE_MAGIC):
        for name, rows in _xls_sheets(data, entry.bounds.cells_max):
            _add_sheet(assembly, name, rows)
        return assembly.build()
    package = open_package(entry, data)
    workbook = Workbook(package)
    for name, part in workbook.sheets:
        _add_sheet(assembly, name, workbook.rows(part))
        for relation in package.relations(part):
            drawing = package.tree(relation.target) if relation.kind == "drawing" else None
            for paragraph in () if drawing is None else drawing.iter(A + "p"):  # text boxes
                assembly.add_paragraph("".join(paragraph.itertext(A + "t")), Locator(sheet=name))
    return assembly.build(package.title())


def _add_sheet(assembly: Assembly, name: str, rows: Iterable[Row]) -> None:
    assembly.start_section()
    region: list[Row] = []
    begun = False
    for row in rows:
        if not begun:
            assembly.add_heading(1, name, Locator(sheet=name))
            begun = True
        if region and row[0] != region[-1][0] + 1:
            _add_region(assembly, name, region)
            region = []
        region.append(row)
    if region:
        _add_region(assembly, name, region)


def _add_region(assembly: Assembly, name: str, rows: list[Row]) -> None:
    """Rows without an empty one between them: lines of one cell above the first that has more are captions, not the header."""
    captions = next((index for index, (_, cells) in enumerate(rows) if len(cells) > 1), 0)
    captions = captions if captions <= CAPTION_ROWS_MAX else 0
    for number, cells in rows[:captions]:
        column, text = cells[0]
        assembly.add_paragraph(text, Locator(sheet=name, cells=str(CellRange(number, column, number, column))))
    table = rows[captions:]
    columns = sorted({column for _, cells in table for column, _ in cells})
    place = Locator(sheet=name, cells=str(CellRange(table[0][0], columns[0], table[-1][0], columns[-1])))
    assembly.add_table(_table_rows(table, columns), place)


def _table_rows(rows: list[Row], columns: list[int]) -> Iterator[list[str]]:
    for _, cells in rows:
        held = dict(cells)
        yield [held.get(column, "") for column in columns]


def _xls_sheets(data: bytes, cells_max: int) -> Iterator[tuple[str, Iterator[Row]]]:
    from python_calamine import CalamineError, CalamineWorkbook  # noqa: PLC0415  loaded when an old workbook comes

    too_many = Refused("document_too_complex", f"it has more than {cells_max:,} cells (CLAW_DOCUMENT_CELLS_MAX)")
    area = 0
    try:
        workbook = CalamineWorkbook.from_filelike(BytesIO(data))
        for name in workbook.sheet_names:
            sheet = workbook.get_sheet_by_name(name)
            area += sheet.height * sheet.width
            if area > AREA_SHARE * cells_max:
                raise too_many
            yield name, _xls_rows(sheet, cells_max)
    except (CalamineError, OSError, ValueError) as error:
        raise Refused("document_unreadable", f"the workbook cannot be read: {error}") from error


def _xls_rows(sheet: Any, cells_max: int) -> Iterator[Row]:
    """An old sheet has at most 65,536 rows of 256 columns, all of which are walked."""
    top, left = sheet.start or (0, 0)
    count = 0
    for number, row in enumerate(sheet.to_python(skip_empty_area=True), top + 1):
        cells = [(column, text) for column, value in enumerate(row, left + 1) if (text := _cell_text(value))]
        count += len(cells)
        if count > cells_max:
            raise Refused("document_too_complex", f"a sheet has more than {cells_max:,} cells (CLAW_DOCUMENT_CELLS_MAX)")
        if cells:
            yield number, cells


def _cell_text(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return format_number(value)
    if isinstance(value, datetime):
        return str(value if value.time() != time() else value.date())
    return str(value).strip() if isinstance(value, str | int | date | time | timedelta) else ""
