"""Word, PowerPoint and Excel files: all of their text, in order and in its place."""

import json
import zipfile
from io import BytesIO

import docx
import pytest

from adapters.parsing.office.slides import parse_pptx
from adapters.parsing.office.word import parse_docx
from adapters.parsing.office.word_styles import format_number
from adapters.parsing.office.workbook import parse_workbook
from tests.support.office_files import NS, NUMBERING, REL, STYLES, W, cell, code, p, parsed, shown, word

FORMATS = {".docx": parse_docx, ".pptx": parse_pptx, ".xlsx": parse_workbook}


def test_headings_by_style_in_any_language_derived_or_outlined():
    """A style's name, what it is based on, or the outline level of the paragraph itself; rings of styles end."""
    style = '<w:pStyle w:val="{}"/>'.format
    body = (
        p("一", style("1")) + p("二", style("b2")) + p("三", style("own")) + p("四", '<w:outlineLvl w:val="3"/>') + p("text", style("ring"))
    )
    found = parsed(parse_docx, word(body, styles=STYLES))
    assert shown(found) == [("h1", "一"), ("h2", "二"), ("h3", "三"), ("h4", "四"), ("paragraph", "text")]
    assert found.blocks[-1].headings == ("一", "二", "三", "四")
    assert found.title == "一"


def test_the_paragraph_of_the_style_title_names_the_document():
    """Before the file's properties, which often are the template's, and before the first heading."""
    style = '<w:pStyle w:val="{}"/>'.format
    titled = STYLES.replace("</w:styles>", '<w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style></w:styles>')
    found = parsed(parse_docx, word(p("一", style("1")) + p("差旅制度", style("T")) + p("二", style("1")), styles=titled))
    assert found.title == "差旅制度"


def test_lists_carry_the_numbers_that_word_shows():
    """Levels count on their own and begin anew; bullets are not text."""
    clause, deeper = '<w:pStyle w:val="clause"/>', '<w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr>'
    bullet = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="2"/></w:numPr>'
    body = p("甲", clause) + p("x", deeper) + p("y", deeper) + p("乙", clause) + p("z", deeper) + p("dot", bullet)
    found = parsed(parse_docx, word(body, styles=STYLES, numbering=NUMBERING))
    assert [text for _, text in shown(found)] == ["第一条 甲", "1.1) x", "1.2) y", "第二条 乙", "2.1) z", "dot"]
    assert {kind for kind, _ in shown(found)} == {"list"}
    assert [format_number(28, style) for style in ("upperRoman", "lowerLetter", "chineseCounting")] == ["XXVIII", "bb", "二十八"]
    assert [format_number(n, "chineseCounting") for n in (10, 101, 110, 1001, 10_000)] == [
        "十",
        "一百零一",
        "一百一十",
        "一千零一",
        "10000",
    ]


def test_tables_row_by_row_with_merged_and_nested_cells():
    """A merged cell is said in every row and column it covers; a table inside a cell is text of that cell; a frame is no table."""
    wide, tall = '<w:gridSpan w:val="2"/>', '<w:vMerge w:val="restart"/>'
    nested = f"<w:tbl><w:tr>{cell(p('in'))}{cell(p('side'))}</w:tr></w:tbl>"
    table = (
        f"<w:tbl><w:tr>{cell(p('A'), wide)}{cell(p('B'))}</w:tr>"
        f"<w:tr>{cell(p('one') + p('two'), tall)}{cell(nested)}{cell(p('3'))}</w:tr>"
        f"<w:tr>{cell('<w:p/>', '<w:vMerge/>')}{cell(p('x'))}{cell(p('y'))}</w:tr>"
        f"<w:tr><w:trPr><w:del/></w:trPr>{cell(p('gone'))}</w:tr></w:tbl>"
    )
    frame = f"<w:tbl><w:tr>{cell(p('framed') + table)}</w:tr></w:tbl>"
    found = parsed(parse_docx, word(frame))
    assert shown(found) == [("paragraph", "framed"), ("table", "A\tA\tB\none two\tin side\t3\none two\tx\ty")]


def test_text_wherever_word_keeps_it():
    """Links, controls, insertions, text boxes once, formulas, notes beside their text; neither comments nor deletions nor field codes."""
    box = "<w:txbxContent>" + p("boxed") + "</w:txbxContent>"
    body = f"""<w:p><w:r><w:t>Read </w:t></w:r><w:hyperlink r:id="x"><w:r><w:t>this link</w:t></w:r></w:hyperlink>
      <w:ins><w:r><w:t> inserted</w:t></w:r></w:ins><w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>
      <w:r><w:instrText>HYPERLINK</w:instrText><w:footnoteReference w:id="2"/><w:commentReference w:id="1"/></w:r>
      <w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:tab/><w:t>end</w:t><mc:AlternateContent>
      <mc:Choice Requires="wps"><w:drawing><wps:txbx>{box}</wps:txbx></w:drawing></mc:Choice>
      <mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>
      <w:sdt><w:sdtContent>{p("controlled")}</w:sdtContent></w:sdt><w:ins>{p("moved in")}</w:ins>"""
    footnotes = f"""<w:footnotes {W}><w:footnote w:type="separator" w:id="0">{p("----")}</w:footnote>
      <w:footnote w:id="2">{p("see below")}</w:footnote><w:footnote w:id="3">{p("nobody asks")}</w:footnote></w:footnotes>"""
    header = f"<w:hdr {W}>{p('Company 机密')}</w:hdr>"
    comments = f'<w:comments {W}><w:comment w:id="1">{p("remark")}</w:comment></w:comments>'
    found = parsed(
        parse_docx,
        word(body, footnotes=footnotes, comments=comments, header1=header, header2=header, footer=header.replace("Company 机密", "- 7 -")),
    )
    texts = [text for _, text in shown(found)]
    assert texts == ["Read this link inserted\tend", "boxed", "see below", "controlled", "moved in", "nobody asks", "Company 机密"]


def test_what_is_ticked_or_chosen_is_said():
    """Old form fields, symbols of a font, and controls; the prompt of an empty control is not."""
    run = "<w:r>{}</w:r>".format
    begin = '<w:fldChar w:fldCharType="begin"><w:ffData>{}</w:ffData></w:fldChar>'.format
    choices = '<w:ddList><w:result w:val="1"/><w:listEntry w:val="north"/><w:listEntry w:val="south"/></w:ddList>'
    prompt = "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{}</w:sdtContent></w:sdt>".format
    greek = '<w:rPr><w:rFonts w:ascii="Symbol"/></w:rPr><w:t>W</w:t>'
    pieces = (
        begin("<w:checkBox><w:default w:val='1'/></w:checkBox>"),
        begin("<w:checkBox><w:default w:val='1'/><w:checked w:val='0'/></w:checkBox>"),
        begin(choices),
        begin("<w:textInput/>"),
        '<w:sym w:font="Wingdings" w:char="F0FE"/><w:sym w:font="Wingdings 2" w:char="00A3"/><w:sym w:font="Symbol" w:char="F0B1"/>',
        "<w:t>5 k</w:t>",
        greek,
    )
    body = f"<w:p>{''.join(map(run, pieces))}{prompt(run('<w:t>Click here</w:t>'))}</w:p>{prompt(p('Choose a day'))}"
    assert parsed(parse_docx, word(body)).text == "☑☐south☑☐±5 kΩ"


def test_a_deleted_end_joins_paragraphs():
    """With track changes; also before a table and at the end."""
    gone = "<w:rPr><w:del/></w:rPr>"
    table = f"<w:tbl><w:tr>{cell(p('a'))}{cell(p('b'))}</w:tr></w:tbl>"
    found = parsed(parse_docx, word(p("one, ", gone) + p("two", gone) + p(" three") + p("four", gone) + table + p("five", gone)))
    assert shown(found) == [("paragraph", "one, two three"), ("paragraph", "four"), ("table", "a\tb"), ("paragraph", "five")]


def test_text_boxes_of_headers_are_text():
    """Once, also when they are there for old programs as well."""
    box = f"<w:txbxContent>{p('Level 2')}</w:txbxContent>"
    both = f"<mc:AlternateContent><mc:Choice><w:drawing>{box}</w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback>"
    header = f"<w:hdr {NS}><w:p><w:r><w:t>Plant</w:t>{both}</mc:AlternateContent></w:r></w:p></w:hdr>"
    assert parsed(parse_docx, word(p("text"), header1=header)).text == "text\n\nPlant\nLevel 2"


@pytest.mark.parametrize(("pages", "places"), [(3, ["p. 1-2", "p. 3", "p. 3"]), (9, [None] * 3)])
def test_pages_only_when_word_noted_every_break(pages, places):
    """As many breaks as the file's own count says, else none is believed."""
    turn = "<w:r><w:lastRenderedPageBreak/></w:r>"
    body = f"<w:p><w:r><w:t>one</w:t></w:r>{turn}<w:r><w:t> two</w:t></w:r></w:p><w:p>{turn}<w:r><w:t>three</w:t></w:r></w:p>" + p("more")
    app = (
        f'<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"><Pages>{pages}</Pages></Properties>'
    )
    found = parsed(parse_docx, word(body, app=app))
    assert [block.place and str(block.place) for block in found.blocks] == places


def test_a_file_that_python_docx_wrote():
    """Title from the properties; headings, lists and a table in order."""
    made, data = docx.Document(), BytesIO()
    made.core_properties.title = "年度 报告"
    made.add_heading("Overview", 1)
    made.add_paragraph("First words.")
    made.add_paragraph("point", style="List Bullet")
    table = made.add_table(2, 2)
    for index, text in enumerate(("姓名", "年龄", "张三", "30")):
        table.cell(*divmod(index, 2)).text = text
    made.save(data)
    found = parsed(parse_docx, data.getvalue())
    assert found.title == "年度 报告"
    assert shown(found) == [("h1", "Overview"), ("paragraph", "First words."), ("list", "point"), ("table", "姓名\t年龄\n张三\t30")]


def test_the_strict_flavour_is_the_same():
    """What Word saves as Strict Open XML has other names for everything."""
    strict = word(p("strict"), styles=STYLES)
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(strict)) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            content = source.read(name).replace(
                b"http://schemas.openxmlformats.org/wordprocessingml/2006/main", b"http://purl.oclc.org/ooxml/wordprocessingml/main"
            )
            target.writestr(name, content.replace(REL.encode(), b"http://purl.oclc.org/ooxml/officeDocument/relationships"))
    assert parsed(parse_docx, made.getvalue()).text == "strict"


def test_sample_documents(data):
    """Every Office file of the samples: its phrases but for white space, or its refusal, with and without its password."""
    for line in (data / "documents" / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        path = data / "documents" / row["file"]
        parse = FORMATS.get(path.suffix)
        if parse is None:
            continue
        content = path.read_bytes()
        if row["expect"] == "text":
            text = "".join(parsed(parse, content).text.split())
            assert all("".join(phrase.split()) in text for phrase in row["phrases"]), row["file"]
        elif row["expect"] == "reject_or_partial":
            assert code(parse, content) in ("document_unreadable", "document_too_complex"), row["file"]
        else:
            assert code(parse, content) == row["expect"]
            text = "".join(parsed(parse, content, password=row["password"]).text.split())
            assert all("".join(phrase.split()) in text for phrase in row["phrases"]), row["file"]


def test_merged_cells_of_a_table_with_a_header_of_two_levels():
    """Every row and column says what covers it, after columns left free too; a row of one cell over all of them says it once."""

    def merged(kind: str) -> str:
        return f'<w:vMerge w:val="{kind}"/>' if kind else "<w:vMerge/>"

    wide = '<w:gridSpan w:val="{}"/>'.format
    table = (
        f"<w:tbl><w:tr>{cell(p('城市'), merged('restart'))}{cell(p('成人'), wide(2))}</w:tr>"
        f"<w:tr>{cell('<w:p/>', merged('continue'))}{cell(p('平日'))}{cell(p('假日'))}</w:tr>"
        f"<w:tr>{cell(p('以下为会员价'), wide(3))}</w:tr>"
        f"<w:tr>{cell(p('成都'), merged('restart'))}{cell(p('10'))}{cell(p('20'))}</w:tr>"
        f'<w:tr><w:trPr><w:gridBefore w:val="1"/></w:trPr>{cell(p("30"))}{cell(p("40"))}</w:tr>'
        f"<w:tr>{cell('<w:p/>', merged(''))}{cell(p('免费'), wide(2))}</w:tr></w:tbl>"
    )
    found = parsed(parse_docx, word(table))
    assert shown(found) == [("table", "城市\t成人\t成人\n城市\t平日\t假日\n以下为会员价\n成都\t10\t20\n成都\t30\t40\n成都\t免费\t免费")]
    assert found.blocks[0].header_lines == 2


def test_hidden_text_is_left_out_and_noted():
    """Runs, runs of a hidden style, and rows; all of it is read when the setting says so."""
    styles = f'<w:styles {W}><w:style w:type="character" w:styleId="h"><w:rPr><w:vanish/></w:rPr></w:style></w:styles>'

    def run(properties: str, text: str) -> str:
        return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"

    table = f"<w:tbl><w:tr>{cell(p('a'))}{cell(p('b'))}</w:tr><w:tr><w:trPr><w:hidden/></w:trPr>{cell(p('c'))}{cell(p('d'))}</w:tr></w:tbl>"
    body = f'<w:p>{run("", "seen")}{run("<w:vanish/>", " one")}{run("""<w:rStyle w:val="h"/>""", " two")}</w:p>{table}'
    data = word(body, styles=styles)
    found = parsed(parse_docx, data)
    assert shown(found) == [("paragraph", "seen"), ("table", "a\tb")]
    assert [(note.code, note.detail) for note in found.notes] == [("hidden_left_out", "text"), ("hidden_left_out", "table rows")]
    found = parsed(parse_docx, data, include_hidden=True)
    assert shown(found) == [("paragraph", "seen one two"), ("table", "a\tb\nc\td")]
    assert {note.code for note in found.notes} == {"hidden_included"}
