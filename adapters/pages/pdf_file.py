"""The pages of a PDF file, as pdfium shows them. What a hostile page makes pdfium do is bounded by the process that this runs in."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import byref, c_double, c_int

import pypdfium2 as pdfium2
import pypdfium2.raw as pdfium

from adapters.pages.boxes import PageBox
from adapters.pages.images import encode_image, scale_to
from adapters.parsing.core.source import Entry
from adapters.parsing.pdf.document import open_pdf
from adapters.parsing.pdf.glyphs import widen_empty_objects
from adapters.parsing.pdf.page import GLYPHS_MAX, OBJECTS_MAX
from schemas.errors import Refused

_ROUNDED_UP = 1 - 1e-6  # sizes in pixels are: of an exact one nothing may be left over
_GRID = 1_000_000  # steps of the page's width and height in which pdfium gives a place on it


class PdfFile:
    """A ``PagedFile``. One page is open at a time: quotes are looked for page by page."""

    def __init__(self, document: pdfium2.PdfDocument) -> None:
        self._document = document
        self._number = 0
        self._page: pdfium2.PdfPage | None = None
        self._text: pdfium2.PdfTextPage | None = None

    @property
    def page_count(self) -> int:
        return len(self._document)

    def page_size(self, page: int) -> tuple[float, float]:
        width, height = self._open(page).get_size()
        if not (width > 0 and height > 0):
            raise Refused("document_unreadable", f"page {page} has no area")
        return width, height

    def page_text(self, page: int) -> str:
        text = self._open_text(page)
        count = pdfium.FPDFText_CountChars(text.raw)
        if count > GLYPHS_MAX:
            return ""
        ask = pdfium.FPDFText_GetUnicode
        return "".join(chr(code) if 0 < (code := ask(text.raw, place)) <= sys.maxunicode else " " for place in range(count))

    def text_boxes(self, page: int, start: int, end: int) -> Sequence[PageBox]:
        shown, text = self._open(page), self._open_text(page)
        bounds = pdfium.FS_RECTF()
        found = []
        for place in range(start, end):
            if pdfium.FPDFText_GetLooseCharBox(text.raw, place, byref(bounds)):
                corners = [_place_on(shown, x, y) for x in (bounds.left, bounds.right) for y in (bounds.top, bounds.bottom)]
                xs, ys = [x for x, _ in corners], [y for _, y in corners]
                found.append(PageBox(min(xs), min(ys), max(xs), max(ys)))
        return found

    def render_page(self, page: int, width: int) -> bytes:
        page_width, page_height = self.page_size(page)
        scale = scale_to(width, page_width, page_height) * _ROUNDED_UP
        bitmap = self._open(page).render(scale=scale, rev_byteorder=True, prefer_bgrx=True)
        try:
            return encode_image(bitmap.to_pil())
        finally:
            bitmap.close()

    def close_page(self) -> None:
        """Close the page that is open."""
        for each in (self._text, self._page):
            if each is not None:
                each.close()
        self._number, self._page, self._text = 0, None, None

    def _open(self, page: int) -> pdfium2.PdfPage:
        if self._page is None or page != self._number:
            self.close_page()
            if not 1 <= page <= self.page_count:
                raise Refused("not_found", f"there is no page {page}")
            try:
                self._page, self._number = self._document[page - 1], page
            except pdfium2.PdfiumError as error:
                raise Refused("document_unreadable", f"page {page} is damaged") from error
        return self._page

    def _open_text(self, page: int) -> pdfium2.PdfTextPage:
        shown = self._open(page)
        if self._text is None:
            if pdfium.FPDFPage_CountObjects(shown.raw) > OBJECTS_MAX:
                raise Refused("document_too_complex", f"page {page} is made of more than {OBJECTS_MAX:,} objects")
            widen_empty_objects(shown.raw, OBJECTS_MAX)
            try:
                self._text = shown.get_textpage()
            except pdfium2.PdfiumError as error:
                raise Refused("document_unreadable", f"page {page} is damaged") from error
        return self._text


@contextmanager
def open_pdf_pages(entry: Entry) -> Iterator[PdfFile]:
    """The file, closed at the end. Raises Refused like ``open_pdf``."""
    with open_pdf(entry) as document:
        opened = PdfFile(document)
        try:
            yield opened
        finally:
            opened.close_page()


def _place_on(page: pdfium2.PdfPage, x: float, y: float) -> tuple[float, float]:
    """A point of the page's own coordinates on the page as it is shown: cut, and turned."""
    across, down = c_int(), c_int()
    pdfium.FPDF_PageToDevice(page.raw, 0, 0, _GRID, _GRID, 0, c_double(x), c_double(y), byref(across), byref(down))
    return across.value / _GRID, down.value / _GRID
