"""The second pass: pages whose text layer does not tell what they show are recognised, one after another, within the time there is.

The better of the two texts of a page is kept. What could not be read is named page by page: nothing counts as read that was not.
"""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pypdfium2 as pdfium2

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import has_words
from adapters.parsing.core.source import OCR_EVENT, Allowance, Bounds
from adapters.parsing.pdf.forms import place_fields
from adapters.parsing.pdf.ocr import OcrFailed, OcrResult, Picture, Recogniser, find_recogniser
from adapters.parsing.pdf.page import PdfPage
from adapters.parsing.pdf.text import PageText
from schemas.errors import Refused

DPI_MAX = 300.0  # more tells an engine nothing
DPI_DEFAULT = 200.0  # of a page that is no single picture
PIXELS_MAX = 12_000_000  # of one picture: A3 at 225 dpi, 12 MB
_HOLED_TRIED = 5  # pages of a document with holes in their text, which say whether recognition fills them
_LAYERS_TRIED = 3  # pages of a document with a text layer under pictures, which say whether the layer is right
_PIECE = 4  # characters: any two English texts have most pairs of letters in common
_AGREEMENT = 0.5  # of the pieces of a page: its layer says what can be seen, with one letter in seven read wrongly
_CONFIDENCE_MIN = 70.0  # per cent, of a text that replaces a layer
_SHARE_MIN = 0.8  # of the characters of a layer with few holes, of a text that replaces it
_PAGES_NAMED_MAX = 30  # in a note


@dataclass(slots=True)
class _Outcome:
    """Numbers of pages, from 1."""

    read: list[int] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)  # no time was left
    cut: list[int] = field(default_factory=list)  # read in part
    large: list[int] = field(default_factory=list)  # more pixels than are read
    holed: list[int] = field(default_factory=list)  # kept with holes


def read_scans(document: pdfium2.PdfDocument, pages: list[PdfPage], bounds: Bounds, allowance: Allowance, assembly: Assembly) -> None:
    """Recognise the pages that need it, with notes.

    Beyond ``ocr_pages_max`` a document of scans alone is refused, since a part of a text would answer for the whole; one that has pages
    with text keeps them, and the scans that were not read are named. Raises Refused: ``ocr_required``, ``document_too_complex``.
    """
    scans = [index for index, page in enumerate(pages) if page.state in ("scan", "thin", "holed")]
    layers = [index for index, page in enumerate(pages) if page.state == "layer"]
    if not scans and not layers:
        return
    has_text = any(page.state in ("text", "thin", "layer", "holed") for page in pages)
    reader = find_recogniser(bounds)
    if reader is None:
        if not has_text:
            raise Refused("ocr_required")
        _note_pages(assembly, "pages_need_ocr", [index + 1 for index in scans if pages[index].state != "holed"])
        _note_holes(assembly, pages, [index + 1 for index in scans if pages[index].state == "holed"])
        return
    if len(scans) > allowance.ocr_pages and not has_text:
        raise Refused(
            "document_too_complex", f"it has {len(scans):,} scanned pages; {bounds.ocr_pages_max:,} are read (CLAW_DOCUMENT_OCR_PAGES_MAX)"
        )
    sys.audit(OCR_EVENT)
    reading = _Reading(document, pages, reader, bounds, allowance)
    for index in scans:
        if pages[index].state != "holed":
            reading.read(index)
    reading.fill_holes([index for index in scans if pages[index].state == "holed"])
    reading.check_layers(layers)
    reading.outcome.read.sort()
    if reading.outcome.large and not (has_text or reading.outcome.read):
        raise Refused("document_too_complex", _too_large(bounds))
    if reading.outcome.late and not (has_text or reading.outcome.read):
        raise Refused("document_too_complex", "its scanned pages take longer than they may (CLAW_DOCUMENT_OCR_WALL_S)")
    _note_outcome(assembly, reading.outcome, bounds)
    _note_holes(assembly, pages, sorted(reading.outcome.holed))


class _Reading:
    """Recognition of one document's pages, with what became of each."""

    def __init__(
        self, document: pdfium2.PdfDocument, pages: list[PdfPage], reader: Recogniser, bounds: Bounds, allowance: Allowance
    ) -> None:
        self._document, self._pages, self._reader = document, pages, reader
        self._bounds, self._allowance = bounds, allowance
        self.outcome = _Outcome()

    def read(self, index: int) -> None:
        """Recognise a page and keep the better text."""
        page = self._pages[index]
        result = self._recognise(index)
        if result is None:
            if page.state == "holed":
                self.outcome.holed.append(index + 1)
        elif has_words(result.text) and _is_better(result, page):
            self._replace(index, result)
        elif page.state == "holed":
            self.outcome.holed.append(index + 1)
        elif page.state == "scan" and page.nameless:
            page.state = "broken"  # glyphs that neither have a text nor can be seen

    def fill_holes(self, holed: Sequence[int]) -> None:
        """Recognise pages with holes, and no more of them when none of the first gets better: their holes are formulas or ornaments."""
        for index in holed[:_HOLED_TRIED]:
            self.read(index)
        better = any(index + 1 in self.outcome.read for index in holed[:_HOLED_TRIED])
        for index in holed[_HOLED_TRIED:]:
            if better:
                self.read(index)
            else:
                self.outcome.holed.append(index + 1)

    def check_layers(self, layers: Sequence[int]) -> None:
        """Recognise the first pages with a text that nobody sees, and the others, too, when that text is another one."""
        for index in layers[:_LAYERS_TRIED]:
            self._check_layer(index)
        if any(index + 1 in self.outcome.read for index in layers[:_LAYERS_TRIED]):
            for index in layers[_LAYERS_TRIED:]:
                self._check_layer(index)

    def _check_layer(self, index: int) -> None:
        result = self._recognise(index)
        page = self._pages[index]
        if result is None or not has_words(result.text) or result.confidence < _CONFIDENCE_MIN:
            return
        if agreement(page.text, " ".join(span.text for span in result.spans)) < _AGREEMENT:
            self._replace(index, result)

    def _replace(self, index: int, result: OcrResult) -> None:
        found = PageText(spans=list(result.spans))
        place_fields(found, self._pages[index].fields)
        self._pages[index] = PdfPage("text", found.spans, [[span] for span in result.aside])
        self.outcome.read.append(index + 1)
        if not result.complete:
            self.outcome.cut.append(index + 1)

    def _recognise(self, index: int) -> OcrResult | None:
        """The text of a page as it looks; None, with the reason in the outcome, when there is none."""
        page, allowance = self._pages[index], self._allowance
        if allowance.ocr_pages <= 0:
            self.outcome.unread.append(index + 1)
            return None
        left_s = allowance.ocr_until - time.monotonic()
        if left_s <= 0:
            self.outcome.late.append(index + 1)
            return None
        if page.pixels > self._bounds.picture_pixels_max:
            self.outcome.large.append(index + 1)
            return None
        allowance.ocr_pages -= 1
        try:
            picture = _render_page(self._document, index, page.dpi, self._reader.dpi_min)
            return self._reader.read(picture, min(self._bounds.ocr_page_s, left_s))
        except (pdfium2.PdfiumError, OcrFailed):
            page.state = "broken" if page.state == "scan" else page.state
            return None


def _is_better(result: OcrResult, page: PdfPage) -> bool:
    """Whether the recognised text says more than the layer; of a page with few holes it must be sure of itself, too."""
    chars = page.chars - page.field_chars
    if page.state == "holed":
        return result.confidence >= _CONFIDENCE_MIN and len(result.text) >= _SHARE_MIN * chars
    return len(result.text) > chars


def agreement(layer: str, seen: str) -> float:
    """The share of the pieces of what is seen that the layer has, too; white space, case and the order of pieces do not count."""
    had, wanted = _pieces(layer), _pieces(seen)
    return (had & wanted).total() / wanted.total() if wanted else 0.0


def _pieces(text: str) -> Counter[str]:
    whole = "".join(text.lower().split())
    return Counter(whole[at : at + _PIECE] for at in range(len(whole) - _PIECE + 1))


def _render_page(document: pdfium2.PdfDocument, index: int, dpi: float, dpi_min: float) -> Picture:
    """The page as it looks, as finely as it was scanned."""
    page = document[index]
    try:
        width, height = page.get_size()
        wanted = min(max(dpi or DPI_DEFAULT, dpi_min), DPI_MAX)
        scale = min(wanted / 72, (PIXELS_MAX / max(width * height, 1.0)) ** 0.5)
        bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=False)
        try:
            pixels = np.frombuffer(bitmap.buffer, np.uint8).reshape(bitmap.height, bitmap.stride)[:, : bitmap.width].copy()
            return Picture(pixels, scale * 72)
        finally:
            bitmap.close()
    finally:
        page.close()


def _too_large(bounds: Bounds) -> str:
    return f"a picture has more than {bounds.picture_pixels_max:,} pixels (CLAW_DOCUMENT_PICTURE_PIXELS_MAX)"


def _note_outcome(assembly: Assembly, outcome: _Outcome, bounds: Bounds) -> None:
    _note_pages(assembly, "read_by_ocr", outcome.read)
    _note_pages(assembly, "ocr_incomplete", outcome.cut, "reading one takes longer than it may (CLAW_DOCUMENT_OCR_PAGE_S)")
    _note_pages(assembly, "pages_need_ocr", outcome.unread, "more than are read (CLAW_DOCUMENT_OCR_PAGES_MAX)")
    _note_pages(assembly, "pages_need_ocr", outcome.late, "no time was left (CLAW_DOCUMENT_OCR_WALL_S)")
    _note_pages(assembly, "pages_need_ocr", outcome.large, _too_large(bounds))


def _note_holes(assembly: Assembly, pages: Sequence[PdfPage], numbers: Sequence[int]) -> None:
    glyphs = sum(pages[number - 1].nameless for number in numbers)
    _note_pages(assembly, "glyphs_without_text", numbers, f"{glyphs:,} glyphs without a character stand as \ufffd")


def _note_pages(assembly: Assembly, code: str, numbers: Sequence[int], reason: str = "") -> None:
    if numbers:
        assembly.add_note(code, name_pages(numbers) + (f": {reason}" if reason else ""))


def name_pages(numbers: Sequence[int]) -> str:
    """``pages 2, 4``, the first of many."""
    named = ", ".join(map(str, numbers[:_PAGES_NAMED_MAX]))
    more = len(numbers) - _PAGES_NAMED_MAX
    return f"pages {named}" + (f" and {more} more" if more > 0 else "")
