"""XLSX, XLSB, XLS and ODS: per sheet its name as heading and a table for every run of rows; a block knows its sheet and cells."""

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.cell_ranges import CellRange, column_name
from adapters.parsing.core.hidden import PLACES_MAX, HiddenContent, name_runs
from adapters.parsing.core.merged_cells import MergedCells, count_header_rows
from adapters.parsing.core.source import Entry
from adapters.parsing.core.unpacking import check_package
from adapters.parsing.office.drawings import A
from adapters.parsing.office.ods import open_sheets
from adapters.parsing.office.open_document import document_title, open_document
from adapters.parsing.office.package import OLE_MAGIC, decrypt_entry, open_package
from adapters.parsing.office.sheet import Row, Sheet
from adapters.parsing.office.xlsx import Workbook
from schemas.documents import Locator

CAPTION_ROWS_MAX = 3  # lines above a table's header that say what it is


def parse_workbook(entry: Entry) -> ParsedText:
    """Raises Refused: ``document_unreadable``, ``document_too_complex``, ``password_required``, ``password_wrong``.

    Notes: ``hidden_left_out`` or ``hidden_included`` name hidden sheets, rows and columns.
    """
    data = decrypt_entry(entry)
    assembly = Assembly(entry.bounds.chars_max)
    hidden = HiddenContent(include=entry.bounds.include_hidden)
    package = None if data.startswith(OLE_MAGIC) else open_package(entry, data)
    if package is None or package.is_binary:
        from adapters.parsing.office.xls import old_sheets  # noqa: PLC0415  loaded when an old workbook comes

        if package is not None:
            check_package(data, entry.bounds)  # calamine opens it by itself
        for sheet in old_sheets(data, entry.bounds, hidden):
            _SheetText(assembly, sheet, hidden).add()
        hidden.note_in(assembly)
        return assembly.build("" if package is None else package.title())
    workbook = Workbook(package)
    for name, part, is_hidden in workbook.sheets:
        if is_hidden:
            hidden.add(f"sheet {name}")
            if hidden.leave_out:
                continue
        columns: list[tuple[int, int]] = []
        merged = MergedCells(workbook.merged_ranges(part), entry.bounds.chars_max)
        _SheetText(assembly, Sheet(name, workbook.rows(part, columns), merged, columns), hidden).add()
        for relation in package.relations(part):
            drawing = package.tree(relation.target) if relation.kind == "drawing" else None
            for paragraph in () if drawing is None else drawing.iter(A + "p"):  # text boxes
                assembly.add_paragraph("".join(paragraph.itertext(A + "t")), Locator(sheet=name))
    hidden.note_in(assembly)
    return assembly.build(package.title())


def parse_ods(entry: Entry) -> ParsedText:
    """Raises and notes as ``parse_workbook`` does, but for passwords: ``document_unreadable``."""
    package = open_document(entry)
    assembly, hidden = Assembly(entry.bounds.chars_max), HiddenContent(include=entry.bounds.include_hidden)
    for sheet in open_sheets(package, entry.bounds, hidden):
        _SheetText(assembly, sheet, hidden).add()
    hidden.note_in(assembly)
    return assembly.build(document_title(package))


class _SheetText:
    """One sheet on its way into the text: a table for every run of rows."""

    def __init__(self, assembly: Assembly, sheet: Sheet, hidden: HiddenContent) -> None:
        self._assembly, self._sheet, self._hidden = assembly, sheet, hidden
        self._hidden_rows: set[int] = set()
        self._hidden_columns: dict[int, bool] = {}

    def add(self) -> None:
        name, merged = self._sheet.name, self._sheet.merged
        self._assembly.start_section()
        region: list[Row] = []
        begun, reach = False, 0  # the last row of merged cells in the region
        for row in self._sheet.rows:
            if not begun:
                self._assembly.add_heading(1, name, Locator(sheet=name))
                begun = True
            if region and not row.adjoins and row.number > reach + 1:
                self._add_region(region)
                region = []
            region.append(row)
            if merged:
                reach = max(reach, *(merged.last_row(row.number, column) for column, _ in row.cells))
            if row.hidden:
                self._hidden_rows.add(row.number)
        if region:
            self._add_region(region)
        self._note_hidden()

    def _add_region(self, rows: list[Row]) -> None:
        """Rows without an empty one between them: lines of one cell above the first that has more are captions, not the header."""
        name = self._sheet.name
        leftmost = min(column for row in rows for column, _ in row.cells)
        captions = next((index for index, row in enumerate(rows) if not self._is_caption(row, leftmost)), 0)
        captions = captions if captions <= CAPTION_ROWS_MAX else 0
        for row in rows[:captions]:
            for column, text in row.cells:
                if not self._is_left_out(row, column):
                    self._assembly.add_paragraph(text, Locator(sheet=name, cells=str(CellRange(row.number, column, row.number, column))))
        table = rows[captions:]
        every = sorted({column for row in table for column, _ in row.cells})
        filled = [(row, self._sheet.merged.fill(row.number, row.cells, every)) for row in table]
        shown = [(row.number, held) for row, held in filled if not (row.hidden and self._hidden.leave_out)]
        holding = {column for _, held in shown for column, text in held.items() if text}
        columns = [column for column in sorted(holding) if not (self._is_hidden_column(column) and self._hidden.leave_out)]
        if not shown or not columns:
            return
        place = Locator(sheet=name, cells=str(CellRange(shown[0][0], columns[0], shown[-1][0], columns[-1])))
        spans = (any(self._spans_columns(number, column) for column in held) for number, held in shown)
        rows_of_header = count_header_rows(spans) if self._sheet.merged else 1
        self._assembly.add_table(([held.get(column, "") for column in columns] for _, held in shown), place, header_rows=rows_of_header)

    def _is_caption(self, row: Row, leftmost: int) -> bool:
        """Whether it is one cell that heads no columns of its own: one over some of the columns is a header's upper level."""
        if row.hidden and self._hidden.leave_out:
            return True
        cells = [column for column, _ in row.cells if not self._is_left_out(row, column)]
        if len(cells) != 1:
            return not cells
        return cells[0] == leftmost or not self._spans_columns(row.number, cells[0])

    def _is_left_out(self, row: Row, column: int) -> bool:
        return self._hidden.leave_out and (row.hidden or self._is_hidden_column(column))

    def _is_hidden_column(self, column: int) -> bool:
        if not self._sheet.hidden_columns:
            return False
        known = self._hidden_columns.get(column)
        if known is None:
            known = any(first <= column <= last for first, last in self._sheet.hidden_columns)
            self._hidden_columns[column] = known
        return known

    def _spans_columns(self, row: int, column: int) -> bool:
        return self._sheet.merged.last_column(row, column) > column

    def _note_hidden(self) -> None:
        columns = [column_name(column) for column, is_hidden in sorted(self._hidden_columns.items()) if is_hidden]
        if columns:
            more = f" and {len(columns) - PLACES_MAX:,} more" if len(columns) > PLACES_MAX else ""
            self._hidden.add(f"{self._sheet.name}: columns {', '.join(columns[:PLACES_MAX])}{more}")
        if self._hidden_rows:
            self._hidden.add(f"{self._sheet.name}: rows {name_runs(self._hidden_rows)}")
