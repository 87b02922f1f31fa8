"""Excel files: sheets as tables whose rows know their cells."""

from datetime import date, datetime

import pytest

from adapters.parsing.chunks.chunking import chunk
from adapters.parsing.dispatch import parse_entry
from adapters.parsing.office.number_formats import format_number, number_format
from adapters.parsing.office.workbook import parse_workbook
from adapters.parsing.office.xls import refuse_panics
from schemas.errors import Refused
from tests.support.office_files import binary_workbook, code, formatted_old_workbook, old_workbook, parsed, sheet_xml, shown, workbook


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


def _tables(found) -> list[str]:
    return [text for kind, text in shown(found) if kind == "table"]


def _notes(found) -> list[tuple[str, str]]:
    return [(note.code, note.detail) for note in found.notes]


def test_merged_cells_are_said_in_every_row_that_they_cover():
    """Down, across and both; what lies below a merged cell is not shown; the rows keep their cells."""

    def fill(made):
        sheet = made.active
        sheet.title = "S"
        for row in (
            ["片区", "站点", "一月", "二月"],
            ["城北", "甲", 1, 2],
            [None, "乙", 3, 4],
            [None, "丙", "停用", None],
            ["城南", "丁", 7, 8],
        ):
            sheet.append(row)
        sheet.merge_cells("A2:A4")
        sheet.merge_cells("C4:D4")

    found = parsed(parse_workbook, workbook(fill))
    assert _tables(found) == ["片区\t站点\t一月\t二月\n城北\t甲\t1\t2\n城北\t乙\t3\t4\n城北\t丙\t停用\t停用\n城南\t丁\t7\t8"]
    assert str(found.blocks[-1].place) == "S!A1:D5"


def test_a_merged_title_is_a_caption_and_a_two_level_header_one_heading():
    """A title over the table is said once; later chunks carry each column with both of its levels."""

    def fill(made):
        sheet = made.active
        sheet.title = "S"
        sheet.append(["年度盘点"])
        sheet.append(["仓库", "上半年", None, "下半年", None])
        sheet.append([None, "入库", "出库", "入库", "出库"])
        for number in range(200):
            sheet.append([f"仓{number}", number, number + 1, number + 2, number + 3])
        for cells in ("A1:E1", "A2:A3", "B2:C2", "D2:E2"):
            sheet.merge_cells(cells)

    found = parsed(parse_workbook, workbook(fill))
    assert [kind for kind, _ in shown(found)] == ["h1", "paragraph", "table"]
    assert _tables(found)[0].splitlines()[:3] == ["仓库\t上半年\t上半年\t下半年\t下半年", "仓库\t入库\t出库\t入库\t出库", "仓0\t0\t1\t2\t3"]
    chunks = chunk(found, title="", target_tokens=200, max_tokens=300, chunks_max=99)
    assert {one.headings for one in chunks[1:]} == {("S", "仓库 上半年 入库 上半年 出库 下半年 入库 下半年 出库")}


def test_a_merged_cell_goes_on_over_empty_rows_and_chunks():
    """An empty row inside of a merged cell does not end its table."""

    def fill(made):
        sheet = made.active
        for row in (["组", "项"], ["甲组", "一"], [None, None], [None, "三"]):
            sheet.append(row)
        sheet.merge_cells("A2:A4")

    assert _tables(parsed(parse_workbook, workbook(fill))) == ["组\t项\n甲组\t一\n甲组\t三"]


def test_what_merged_cells_claim_costs_nothing():
    """Only rows and columns that hold something are filled, a long remark is said once, and what is repeated is bounded."""
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="C{n}"><v>5</v></c></row>' for n in range(1, 301))
    claims = "".join(f'<mergeCell ref="A{n}:B1048576"/>' for n in range(1, 5_000))
    found = parsed(parse_workbook, sheet_xml(rows, after=f"<mergeCells>{claims}</mergeCells>"))
    assert _tables(found)[0] == "\n".join(["1\t5"] * 300)
    remark = f'<c r="A1" t="str"><v>{"9" * 201}</v>'
    long = sheet_xml(rows.replace('<c r="A1"><v>1</v>', remark), after='<mergeCells><mergeCell ref="A1:A300"/></mergeCells>')
    assert _tables(parsed(parse_workbook, long))[0].count("9" * 201) == 1
    short = sheet_xml(rows, after='<mergeCells><mergeCell ref="A1:A300"/></mergeCells>')
    assert _tables(parsed(parse_workbook, short, chars_max=2_000))[0].count("1\t5") == 250


def test_cells_are_what_they_show():
    """Codes with zeros, literals, currencies, percentages, dates; texts with a format; General as it is."""

    def fill(made):
        sheet = made.active
        sheet.append(["编码", "件号", "重量", "价格", "折扣", "日期", "说明", "普通"])
        sheet.append([93, 8, 2.5, 1999.9, 0.155, date(2023, 2, 8), "红", 0.1 + 0.2])
        for column, one in zip(
            "ABCDEFG", ("00000", '"P-"000', '0.0" kg"', '"¥"#,##0.00', "0.0%", 'yyyy"年"m"月"d"日"', '"色："@'), strict=True
        ):
            sheet[f"{column}2"].number_format = one

    assert (
        _tables(parsed(parse_workbook, workbook(fill)))[0].splitlines()[1]
        == "00093\tP-008\t2.5 kg\t¥1,999.90\t15.5%\t2023年2月8日\t色：红\t0.3"
    )


def _hidden_workbook() -> bytes:
    def fill(made):
        sheet = made.active
        sheet.title = "公开"
        for row in (["型号", "售价", "成本"], ["M1", 10, 6], ["M2", 20, 12], ["M3", 30, 18]):
            sheet.append(row)
        sheet.column_dimensions["C"].hidden = True
        sheet.row_dimensions[3].hidden = True
        for name, state in (("工资", "hidden"), ("参数", "veryHidden")):
            made.create_sheet(name)["A1"] = f"{name}表"
            made[name].sheet_state = state

    return workbook(fill)


def test_what_is_hidden_is_left_out_and_noted():
    """Rows, columns, sheets; a hidden row does not tear its table apart."""
    found = parsed(parse_workbook, _hidden_workbook())
    assert shown(found) == [("h1", "公开"), ("table", "型号\t售价\nM1\t10\nM3\t30")]
    places = ["公开: columns C", "公开: rows 3", "sheet 工资", "sheet 参数"]
    assert _notes(found) == [("hidden_left_out", place) for place in places]
    found = parsed(parse_workbook, _hidden_workbook(), include_hidden=True)
    assert _tables(found) == ["型号\t售价\t成本\nM1\t10\t6\nM2\t20\t12\nM3\t30\t18", "工资表", "参数表"]
    assert _notes(found) == [("hidden_included", place) for place in places]


def test_a_merged_cell_that_begins_hidden_is_said_where_it_is_seen():
    """Excel shows its text in the rows and columns that are left."""
    rows = """<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>2</v></c><c r="C1"><v>3</v></c></row>
      <row r="2" hidden="1"><c r="A2"><v>7</v></c><c r="B2"><v>8</v></c></row>
      <row r="3"><c r="B3"><v>9</v></c><c r="C3"><v>4</v></c></row>"""
    found = parsed(parse_workbook, sheet_xml(rows, after='<mergeCells><mergeCell ref="A2:A3"/></mergeCells>'))
    assert _tables(found) == ["1\t2\t3\n7\t9\t4"]


def test_an_old_workbook_shows_formats_merged_cells_and_what_is_hidden():
    """XLS: as in XLSX."""
    found = parsed(parse_workbook, formatted_old_workbook())
    assert shown(found) == [("h1", "物料"), ("table", "类别\t编码\t批次\n紧固件\t000071\t批-1\n紧固件\t000072\t批-2")]
    assert _notes(found) == [("hidden_left_out", place) for place in ("物料: columns D", "物料: rows 4", "sheet 内部")]
    found = parsed(parse_workbook, formatted_old_workbook(), include_hidden=True)
    assert "紧固件\t000073\t批-3\t1,500.00" in found.text
    assert "口令" in found.text


def test_a_binary_workbook():
    """XLSB, whatever it is called: values, without number formats."""
    found = parsed(parse_workbook, binary_workbook([["料号", "单价"], ["LOT-7", 12.5]], "报价"))
    assert found.text == "报价\n\n料号\t单价\nLOT-7\t12.5"
    assert parsed(parse_entry, binary_workbook([["a", 1.0]])).media_type.endswith("spreadsheetml.sheet")


def test_what_is_no_number_is_shown_as_excel_does():
    percent = number_format(10, "0.00%", epoch_1904=False)
    assert percent is not None
    assert percent.show(float("nan")) == "#NUM!"
    assert format_number(float("inf")) == "#NUM!"


def test_a_workbook_that_calamine_panics_over_is_refused():
    """Its exception is none of Python's ``Exception``: it would end the child. Others pass."""
    panic = type("PanicException", (BaseException,), {})
    with pytest.raises(Refused), refuse_panics():
        raise panic
    with pytest.raises(KeyboardInterrupt), refuse_panics():
        raise KeyboardInterrupt
