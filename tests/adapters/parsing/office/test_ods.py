"""Spreadsheets of OpenDocument: what the sheet shows, like a workbook's."""

import pytest
from msgspec.structs import replace

from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.office.workbook import parse_ods
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.open_documents import SPREADSHEET, office_document, open_document

BOUNDS = Bounds.of(DocumentSettings())
HIDDEN_STYLE = '<style:style style:name="gone" style:family="table"><style:table-properties table:display="false"/></style:style>'


def cell(text, attributes=""):
    return f"<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>"


def row(*cells, attributes=""):
    return f"<table:table-row {attributes}>{''.join(cells)}</table:table-row>"


def sheet(*rows, name="库存", attributes="", columns=""):
    return f'<table:table table:name="{name}" {attributes}>{columns}{"".join(rows)}</table:table>'


def parse(*sheets, bounds=BOUNDS, **parts):
    content = office_document(f"<office:spreadsheet>{''.join(sheets)}</office:spreadsheet>", HIDDEN_STYLE)
    return parse_ods(Entry(data=open_document(content, SPREADSHEET, **parts), bounds=bounds))


def test_cells_are_what_the_sheet_shows():
    """Their values may be finer; spaces and breaks are elements."""
    value = 'office:value-type="percentage" office:value="0.12345"'
    parsed = parse(sheet(row(cell("料号"), cell("占比")), row(cell("A<text:s text:c='2'/>1<text:line-break/>乙"), cell("12.3%", value))))
    assert parsed.text == "库存\n\n料号\t占比\nA 1 乙\t12.3%"
    assert [(block.place.sheet, block.place.cells) for block in parsed.blocks] == [("库存", ""), ("库存", "A1:B2")]


def test_rows_and_cells_that_are_alike_stand_once_in_the_file():
    """And a million empty ones at the end cost nothing."""
    alike = cell("0", 'table:number-columns-repeated="2"')
    empty = "<table:table-cell table:number-columns-repeated='16384'/>"
    parsed = parse(
        sheet(
            row(cell("a"), cell("b"), cell("c")),
            row(cell("x"), alike, empty, attributes='table:number-rows-repeated="2"'),
            row(empty, attributes='table:number-rows-repeated="1048573"'),
        )
    )
    assert parsed.text.endswith("a\tb\tc\nx\t0\t0\nx\t0\t0")


def test_a_merged_cell_holds_in_every_row_that_it_covers():
    covered = "<table:covered-table-cell/>"
    parsed = parse(
        sheet(row(cell("仓库"), cell("料号")), row(cell("东库", 'table:number-rows-spanned="2"'), cell("M1")), row(covered, cell("M2")))
    )
    assert parsed.text.endswith("东库\tM1\n东库\tM2")


@pytest.mark.parametrize("include", [False, True])
def test_what_is_hidden_is_left_out_and_named(include):
    """Sheets, rows (by hand or by a filter) and columns."""
    columns = '<table:table-column/><table:table-column table:visibility="collapse"/>'
    shown = sheet(
        row(cell("名"), cell("成本")),
        row(cell("甲"), cell("7")),
        row(cell("乙"), cell("8"), attributes='table:visibility="filter"'),
        columns=columns,
    )
    parsed = parse(
        shown, sheet(row(cell("秘密")), name="内部", attributes='table:style-name="gone"'), bounds=replace(BOUNDS, include_hidden=include)
    )
    assert [note.code for note in parsed.notes] == ["hidden_included" if include else "hidden_left_out"] * 3
    assert {note.detail for note in parsed.notes} == {"库存: columns B", "库存: rows 3", "sheet 内部"}
    assert all((word in parsed.text) is include for word in ("成本", "乙", "秘密"))


def test_comments_and_tables_inside_of_cells_make_no_rows():
    inner = f"<table:table-cell>{sheet(row(cell('inner')))}</table:table-cell>"
    parsed = parse(sheet(row(cell("<office:annotation><text:p>note</text:p></office:annotation>a"), cell("b")), row(cell("c"), inner)))
    assert parsed.text == "库存\n\na\tb\nc\tinner"


def test_a_file_with_a_password_says_so():
    manifest = b"<manifest:manifest xmlns:manifest='m'><manifest:encryption-data/></manifest:manifest>"
    with pytest.raises(Refused, match="without a password") as refused:
        parse(sheet(row(cell("x"))), **{"META-INF/manifest.xml": manifest})
    assert refused.value.code == "document_unreadable"


def test_macros_beside_the_sheets_are_not_read():
    """Their parts declare a document type, which is refused where it is read."""
    assert "x" in parse(sheet(row(cell("x"))), **{"Basic/module.xml": b"<!DOCTYPE a><a/>"}).text


def test_repeated_cells_are_bounded():
    many = row(cell("x", 'table:number-columns-repeated="16000"'), attributes='table:number-rows-repeated="1000000"')
    with pytest.raises(Refused, match="CLAW_DOCUMENT_CELLS_MAX"):
        parse(sheet(many))


def test_a_broken_sheet_is_named():
    with pytest.raises(Refused) as refused:
        parse_ods(Entry(data=open_document(office_document("<office:spreadsheet>")[:-60], SPREADSHEET), bounds=BOUNDS))
    assert refused.value.code == "document_unreadable"
