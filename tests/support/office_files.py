"""Small Office files made in code, and what a parser makes of them."""

import struct
import zipfile
from io import BytesIO

import msgspec
import msoffcrypto  # type: ignore[import-untyped]
import openpyxl
import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from adapters.parsing.core.source import Bounds, Entry
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings

BOUNDS = Bounds.of(DocumentSettings())
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
NS = f"""{W} xmlns:r="{REL}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"
 xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" xmlns:v="urn:schemas-microsoft-com:vml\""""


def packed(main: str, content: str | bytes, **parts: str) -> bytes:
    """A package with a main part and others beside it, named by the kind of their relation."""
    folder = main.partition("/")[0]
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>')
        archive.writestr("_rels/.rels", relations(officeDocument=main, **{"extended-properties": "docProps/app.xml"}))
        archive.writestr(main, content)
        archive.writestr(f"{folder}/_rels/{main.rpartition('/')[2]}.rels", relations(**{kind: f"{kind}.xml" for kind in parts}))
        for kind, part in parts.items():
            archive.writestr("docProps/app.xml" if kind == "app" else f"{folder}/{kind}.xml", part)
    return made.getvalue()


def relations(**targets: str) -> str:
    lines = [f'<Relationship Id="{kind}" Type="{REL}/{kind.rstrip("12")}" Target="{target}"/>' for kind, target in targets.items()]
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{"".join(lines)}</Relationships>'


def word(body: str, **parts: str) -> bytes:
    return packed("word/document.xml", f"<w:document {NS}><w:body>{body}</w:body></w:document>", **parts)


def p(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def cell(content: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>"


def parsed(parse, data: bytes, **given):
    bounds = msgspec.structs.replace(BOUNDS, **{k: v for k, v in given.items() if k != "password"})
    return parse(Entry(data=data, bounds=bounds, password=given.get("password", "")))


def shown(found) -> list[tuple[str, str]]:
    return [(f"h{block.level}" if block.level else block.kind, found.text[block.start : block.end]) for block in found.blocks]


def code(parse, data: bytes, **given) -> str:
    with pytest.raises(Refused) as refused:
        parsed(parse, data, **given)
    return refused.value.code


STYLES = f"""<w:styles {W}>
<w:style w:type="paragraph" w:default="1" w:styleId="a"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/><w:basedOn w:val="a"/></w:style>
<w:style w:type="paragraph" w:styleId="b2"><w:name w:val="标题 2"/><w:basedOn w:val="1"/></w:style>
<w:style w:type="paragraph" w:styleId="own"><w:name w:val="公司章节"/><w:basedOn w:val="o"/></w:style>
<w:style w:type="paragraph" w:styleId="o"><w:name w:val="Outlined"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="ring"><w:name w:val="Ring"/><w:basedOn w:val="ring"/></w:style>
<w:style w:type="paragraph" w:styleId="clause"><w:name w:val="Clause"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>
</w:styles>"""
NUMBERING = f"""<w:numbering {W}><w:abstractNum w:abstractNumId="7">
<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="chineseCountingThousand"/><w:lvlText w:val="第%1条"/></w:lvl>
<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:isLgl/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>
<w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="·"/></w:lvl></w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num></w:numbering>"""


def presentation() -> bytes:
    """Four slides: bullets and notes; boxes out of order, a group; a table and a chart; no title."""
    made, data = pptx.Presentation(), BytesIO()
    made.core_properties.title = ""
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text, frame = "Bullets", slide.placeholders[1].text_frame
    frame.text = "first"
    deeper = frame.add_paragraph()
    deeper.text, deeper.level = "deeper", 1
    slide.notes_slide.notes_text_frame.text = "Say this aloud."
    slide = made.slides.add_slide(made.slide_layouts[5])
    for text, left, top in (("bottom", 1, 5), ("right", 5, 2), ("left", 1, 2.1)):
        slide.shapes.add_textbox(Inches(left), Inches(top), Inches(3), Inches(1)).text_frame.text = text
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(1), Inches(6), Inches(3), Inches(1)).text_frame.text = "grouped"
    slide.shapes.title.text = "Boxes"
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = "Data"
    table = slide.shapes.add_table(2, 3, Inches(1), Inches(2), Inches(6), Inches(1)).table
    for index, text in enumerate(("A", "B", "C", "1", "2", "3")):
        table.cell(*divmod(index, 3)).text = text
    table.cell(0, 0).merge(table.cell(0, 1))
    chart = CategoryChartData()
    chart.categories = ["East", "West"]
    chart.add_series("Sales", (1.5, 2))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(4), Inches(6), Inches(3), chart)
    made.slides.add_slide(made.slide_layouts[6]).shapes.add_textbox(0, 0, 9, 9).text_frame.text = "bare"
    made.save(data)
    return data.getvalue()


def encrypted(password: str) -> bytes:
    """A Word file of a few sectors: msoffcrypto writes none that is smaller."""
    made = BytesIO()
    msoffcrypto.OfficeFile(BytesIO(word("".join(p(f"秘密 {n * n}") for n in range(3_000))))).encrypt(password, made)
    return made.getvalue()


def workbook(fill) -> bytes:
    made, data = openpyxl.Workbook(), BytesIO()
    fill(made)
    made.save(data)
    return data.getvalue()


def old_workbook() -> bytes:
    """A BIFF8 workbook of two rows in an OLE2 container, written by hand: no library here writes one."""

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    def label(row: int, column: int, text: str) -> bytes:
        return record(0x0204, struct.pack("<HHHHB", row, column, 0, len(text), 1) + text.encode("utf-16-le"))

    bof = struct.pack("<HHHHII", 0x0600, 0, 0x0DBB, 0x07CC, 0, 6)
    sheet = record(0x0809, bof[:2] + b"\x10\x00" + bof[4:])
    sheet += label(4, 1, "品名") + label(4, 2, "数量") + label(5, 1, "螺丝") + record(0x0203, struct.pack("<HHHd", 5, 2, 0, 12.0))
    sheet += record(0x000A, b"")
    begin = record(0x0809, bof[:2] + b"\x05\x00" + bof[4:]) + record(0x0042, struct.pack("<H", 1200))
    name = "库存"
    size = len(begin) + 4 + 8 + 2 * len(name) + 4
    begin += record(0x0085, struct.pack("<IHBB", size, 0, len(name), 1) + name.encode("utf-16-le")) + record(0x000A, b"")
    stream = (begin + sheet).ljust(4096, b"\0")
    return ole("Workbook", stream)


def ole(name: str, stream: bytes) -> bytes:
    """A container of version 3 with one stream of whole sectors, at least 4096 bytes."""
    sectors, none, end = len(stream) // 512, 0xFFFFFFFF, 0xFFFFFFFE
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, end, 0, end, 0)
    )
    header += struct.pack("<109I", 0, *[none] * 108)
    fat = struct.pack("<128I", 0xFFFFFFFD, end, *range(3, sectors + 2), end, *[none] * (126 - sectors))

    def entry(title: str, kind: int, child: int, start: int, size: int) -> bytes:
        encoded = title.encode("utf-16-le") + b"\0\0"
        return (
            encoded.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(encoded), kind, 1, none, none, child)
            + bytes(36)
            + struct.pack("<IQ", start, size)
        )

    directory = entry("Root Entry", 5, 1, end, 0) + entry(name, 2, none, 2, len(stream)) + bytes(256)
    return header + fat + directory + stream


def formatted_old_workbook() -> bytes:
    """A BIFF8 workbook with number formats, merged cells, a hidden row and column, and a hidden sheet."""

    def record(kind: int, body: bytes) -> bytes:
        return struct.pack("<HH", kind, len(body)) + body

    def label(row: int, column: int, text: str) -> bytes:
        return record(0x0204, struct.pack("<HHHHB", row, column, 0, len(text), 1) + text.encode("utf-16-le"))

    def number(row: int, column: int, style: int, value: float) -> bytes:
        return record(0x0203, struct.pack("<HHHd", row, column, style, value))

    def begin(kind: int) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 0x07CC, 0, 6))

    end = record(0x000A, b"")
    codes = {164: "000000", 165: '"批-"0', 166: "#,##0.00"}
    formats = b"".join(record(0x041E, struct.pack("<HHB", one, len(code), 1) + code.encode("utf-16-le")) for one, code in codes.items())
    styles = b"".join(record(0x00E0, struct.pack("<HH", 0, one).ljust(20, b"\0")) for one in (0, *codes))
    shown = begin(0x10) + record(0x007D, struct.pack("<HHHHHH", 3, 3, 256, 0, 1, 0))
    shown += record(0x0208, struct.pack("<HHHHHHI", 3, 0, 4, 255, 0, 0, 0x120))
    shown += b"".join(label(0, column, text) for column, text in enumerate(("类别", "编码", "批次", "底价")))
    shown += label(1, 0, "紧固件")
    for row in (1, 2, 3):
        shown += number(row, 1, 1, 70 + row) + record(0x027E, struct.pack("<HHHI", row, 2, 2, (row << 2) | 2)) + number(row, 3, 3, 1500)
    shown += record(0x00E5, struct.pack("<HHHHH", 1, 1, 3, 0, 0)) + end
    secret = begin(0x10) + label(0, 0, "口令") + end
    entries = [("物料", 0), ("内部", 1)]
    size = sum(4 + 8 + 2 * len(name) for name, _ in entries)
    globals_ = begin(5) + record(0x0042, struct.pack("<H", 1200)) + formats + styles
    start = len(globals_) + size + len(end)
    for (name, state), at in zip(entries, (start, start + len(shown)), strict=True):
        globals_ += record(0x0085, struct.pack("<IBBBB", at, state, 0, len(name), 1) + name.encode("utf-16-le"))
    return ole("Workbook", (globals_ + end + shown + secret).ljust(4096, b"\0"))


def sheet_xml(rows: str, *, before: str = "", after: str = "", styles: str = "") -> bytes:
    """A workbook of one sheet as XML: what stands before, in and after its rows."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    book = f'<workbook {main} xmlns:r="{REL}"><sheets><sheet name="S" sheetId="1" r:id="worksheet"/></sheets></workbook>'
    sheet = f"<worksheet {main}>{before}<sheetData>{rows}</sheetData>{after}</worksheet>"
    return packed("xl/workbook.xml", book, worksheet=sheet, styles=styles or f"<styleSheet {main}/>")


def binary_workbook(rows: list[list[str | float]], sheet: str = "Sheet1") -> bytes:
    """An XLSB file with one sheet: [MS-XLSB], as little of it as a reader needs."""

    def record(kind: int, body: bytes = b"") -> bytes:
        number = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
        assert len(body) < 16384
        size = bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 0x7F | 0x80, len(body) >> 7])
        return number + size + body

    def wide(text: str) -> bytes:
        return struct.pack("<I", len(text)) + text.encode("utf-16-le")

    sheets = record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide(sheet))
    book = record(131) + record(143) + sheets + record(144) + record(132)
    cells = record(129) + record(148, struct.pack("<IIII", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)) + record(145)
    for number, row in enumerate(rows):
        cells += record(0, struct.pack("<I", number) + bytes(13))
        for column, value in enumerate(row):
            kind, held = (6, wide(value)) if isinstance(value, str) else (5, struct.pack("<d", value))
            cells += record(kind, struct.pack("<II", column, 0) + held)
    cells += record(146) + record(130)
    relations = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
    relation = '<Relationship Id="rId1" Type="{}/{}" Target="{}"/>'
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>')
        archive.writestr("_rels/.rels", relations.format(relation.format(REL, "officeDocument", "xl/workbook.bin")))
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/_rels/workbook.bin.rels", relations.format(relation.format(REL, "worksheet", "worksheets/sheet1.bin")))
        archive.writestr("xl/worksheets/sheet1.bin", cells)
    return buffer.getvalue()
