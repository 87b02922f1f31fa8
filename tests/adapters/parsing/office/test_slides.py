"""PowerPoint files: slides in reading order."""

import zipfile
from io import BytesIO

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
        (3, "table", "Sales\nEast\t1.5\nWest\t2"),
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
