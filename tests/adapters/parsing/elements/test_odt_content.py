"""ODT: what pandoc's reader leaves out is text, and what a reader of the document does not see is not."""

import pytest
from msgspec.structs import replace

from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.dispatch import parse_entry
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.open_documents import open_document

MIMETYPE = "application/vnd.oasis.opendocument.text"
BOUNDS = Bounds.of(DocumentSettings())
NAMES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in (("office", "office"), ("text", "text"), ("table", "table"), ("style", "style"), ("draw", "drawing"))
)
NAMES += ' xmlns:loext="urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0"'
NAMES += ' xmlns:field="urn:openoffice:names:experimental:ooo-ms-interop:xmlns:field:1.0"'
STYLES = """<style:style style:name="P1" style:parent-style-name="Title"/>
<style:style style:name="Sym"><style:text-properties style:font-name="Wingdings"/></style:style>
<style:style style:name="Gone"><style:text-properties text:display="none"/></style:style>"""


def read(body: str, bounds: Bounds = BOUNDS, margins: str = "") -> ParsedText:
    content = f"""<office:document-content office:version="1.2" {NAMES}><office:automatic-styles>{STYLES}</office:automatic-styles>
      <office:body><office:text>{body}</office:text></office:body></office:document-content>"""
    styles = f"<office:document-styles {NAMES}><office:master-styles>{margins}</office:master-styles></office:document-styles>"
    return parse_entry(Entry(data=open_document(content, MIMETYPE, **{"styles.xml": styles.encode()}), bounds=bounds, filename="a.odt"))


def kinds(parsed: ParsedText) -> list[tuple[str, str]]:
    return [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks]


def p(text: str, style: str = "Standard") -> str:
    return f'<text:p text:style-name="{style}">{text}</text:p>'


def row(*cells: str) -> str:
    return f"<table:table-row>{''.join(f'<table:table-cell>{one}</table:table-cell>' for one in cells)}</table:table-row>"


def test_boxes_and_shapes_stand_behind_their_paragraph() -> None:
    inner = f"<draw:g><draw:custom-shape>{p('in the group')}</draw:custom-shape></draw:g>"
    box = f"<draw:frame><draw:text-box>{p('boxed ' + inner)}{p('second')}</draw:text-box></draw:frame>"
    table = f"<table:table>{row(p('a'), p('b'))}{row(p('c' + box), p('d'))}</table:table>"
    found = kinds(read(p(f"before{box}after") + p("next")))
    assert [text for _, text in found] == ["beforeafter", "boxed", "in the group", "second", "next"]
    assert kinds(read(table)) == [("table", "a\tb\nc boxed in the group second\td")]


def test_a_title_is_the_paragraph_of_its_style() -> None:
    parsed = read(p("Manual", "P1") + '<text:h text:outline-level="1">One</text:h>' + p("words"))
    assert parsed.title == "Manual"
    assert [block.headings for block in parsed.blocks] == [("Manual",), ("Manual", "One"), ("Manual", "One")]
    later = read(p("Company") + p("Manual", "P1"))
    assert (later.title, kinds(later)) == ("Manual", [("paragraph", "Company"), ("heading", "Manual")])


def test_fields_controls_and_symbols_are_text() -> None:
    box = '<field:fieldmark field:type="vnd.oasis.opendocument.field.FORMCHECKBOX">{}</field:fieldmark>'
    ticked = box.format('<field:param field:name="Checkbox_Checked" field:value="true"/>')
    chosen = "".join(f'<field:param field:name="Dropdown_ListEntry" field:value="{one}"/>' for one in ("north", "south"))
    chosen += '<field:param field:name="Dropdown_Selected" field:value="1"/>'
    listed = f'<field:fieldmark field:type="x.FORMDROPDOWN">{chosen}</field:fieldmark>'
    prompt = '<loext:content-control loext:showing-place-holder="true">Click here</loext:content-control>'
    fields = "<text:page-count>12</text:page-count> <loext:content-control>kept</loext:content-control>"
    symbol = '<text:span text:style-name="Sym">\uf0fc</text:span>'
    said = read(p(f"{ticked} {box.format('')} {listed} {fields} {prompt}{symbol} co\xadop")).text
    assert said.split() == ["☑", "☐", "south", "12", "kept", "✓", "coop"]


def test_a_table_in_a_cell_and_a_header_of_two_levels() -> None:
    nested = f"<table:table>{row(p('x'), p('1'))}{row(p('y'), p('2'))}</table:table>"
    wide = f'<table:table-cell table:number-columns-spanned="2">{p("Price")}</table:table-cell><table:covered-table-cell/>'
    head = row(p("Item")).replace("</table:table-row>", f"{wide}</table:table-row>") + row(p(""), p("net"), p("gross"))
    first = f"<table:table>{row(p('a'), p('b'))}{row(nested, p('c'))}</table:table>"
    parsed = read(f"{first}{p('then')}<table:table>{head}{row(p('pump'), p('5'), p('6'))}</table:table>")
    assert kinds(parsed) == [
        ("table", "a\tb\nx 1 y 2\tc"),
        ("paragraph", "then"),
        ("table", "Item\tPrice\tPrice\n\tnet\tgross\npump\t5\t6"),
    ]
    assert parsed.blocks[-1].header_lines == 2


def test_hidden_text_is_left_out_and_noted() -> None:
    gone = '<text:span text:style-name="Gone">secret</text:span>'
    unseen = row(p("c"), p("d")).replace("<table:table-row>", '<table:table-row table:visibility="collapse">')
    table = f"<table:table>{row(p('a'), p('b'))}{unseen}</table:table>"
    body = p(f"open {gone}door") + p("whole", "Gone") + table
    parsed = read(body)
    assert kinds(parsed) == [("paragraph", "open door"), ("table", "a\tb")]
    assert [(note.code, note.detail) for note in parsed.notes] == [("hidden_left_out", "text"), ("hidden_left_out", "table rows")]
    shown = read(body, replace(BOUNDS, include_hidden=True))
    assert "secret" in shown.text
    assert {note.code for note in shown.notes} == {"hidden_included"}


def test_headers_and_footers_come_once_and_last() -> None:
    margins = "".join(
        f'<style:master-page style:name="{n}"><style:header>{p("Plant 机密")}</style:header></style:master-page>' for n in "ab"
    )
    assert kinds(read(p("words"), margins=margins + f"<style:footer>{p('7')}</style:footer>")) == [
        ("paragraph", "words"),
        ("paragraph", "Plant 机密"),
    ]


def test_broken_content_is_named() -> None:
    with pytest.raises(Refused) as refused:
        read("<no end")
    assert refused.value.code == "document_unreadable"
