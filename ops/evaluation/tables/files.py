"""Tables as files of every format: CSV and HTML as text, the others by the libraries that the tests write Office files with.

These come with the development dependencies; without them the command says so.
"""

import csv
import html
import io
from collections.abc import Callable, Iterator, Sequence

from ops.evaluation.tables.case import Format, TableCase
from schemas.errors import ConfigurationError

ROWS_PER_PAGE = 28
_LEFT, _TOP, _ROW_HEIGHT, _WIDTH = 50, 780, 24, 495  # points, of an A4 page
_FONTS = (
    b"/F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
    b"/C1<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-H/DescendantFonts[<</Type/Font/Subtype/CIDFontType0"
    b"/BaseFont/STSong-Light/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>/DW 1000>>]>>"
)


def write_file(case: TableCase) -> bytes:
    """The table as a file of its format. Raises ConfigurationError when a library that writes it is not installed."""
    try:
        return _WRITERS[case.format](case)
    except ImportError as error:
        raise ConfigurationError(f"claw eval tables writes its files with the development dependencies: {error}") from error


def _grid(case: TableCase) -> list[tuple[str, ...]]:
    return [*case.header, *case.rows]


def _write_csv(case: TableCase) -> bytes:
    """With the title as a row of its own above the header, as people export it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([case.title, *[""] * (len(case.header[0]) - 1)])
    writer.writerows(_grid(case))
    return text.getvalue().encode("utf-8")


def _write_html(case: TableCase) -> bytes:
    lines = [f"<h1>{html.escape(case.title)}</h1>", "<table>"]
    spans = {(first, left): (last - first + 1, right - left + 1) for first, left, last, right in case.merged}
    covered = set(_covered(case))
    for number, row in enumerate(_grid(case)):
        tag = "th" if number < len(case.header) else "td"
        cells = []
        for column, text in enumerate(row):
            if (number, column) in covered:
                continue
            rows, columns = spans.get((number, column), (1, 1))
            span = (f' rowspan="{rows}"' if rows > 1 else "") + (f' colspan="{columns}"' if columns > 1 else "")
            cells.append(f"<{tag}{span}>{html.escape(text)}</{tag}>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    page = "\n".join((*lines, "</table>"))
    return f"<html><head><title>{html.escape(case.title)}</title></head><body>{page}</body></html>".encode()


def _covered(case: TableCase) -> Iterator[tuple[int, int]]:
    for first, left, last, right in case.merged:
        yield from ((row, column) for row in range(first, last + 1) for column in range(left, right + 1) if (row, column) != (first, left))


def _write_xlsx(case: TableCase) -> bytes:
    """Numbers as numbers; the title is the sheet's first row, merged over the table."""
    import openpyxl  # noqa: PLC0415 - a development dependency

    made = openpyxl.Workbook()
    sheet = made.active
    sheet.title = "Data"
    sheet.append([case.title])
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(case.header[0]))
    for row in _grid(case):
        sheet.append([_sheet_value(cell) for cell in row])
    for first, left, last, right in case.merged:
        sheet.merge_cells(start_row=first + 2, start_column=left + 1, end_row=last + 2, end_column=right + 1)
    data = io.BytesIO()
    made.save(data)
    return data.getvalue()


def _sheet_value(cell: str) -> str | int:
    return int(cell) if cell.isdigit() and not cell.startswith("0") else cell


def _write_docx(case: TableCase) -> bytes:
    import docx  # noqa: PLC0415 - as above

    made = docx.Document()
    made.add_heading(case.title, 1)
    grid = _grid(case)
    table = made.add_table(rows=len(grid), cols=len(grid[0]))
    for number, row in enumerate(grid):
        for column, text in enumerate(row):
            if text:
                table.cell(number, column).text = text
    for first, left, last, right in case.merged:
        table.cell(first, left).merge(table.cell(last, right))
    data = io.BytesIO()
    made.save(data)
    return data.getvalue()


def _write_pdf(case: TableCase) -> bytes:
    """Ruled pages; the header stands on the first one only."""
    grid = _grid(case)
    pages = [grid[first : first + ROWS_PER_PAGE] for first in range(0, len(grid), ROWS_PER_PAGE)]
    streams = [_draw_page(case.title if number == 0 else "", rows) for number, rows in enumerate(pages)]
    kids = " ".join(f"{3 + 2 * number} 0 R" for number in range(len(streams)))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Kids[{kids}]/Count {len(streams)}>>".encode()]
    for number, stream in enumerate(streams):
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources<</Font<<%s>>>>>>" % (4 + 2 * number, _FONTS)
        )
        objects.append(b"<</Length %d>>\nstream\n%s\nendstream" % (len(stream), stream))
    out, offsets = bytearray(b"%PDF-1.6\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def _draw_page(title: str, rows: Sequence[Sequence[str]]) -> bytes:
    width = _WIDTH / len(rows[0])
    bottom = _TOP - _ROW_HEIGHT * len(rows)
    drawn = [_text(_LEFT, _TOP + 16, title, 14)] if title else []
    drawn += [f"0.5 w {_LEFT} {_TOP - _ROW_HEIGHT * row} m {_LEFT + _WIDTH} {_TOP - _ROW_HEIGHT * row} l S" for row in range(len(rows) + 1)]
    drawn += [f"{_LEFT + width * column:.1f} {_TOP} m {_LEFT + width * column:.1f} {bottom} l S" for column in range(len(rows[0]) + 1)]
    for row, cells in enumerate(rows):
        drawn += [_text(_LEFT + width * column + 4, _TOP - _ROW_HEIGHT * row - 16, text, 10) for column, text in enumerate(cells) if text]
    return "\n".join(drawn).encode()


def _text(x: float, y: float, text: str, size: int) -> str:
    if text.isascii():
        shown = "(" + text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)") + ")"
    else:
        shown = f"<{text.encode('utf-16-be').hex()}>"
    return f"BT /{'F1' if text.isascii() else 'C1'} {size} Tf 1 0 0 1 {x:.1f} {y:.1f} Tm {shown} Tj ET"


_WRITERS: dict[Format, Callable[[TableCase], bytes]] = {
    "csv": _write_csv,
    "html": _write_html,
    "xlsx": _write_xlsx,
    "docx": _write_docx,
    "pdf": _write_pdf,
}
