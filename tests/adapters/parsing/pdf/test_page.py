"""A page is judged by what it shows, within bounds."""

from collections.abc import Callable

import pypdfium2
import pytest

from adapters.parsing.core.source import Bounds
from adapters.parsing.pdf import page as page_module
from adapters.parsing.pdf.page import PdfPage, read_page
from schemas.settings.documents import DocumentSettings
from tests.support.pdf_reading import PROSE, refusal, wrapped
from tests.support.pdf_writer import Page, pdf

PICTURE = (40, 40, bytes(1600))


def judged(page: Page) -> PdfPage:
    document = pypdfium2.PdfDocument(pdf(page))
    document.init_forms()
    try:
        return read_page(document, 0, 1_000_000, Bounds.of(DocumentSettings()))
    finally:
        document.close()


def hidden(page: Page) -> Page:
    page.operators = [operator.replace(b"BT ", b"BT 3 Tr ") for operator in page.operators]
    return page


@pytest.mark.parametrize(
    ("draw", "state"),
    [
        (lambda: Page().lines(60, 780, wrapped(PROSE, 80)), "text"),
        (lambda: Page().image(*PICTURE), "scan"),
        (Page, "blank"),
        (lambda: Page().image(*PICTURE).text(60, 700, "A stamp"), "thin"),
        (lambda: hidden(Page().image(*PICTURE).lines(60, 780, wrapped(PROSE, 80))), "layer"),
        (lambda: Page().lines(60, 780, wrapped(PROSE, 80)).image(*PICTURE), "layer"),  # the picture is drawn over the text
        (lambda: Page().image(*PICTURE).lines(60, 780, wrapped(PROSE, 80)), "text"),
        (lambda: Page().lines(60, 780, wrapped(PROSE, 80), font="P1"), "scan"),
        (lambda: Page().lines(60, 780, wrapped(PROSE, 80)).text(60, 600, "ab", 10, "N1"), "holed"),
        (lambda: Page(broken=True), "broken"),
        (lambda: Page().image(*PICTURE).field((60, 600, 400, 616), b"/FT/Tx/T(name)/V(typed into a scan)"), "thin"),
        (lambda: Page().field((60, 600, 400, 616), b"/FT/Tx/T(name)/V(typed on white)"), "text"),
    ],
)
def test_what_a_page_is(draw: Callable[[], Page], state: str) -> None:
    assert judged(draw()).state == state


def test_a_page_with_too_many_glyphs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "GLYPHS_MAX", 100)
    failure = refusal(pdf(Page().lines(60, 780, wrapped(PROSE, 80))))
    assert (failure.code, "page 1 has more than 100 characters" in failure.detail) == ("document_too_complex", True)
    monkeypatch.setattr(page_module, "OBJECTS_MAX", 3)
    assert "page 1 is made of more than 3 objects" in refusal(pdf(Page().lines(60, 780, wrapped(PROSE, 80)))).detail
