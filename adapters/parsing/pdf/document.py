"""PDF: text in reading order with page numbers, tables by row; scanned pages by Tesseract.

Two passes. The first takes each page's characters and lines and closes it: only then is known what runs through all pages, how big
body text is, and how many pages are scans. What a hostile page makes pdfium do is bounded by the process that this runs in.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pypdfium2 as pdfium2
import pypdfium2.raw as pdfium

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText, has_words
from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.pdf.blocks import write_pages
from adapters.parsing.pdf.drawing import drawing_of
from adapters.parsing.pdf.layout import flows_of
from adapters.parsing.pdf.legibility import is_legible
from adapters.parsing.pdf.lines import Flow, line_of
from adapters.parsing.pdf.ocr import DPI, PIXELS_MAX, OcrResult, Picture, Recogniser, find_recogniser
from adapters.parsing.pdf.running_headers import without_running_headers
from adapters.parsing.pdf.tables import Grid, grids_of
from adapters.parsing.pdf.text import TextSpan, read_spans
from schemas.errors import Refused

_OBJECTS_MAX = 1_000_000  # of one page: a book has no page like that, and its text alone would take a minute
_SAMPLE = 200  # glyphs of a page that are asked for their meaning
_PICTURE_MIN = 0.03  # of the page: a picture that may hold text
_SHAPES_MIN = 60  # paths of a page without text: letters drawn as outlines
_WHOLE_PICTURE = 0.6  # of the page: a scan, with a stamp or a few words of text at most
_FEW_CHARS = 60
_ANNOTATIONS_MAX = 2_000  # looked at per page
_PAGES_NAMED_MAX = 30  # in a note
_COPYING = 1 << 4  # permission bit 5 of the standard security handler
_MEANINGLESS_TITLE = re.compile(
    r"untitled|\(?anonymous\)?|document\d*|microsoft \w+ - .*|.*\.(?:docx?|pdf|pptx?|xlsx?|indd|tex|dvi|html?|rtf|wps|txt)"
    r"|[\W\d_]*|\S*[_/\\]\S*",
    re.IGNORECASE,
)

# An object whose length is said to be itself: readers that follow it never come back.
_SELF_REFERENCE = re.compile(rb"\b(\d{1,10}) (\d{1,5}) obj\s*<<[^<>]{0,200}?/Length \1 \2 R")

State = Literal["text", "thin", "scan", "blank", "broken"]


@dataclass(slots=True)
class _PdfPage:
    """The result of the first pass over a page. ``thin``: a picture with few words on it, which count as text."""

    state: State
    spans: list[TextSpan] = field(default_factory=list)
    turned: list[list[TextSpan]] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)


def parse_pdf(entry: Entry) -> ParsedText:
    """Blocks of a PDF file, each with its page.

    Notes: ``page_unreadable``, ``pages_need_ocr``, ``read_by_ocr`` name pages, ``copy_protected`` says that its owner forbids copying,
    ``file_repaired`` that something may be missing because the file is damaged.
    Raises Refused: ``password_required``, ``password_wrong``, ``document_unreadable``, ``document_too_complex`` (pages, characters, scanned
    pages of a document that has no others), ``ocr_required``, ``document_empty``.
    """
    bounds = entry.bounds
    with _open_document(entry) as document:
        count = len(document)
        if count > bounds.pages_max:
            raise Refused("document_too_complex", f"it has {count:,} pages; {bounds.pages_max:,} are read (CLAW_DOCUMENT_PAGES_MAX)")
        pages = _read_pages(document, count, bounds)
        assembly = Assembly(bounds.chars_max)
        if all(page.state == "broken" for page in pages):
            raise Refused("document_unreadable", "none of its pages can be read")
        _read_scans(document, pages, bounds, assembly)
        _note_pages(assembly, "page_unreadable", [number for number, page in enumerate(pages, 1) if page.state == "broken"])
        if pdfium.FPDF_GetSecurityHandlerRevision(document.raw) >= 0 and not pdfium.FPDF_GetDocUserPermissions(document.raw) & _COPYING:
            assembly.add_note("copy_protected", "its owner forbids copying text")
        if not pdfium.FPDF_DocumentHasValidCrossReferenceTable(document.raw) or _SELF_REFERENCE.search(entry.data):
            assembly.add_note("file_repaired", "its structure is damaged: what could be found of it is here")
        title = _title(document)
    bodies = without_running_headers([page.spans for page in pages])
    write_pages(assembly, [(number, _page_flows(spans, page)) for number, (spans, page) in enumerate(zip(bodies, pages, strict=True), 1)])
    if assembly.is_empty:
        broken = any(page.state == "broken" for page in pages)
        raise Refused("document_unreadable" if broken else "document_empty", "no text comes out of its pages")
    return assembly.build(title)


@contextmanager
def _open_document(entry: Entry) -> Iterator[pdfium2.PdfDocument]:
    """The document, closed at the end. A password for a file that needs none is ignored."""
    document = None
    for password in dict.fromkeys((entry.password or None, None)):
        try:
            document = pdfium2.PdfDocument(entry.data, password=password)
            break
        except pdfium2.PdfiumError as error:
            code = error.err_code
    if document is None:
        if code == pdfium.FPDF_ERR_PASSWORD:
            raise Refused("password_wrong" if entry.password else "password_required")
        raise Refused("document_unreadable", "its structure is damaged beyond repair")
    try:
        yield document
    finally:
        document.close()


def _read_pages(document: pdfium2.PdfDocument, count: int, bounds: Bounds) -> list[_PdfPage]:
    pages = []
    left = bounds.chars_max
    for index in range(count):
        page = _read_page(document, index, left, bounds)
        left -= sum(len(span.text) for span in page.spans)
        if left < 0:
            _refuse_length(bounds)
        pages.append(page)
    return pages


def _refuse_length(bounds: Bounds) -> None:
    raise Refused("document_too_complex", f"more than {bounds.chars_max:,} characters of text came out (CLAW_DOCUMENT_TEXT_CHARS_MAX)")


def _read_page(document: pdfium2.PdfDocument, index: int, chars_left: int, bounds: Bounds) -> _PdfPage:
    try:
        page = document[index]
    except pdfium2.PdfiumError:
        return _PdfPage("broken")
    try:
        if _merge_annotations(page.raw):
            page.close()
            page = document[index]
        if pdfium.FPDFPage_CountObjects(page.raw) > _OBJECTS_MAX:
            raise Refused("document_too_complex", f"page {index + 1} is made of more than {_OBJECTS_MAX:,} objects")
        return _read_content(page, chars_left, bounds)
    except pdfium2.PdfiumError:
        return _PdfPage("broken")
    finally:
        page.close()


def _read_content(page: pdfium2.PdfPage, chars_left: int, bounds: Bounds) -> _PdfPage:
    drawing = drawing_of(page.raw, *page.get_size())
    textpage = page.get_textpage()
    try:
        count = pdfium.FPDFText_CountChars(textpage.raw)
        if count > 2 * chars_left + 10_000:  # white space between words counts here, too
            _refuse_length(bounds)
        found = read_spans(textpage.raw, count, drawing.rules)
        shown = sum(len(span.text) for span in found.spans) + sum(len(span.text) for group in found.turned for span in group)
        usable = shown > 0 and is_legible(found.text, _sample_unmapped(textpage.raw, count))
    finally:
        textpage.close()
    if not usable:
        drawn = drawing.pictures >= _PICTURE_MIN or drawing.shapes >= _SHAPES_MIN
        return _PdfPage("scan" if drawn or shown else "blank")
    state: State = "thin" if drawing.pictures >= _WHOLE_PICTURE and shown <= _FEW_CHARS else "text"
    return _PdfPage(state, found.spans, found.turned, grids_of([rule.rotate(found.quarter) for rule in drawing.rules]))


def _sample_unmapped(textpage: Any, count: int) -> list[bool]:
    step = max(1, count // _SAMPLE)
    return [pdfium.FPDFText_HasUnicodeMapError(textpage, index) == 1 for index in range(0, count, step)]


def _merge_annotations(page: Any) -> bool:
    """Merge form fields and annotations into the page, in memory only."""
    wanted = (pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP)
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), _ANNOTATIONS_MAX)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        pdfium.FPDFPage_CloseAnnot(annotation)
        if kind in wanted:
            return bool(pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY) == pdfium.FLATTEN_SUCCESS)
    return False


def _read_scans(document: pdfium2.PdfDocument, pages: list[_PdfPage], bounds: Bounds, assembly: Assembly) -> None:
    """Scanned pages read by Tesseract, with a note.

    Beyond ``ocr_pages_max`` a document of scans alone is refused, since a part of a text would answer for the whole; one that has pages
    with text keeps them, and the scans that were not read are named.
    """
    scans = [index for index, page in enumerate(pages) if page.state in ("scan", "thin")]
    if not scans:
        return
    has_text = any(page.state in ("text", "thin") for page in pages)
    reader = find_recogniser(bounds.ocr_languages) if bounds.ocr else None
    if reader is None:
        if not has_text:
            raise Refused("ocr_required")
        _note_pages(assembly, "pages_need_ocr", [index + 1 for index in scans])
        return
    if len(scans) > bounds.ocr_pages_max and not has_text:
        raise Refused(
            "document_too_complex", f"it has {len(scans):,} scanned pages; {bounds.ocr_pages_max:,} are read (CLAW_DOCUMENT_OCR_PAGES_MAX)"
        )
    read = []
    for index in scans[: bounds.ocr_pages_max]:
        try:
            reading = _recognise_page(document, index, reader)
        except (pdfium2.PdfiumError, subprocess.SubprocessError, OSError):
            pages[index].state = "broken" if pages[index].state == "scan" else "text"
            continue
        if has_words(reading.text) and len(reading.text) > sum(len(span.text) for span in pages[index].spans):
            pages[index] = _PdfPage("text", list(reading.spans))
            read.append(index + 1)
    _note_pages(assembly, "read_by_ocr", read)
    _note_pages(assembly, "pages_need_ocr", [index + 1 for index in scans[bounds.ocr_pages_max :]])


def _recognise_page(document: pdfium2.PdfDocument, index: int, reader: Recogniser) -> OcrResult:
    page = document[index]
    try:
        picture = _render_page(page, 0)
        reading = reader.read(picture)
        if reader.is_poor(reading) and (degrees := reader.detect_rotation(picture)):
            reading = max(reading, reader.read(_render_page(page, degrees)), key=lambda one: one.confidence)
        return reading
    finally:
        page.close()


def _render_page(page: pdfium2.PdfPage, degrees: int) -> Picture:
    width, height = page.get_size()
    scale = min(DPI / 72, (PIXELS_MAX / max(width * height, 1.0)) ** 0.5)
    bitmap = page.render(scale=scale, grayscale=True, rotation=degrees, may_draw_forms=False)
    try:
        pixels = bytes(bitmap.buffer)
        if bitmap.stride != bitmap.width:
            pixels = b"".join(pixels[start : start + bitmap.width] for start in range(0, bitmap.stride * bitmap.height, bitmap.stride))
        return Picture(bitmap.width, bitmap.height, pixels, scale * 72)
    finally:
        bitmap.close()


def _page_flows(spans: list[TextSpan], page: _PdfPage) -> list[Flow]:
    """The page, then its text in other directions."""
    flows = flows_of(spans, page.grids)
    for group in page.turned:
        for flow in flows_of(group, ()) if group[0].size else [Flow([line_of([span]) for span in group])]:
            flow.aside = True
            flows.append(flow)
    return flows


def _note_pages(assembly: Assembly, code: str, numbers: Sequence[int]) -> None:
    if numbers:
        named = ", ".join(map(str, numbers[:_PAGES_NAMED_MAX]))
        more = len(numbers) - _PAGES_NAMED_MAX
        assembly.add_note(code, f"pages {named}" + (f" and {more} more" if more > 0 else ""))


def _title(document: pdfium2.PdfDocument) -> str:
    """The title in the file's properties, unless a program generated it."""
    title = " ".join(document.get_metadata_value("Title").split())
    return "" if _MEANINGLESS_TITLE.fullmatch(title) or not is_legible(title) else title
