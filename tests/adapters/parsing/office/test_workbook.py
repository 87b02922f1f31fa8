"""Excel files: sheets as tables whose rows know their cells."""

from datetime import date, datetime

from adapters.parsing.chunks.chunking import chunk
from adapters.parsing.office.workbook import parse_workbook
from tests.support.office_files import code, old_workbook, parsed, shown, workbook


def test_sheets_as_tables_with_their_cells():
    """Values as they are shown, captions apart from the header, a run of rows per table, empty sheets left out."""

    def fill(made):
        sheet = made.active
        sheet.title = "销售"
        sheet["B2"] = "年度销售"
        for row in (
            ["地区", "日期", "金额", "份额"],
            ["华东", date(2024, 3, 1), 1200.0, 0.125],
            [
                "华南",
                datetime(2024, 3, 2, 8, 30),  # noqa: DTZ001  sheets know no zones
                0.1 + 0.2,
                1,
            ],
        ):
            sheet.append([None, *row])
        sheet["E4"].number_format = sheet["E5"].number_format = "0.0%"
        sheet["A20"], sheet["C20"] = True, "=1/0"
        sheet["XFD1048576"] = "far"
        made.create_sheet("empty")
        made.create_sheet("二")["A1"] = 12345678901234

    found = parsed(parse_workbook, workbook(fill))
    assert [(str(block.place), *line) for block, line in zip(found.blocks, shown(found), strict=True)] == [
        ("销售", "h1", "销售"),
        ("销售!B2", "paragraph", "年度销售"),
        ("销售!B3:E5", "table", "地区\t日期\t金额\t份额\n华东\t2024-03-01\t1200\t12.5%\n华南\t2024-03-02 8:30:00\t0.3\t100.0%"),
        ("销售!A20", "table", "TRUE"),
        ("销售!XFD1048576", "table", "far"),
        ("二", "h1", "二"),
        ("二!A1", "table", "12345678901234"),
    ]
    assert found.blocks[-1].headings == ("二",)


def test_a_long_sheet_is_cut_into_rows_that_know_their_cells():
    """Through the chunker: the header as heading, the cells of just these rows."""

    def fill(made):
        made.active.title = "S"
        for row in [("code", "name"), *((n, f"product number {n}") for n in range(2, 301))]:
            made.active.append(row)

    chunks = chunk(parsed(parse_workbook, workbook(fill)), title="", target_tokens=100, max_tokens=150, chunks_max=999)
    assert len(chunks) > 10
    for one in chunks[1:]:
        assert one.place is not None
        first, last = one.place.cells.removeprefix("A").split(":B")
        assert one.text.startswith(f"{first}\t")
        assert one.text.endswith(f" {last}")
        assert one.headings == ("S", "code name")


def test_workbooks_end_at_their_limits():
    """Cells, characters, and one text said often, all without laying the sheet out."""

    def fill(made):
        for row in range(1, 101):
            made.active.append([f"text {row}"] + ["the same long text " * 50] * 3)

    assert code(parse_workbook, workbook(fill), cells_max=399) == "document_too_complex"
    assert code(parse_workbook, workbook(fill), chars_max=100_000) == "document_too_complex"
    assert len(parsed(parse_workbook, workbook(fill), cells_max=400).text) > 280_000


def test_an_old_workbook():
    """XLS: the same tables and places."""
    found = parsed(parse_workbook, old_workbook())
    assert shown(found) == [("h1", "库存"), ("table", "品名\t数量\n螺丝\t12")]
    assert str(found.blocks[1].place) == "库存!B5:C6"
