"""Presentations of OpenDocument: what PPTX gives, from their own elements."""

import pytest
from msgspec.structs import replace

from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.office.odp import parse_odp
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.open_documents import PRESENTATION, office_document, open_document

BOUNDS = Bounds.of(DocumentSettings())
HIDDEN_STYLE = (
    '<style:style style:name="gone" style:family="drawing-page">'
    '<style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
)
META = (
    '<office:document-meta xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<office:meta><dc:title>季度回顾</dc:title></office:meta></office:document-meta>"
)


def frame(content, kind="", at=(0, 0)):
    said = f'presentation:class="{kind}"' if kind else ""
    return f'<draw:frame {said} svg:x="{at[0]}cm" svg:y="{at[1]}cm" svg:width="5cm" svg:height="2cm">{content}</draw:frame>'


def box(*paragraphs):
    return f"<draw:text-box>{''.join(f'<text:p>{text}</text:p>' for text in paragraphs)}</draw:text-box>"


def parse(*pages, bounds=BOUNDS):
    body = f"<office:presentation>{''.join(pages)}</office:presentation>"
    return parse_odp(
        Entry(data=open_document(office_document(body, HIDDEN_STYLE), PRESENTATION, **{"meta.xml": META.encode()}), bounds=bounds)
    )


def page(*shapes, attributes=""):
    return f"<draw:page {attributes}>{''.join(shapes)}</draw:page>"


def test_a_slide_is_read_from_its_title_to_its_notes():
    """Shapes by where they stand, groups and drawn shapes too; dates and numbers of pages are furniture."""
    items = "<draw:text-box><text:list><text:list-item><text:p>一</text:p></text:list-item></text:list></draw:text-box>"
    notes = f"<presentation:notes>{frame(box('讲稿'), 'notes')}</presentation:notes>"
    drawn = '<draw:custom-shape svg:x="1cm" svg:y="20cm"><text:p>形状</text:p></draw:custom-shape>'
    group = f"<draw:g>{frame(box('组内'), at=(3, 15))}</draw:g>"
    parsed = parse(
        page(
            drawn,
            frame(box("下"), at=(0, 9)),
            frame(items, "outline", (0, 4)),
            frame(box("标题"), "title", (0, 1)),
            group,
            notes,
            frame(box("3"), "page-number"),
        )
    )
    assert parsed.title == "季度回顾"
    assert [(block.kind, parsed.text[block.start : block.end]) for block in parsed.blocks] == [
        ("heading", "标题"),
        ("paragraph", "组内"),
        ("list", "一"),
        ("paragraph", "下"),
        ("paragraph", "形状"),
        ("paragraph", "讲稿"),
    ]
    assert {block.place.slide for block in parsed.blocks} == {1}


def cell(text, attributes=""):
    return f"<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>"


def test_a_table_repeats_its_merged_cells():
    rows = (cell("区") + cell("店"), cell("东", "table:number-rows-spanned='2'") + cell("甲"), "<table:covered-table-cell/>" + cell("乙"))
    table = f"<table:table>{''.join(f'<table:table-row>{row}</table:table-row>' for row in rows)}</table:table>"
    assert parse(page(frame(table))).text == "区\t店\n东\t甲\n东\t乙"


@pytest.mark.parametrize("include", [False, True])
def test_hidden_slides_are_left_out_and_named(include):
    gone = page(frame(box("秘密")), attributes='draw:style-name="gone"')
    parsed = parse(page(frame(box("公开"))), gone, bounds=replace(BOUNDS, include_hidden=include))
    assert [(note.code, note.detail) for note in parsed.notes] == [("hidden_included" if include else "hidden_left_out", "slides 2")]
    assert ("秘密" in parsed.text) is include


def test_slides_are_bounded():
    with pytest.raises(Refused, match="CLAW_DOCUMENT_PAGES_MAX"):
        parse(*[page(frame(box("x")))] * 3, bounds=replace(BOUNDS, pages_max=2))
