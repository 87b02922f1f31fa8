"""Pages of files from a confined child: images, and boxes that hold the quoted words and no others, as pdfium itself reads them there."""

import asyncio
import io
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pypdfium2 as pdfium2
import pytest
import pytest_asyncio
from msgspec.structs import replace
from PIL import Image

from adapters.children import pages
from adapters.children.child import ChildDied
from adapters.children.pages import ENDED_MAX, PageRenderer
from adapters.children.protocol import ImageTask
from adapters.pages.highlights import QuoteOnPages
from adapters.parsing.core.source import DocumentSource
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.pdf_writer import Page, pdf

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUOTE = "The harbour lantern is lit every evening at nine and burns until the last ferry has left."
LINES = ["The harbour lantern is lit every eve-", "ning at nine and burns until the last", "ferry has left. Nobody waits for it."]
CHINESE = "员工每年享有二十五个工作日的年假，未使用的天数在次年三月底失效。"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def renderer() -> AsyncIterator[PageRenderer]:
    made = PageRenderer(DocumentSettings())
    await made.start()
    yield made
    await made.stop()


def source(folder: Path, data: bytes) -> DocumentSource:
    path = folder / "file"
    path.write_bytes(data)
    return DocumentSource(path=str(path))


def words_in_boxes(data: bytes, found: QuoteOnPages) -> str:
    """What pdfium reads within the boxes, without white space and hyphens. For pages that are not turned."""
    said = ""
    with pdfium2.PdfDocument(data) as document:
        for each in found.pages:
            page = document[each.page - 1]
            width, height = page.get_size()
            text = page.get_textpage()
            for left, top, right, bottom in each.boxes:
                said += text.get_text_bounded(left * width, height - bottom * height, right * width, height - top * height)
            text.close()
            page.close()
    return re.sub(r"[\s\-\x02\ufffe]", "", said)


async def test_boxes_over_a_quote_of_three_lines(renderer: PageRenderer, tmp_path: Path):
    """In the second of two columns, on the second page; what stands beside and behind it is in no box."""
    page = Page().lines(50, 700, ["Another column of the page", "with words of its own"]).lines(300, 700, LINES).text(50, 50, "Page 2")
    data = pdf(Page().text(50, 700, "The first page."), page)
    found = await renderer.find_quote(source(tmp_path, data), QUOTE, tenant="a")
    assert (found.page_count, found.share) == (2, 1)
    assert [(each.page, len(each.boxes)) for each in found.pages] == [(2, 3)]
    assert words_in_boxes(data, found).removesuffix(".") == QUOTE.replace(" ", "").removesuffix(".")


async def test_boxes_over_a_chinese_quote_on_two_pages(renderer: PageRenderer, tmp_path: Path):
    """A page break, with a header and a footer, inside of it."""
    first = Page().text(50, 800, "页首", font="C1").text(50, 60, "根据规定，" + CHINESE[:12], font="C1").text(50, 20, "1")
    second = Page().text(50, 800, "页首", font="C1").text(50, 700, CHINESE[12:] + "其他事项。", font="C1").text(50, 20, "2")
    data = pdf(first, second)
    found = await renderer.find_quote(source(tmp_path, data), CHINESE, tenant="a")
    assert found.share == 1
    assert [(each.page, len(each.boxes)) for each in found.pages] == [(1, 1), (2, 1)]
    (left, top, right, bottom) = found.pages[0].boxes[0]
    assert (left, right) == pytest.approx((100 / 595, (100 + 120) / 595), abs=0.004)  # 5 characters of 10 points before it, 12 in it
    assert top < 1 - 65 / 842 < bottom


async def test_boxes_on_a_turned_page_are_where_it_is_seen(renderer: PageRenderer, tmp_path: Path):
    """At the top left of the sheet is at the top right of the page that is seen; its line runs down."""
    data = pdf(Page(rotate=90).text(50, 800, "A quote that a reader finds on its side."))
    found = await renderer.find_quote(source(tmp_path, data), "quote that a reader finds", tenant="a")
    ((left, top, right, bottom),) = found.pages[0].boxes
    assert left > 0.9
    assert bottom - top > 3 * (right - left)


async def test_a_quote_that_is_not_there(renderer: PageRenderer, tmp_path: Path):
    """Nothing is highlighted with less than half of it, nor on pages that it is not said to be on."""
    file = source(tmp_path, pdf(Page().lines(50, 700, LINES), Page().text(50, 700, "The harbour lantern is a pub.")))
    none = await renderer.find_quote(file, "An elephant crossed the market square on Tuesday.", tenant="a")
    little = await renderer.find_quote(file, QUOTE, tenant="a", pages=(2, 3))
    assert (none.pages, little.pages) == ((), ())
    assert 0.1 < little.share < 0.5


async def test_images(renderer: PageRenderer, tmp_path: Path):
    """As wide as was asked for; a picture is never made larger, and a very long page is narrower."""
    paper = source(tmp_path, pdf(Page().rule(0, 421, 595, 421), Page(width=10, height=14_000)))
    shown = Image.open(io.BytesIO(await renderer.render(paper, 1, 800, tenant="a")))
    assert (shown.format, shown.width, round(shown.height / 800, 2)) == ("WEBP", 800, 1.42)
    assert sum(shown.convert("L").resize((1, shown.height)).tobytes()[560:572]) < 255 * 12 - 100  # the line in its middle
    narrow = Image.open(io.BytesIO(await renderer.render(paper, 2, 800, tenant="a")))
    assert narrow.width * narrow.height <= 8_100_000
    target = io.BytesIO()
    Image.new("RGBA", (300, 200), (0, 0, 0, 0)).save(target, "PNG")
    picture = Image.open(io.BytesIO(await renderer.render(source(tmp_path, target.getvalue()), 1, 800, tenant="a")))
    assert picture.size == (300, 200)
    assert min(picture.convert("L").tobytes()) > 250


@pytest.mark.parametrize(
    ("data", "page", "code"),
    [
        (pdf(Page()), 2, "not_found"),
        (pdf(Page(), Page(broken=True)), 2, "document_unreadable"),
        (pdf(Page(), user="secret"), 1, "password_required"),
        (b"%PDF-1.7\nnothing", 1, "document_unreadable"),
        (b"\x89PNG\r\n\x1a\nnothing", 1, "document_unreadable"),
        (b"A text has no pages.", 1, "document_type_unsupported"),
    ],
)
async def test_refused(renderer: PageRenderer, tmp_path: Path, data: bytes, page: int, code: str):
    with pytest.raises(Refused) as refused:
        await renderer.render(source(tmp_path, data), page, 800, tenant="a")
    assert refused.value.code == code


async def test_a_file_that_ends_its_child_is_refused_and_the_next_one_served(tmp_path: Path):
    """The process that asked goes on."""
    made = PageRenderer(DocumentSettings())
    slow = Page(operators=[b"BT /F1 400 Tf 0 0 Td (WWWW) Tj ET"] * 20_000)  # seconds
    try:
        rendering = asyncio.create_task(made.render(source(tmp_path, pdf(slow)), 1, 1_600, tenant="a"))
        while not any(child.tasks for child in made._pool._children):
            await asyncio.sleep(0.01)
        (child,) = made._pool._children
        os.kill(child.server.child, signal.SIGKILL)
        with pytest.raises(Refused) as refused:
            await rendering
        assert refused.value.code == "document_crashed_parser"
        assert await made.render(source(tmp_path, pdf(Page())), 1, 480, tenant="b")
    finally:
        await made.stop()


async def test_a_file_that_ends_children_again_and_again_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However often its pages are asked for, others wait for two of its children; after a while it may try again."""
    made, calls = PageRenderer(DocumentSettings()), []
    slow = replace(source(tmp_path, pdf(Page())), digest="5" * 64)

    async def end(task: ImageTask, *_: object, **__: object) -> None:
        calls.append(task.source.digest)
        raise ChildDied("wall", "it took longer than 15 s")

    monkeypatch.setattr(made._pool, "call", end)
    for page in range(1, 5):
        with pytest.raises(Refused) as refused:
            await made.render(slow, page, 1_600, tenant="a")
        assert refused.value.code == "document_too_complex"
    assert len(calls) == ENDED_MAX
    for other, tenant in ((slow, "b"), (replace(slow, digest="6" * 64), "a")):
        with pytest.raises(Refused):
            await made.render(other, 1, 1_600, tenant=tenant)
    monkeypatch.setattr(pages, "ENDED_S", 0.0)
    with pytest.raises(Refused):
        await made.find_quote(slow, QUOTE, tenant="a")
    assert len(calls) == ENDED_MAX + 3


async def test_no_page_has_a_number_that_a_child_cannot_read(renderer: PageRenderer, tmp_path: Path):
    for page in (2**64, 10**30, -1, 0):
        with pytest.raises(Refused) as refused:
            await renderer.render(source(tmp_path, pdf(Page())), page, 480, tenant="a")
        assert refused.value.code == "not_found"


async def test_no_child_serves_two_tenants(renderer: PageRenderer, tmp_path: Path):
    """Each gets a child that has seen no file of the other."""
    file = source(tmp_path, pdf(Page()))
    children = []
    for tenant in ("one", "one", "other"):
        await renderer.render(file, 1, 480, tenant=tenant)
        (child,) = renderer._pool._children
        children.append(child.server.child)
    assert children[0] == children[1] != children[2]
