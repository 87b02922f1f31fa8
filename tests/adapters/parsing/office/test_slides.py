"""PowerPoint files: slides in reading order."""

import zipfile
from io import BytesIO

import pptx
import pytest

from adapters.parsing.chunks.chunking import chunk
from adapters.parsing.office.slides import parse_pptx
from tests.support.office_files import code, parsed, presentation, shown


@pytest.fixture(scope="module")
def slides() -> bytes:
    return presentation()


def test_slides_in_reading_order(slides):
    """Title first, then from top to bottom left to right, then notes; a block knows its slide, and none stands under another."""
    found = parsed(parse_pptx, slides)
    assert [(block.place.slide, *line) for block, line in zip(found.blocks, shown(found), strict=True)] == [
        (1, "h1", "Bullets"),
        (1, "list", "first"),
        (1, "list", "deeper"),
        (1, "paragraph", "Say this aloud."),
        (2, "h1", "Boxes"),
        (2, "paragraph", "left"),
        (2, "paragraph", "right"),
        (2, "paragraph", "bottom"),
        (2, "paragraph", "grouped"),
        (3, "h1", "Data"),
        (3, "table", "A B\tA B\tC\n1\t2\t3"),
        (3, "table", "\tSales\nEast\t1.5\nWest\t2"),
        (4, "paragraph", "bare"),
    ]
    assert found.blocks[-1].headings == ()
    chunks = chunk(found, title="", target_tokens=320, max_tokens=480, chunks_max=99)
    assert [str(one.place) for one in chunks] == [f"slide {n}" for n in (1, 2, 3, 4)]


def test_more_slides_than_pages_may_be(slides):
    """Refused by the name of the limit."""
    assert code(parse_pptx, slides, pages_max=3) == "document_too_complex"


def test_a_broken_slide_leaves_the_others(slides):
    """And a note says which one."""
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(slides)) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"<p:sld" if name == "ppt/slides/slide2.xml" else source.read(name))
    found = parsed(parse_pptx, made.getvalue())
    assert {block.place.slide for block in found.blocks} == {1, 3, 4}
    assert [(note.code, note.detail) for note in found.notes] == [("page_unreadable", "slides 2")]


def test_hidden_slides_and_shapes_are_left_out_and_noted():
    """Slides keep their numbers; the setting reads them all."""
    made, data = pptx.Presentation(), BytesIO()
    for text in ("one", "two", "three"):
        made.slides.add_slide(made.slide_layouts[6]).shapes.add_textbox(0, 0, 9, 9).text_frame.text = text
    made.slides[1]._element.set("show", "0")
    box = made.slides[2].shapes.add_textbox(0, 9, 9, 9)
    box.text_frame.text = "behind"
    box._element.nvSpPr.cNvPr.set("hidden", "1")
    made.save(data)
    found = parsed(parse_pptx, data.getvalue())
    assert [(str(block.place), text) for block, (_, text) in zip(found.blocks, shown(found), strict=True)] == [
        ("slide 1", "one"),
        ("slide 3", "three"),
    ]
    assert [(note.code, note.detail) for note in found.notes] == [
        ("hidden_left_out", "slide 3: shapes"),
        ("hidden_left_out", "slides 2"),
    ]
    found = parsed(parse_pptx, data.getvalue(), include_hidden=True)
    assert [text for _, text in shown(found)] == ["one", "two", "three", "behind"]


def test_merged_cells_of_a_slides_table():
    """Down and across."""
    made, data = pptx.Presentation(), BytesIO()
    table = made.slides.add_slide(made.slide_layouts[6]).shapes.add_table(3, 3, 0, 0, 999, 999).table
    for index, text in enumerate(("A", "B", "C", "x", "1", "2", "", "3", "")):
        table.cell(*divmod(index, 3)).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(2, 1).merge(table.cell(2, 2))
    made.save(data)
    assert shown(parsed(parse_pptx, data.getvalue())) == [("table", "A\tB\tC\nx\t1\t2\nx\t3\t3")]
