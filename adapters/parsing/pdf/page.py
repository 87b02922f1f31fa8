"""One page of a PDF: its text, its lines, and whether a text layer tells what the page shows."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pypdfium2 as pdfium2
import pypdfium2.raw as pdfium

from adapters.parsing.core.source import Bounds
from adapters.parsing.pdf.drawing import WHOLE_PICTURE, Drawing, drawing_of
from adapters.parsing.pdf.forms import Field, place_fields, read_fields
from adapters.parsing.pdf.glyphs import widen_empty_objects
from adapters.parsing.pdf.legibility import is_legible
from adapters.parsing.pdf.tables import Grid, grids_of
from adapters.parsing.pdf.text import PageText, TextSpan, read_spans
from schemas.errors import Refused

OBJECTS_MAX = 1_000_000  # of one page: a book has no page like that, and its text alone would take a minute
GLYPHS_MAX = 1_000_000  # of one page, for the same reason
_PICTURE_MIN = 0.03  # of the page: a picture that may hold text
_SHAPES_MIN = 60  # paths of a page without text: letters drawn as outlines
_FEW_CHARS = 60
_ANNOTATIONS_MAX = 2_000  # looked at per page
_NAMELESS_MAX = 0.1  # of a page's glyphs: with more holes a text is none

State = Literal["text", "thin", "layer", "holed", "scan", "blank", "broken"]


@dataclass(slots=True)
class PdfPage:
    """The result of the first pass over a page.

    ``thin``: a picture with few words on it, which count as text. ``layer``: a picture over which lies a text that nobody sees.
    ``holed``: some glyphs have no text. ``scan``: what it says is only to be seen. ``dpi`` is that of its picture, 0 without one.
    """

    state: State
    spans: list[TextSpan] = field(default_factory=list)
    turned: list[list[TextSpan]] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    field_chars: int = 0  # of the spans
    dpi: float = 0.0
    pixels: int = 0
    nameless: int = 0

    @property
    def chars(self) -> int:
        """Characters of the spans."""
        return sum(len(span.text) for span in self.spans)

    @property
    def text(self) -> str:
        """The spans as they come."""
        return " ".join(span.text for span in self.spans)


def read_page(document: pdfium2.PdfDocument, index: int, chars_left: int, bounds: Bounds) -> PdfPage:
    """The first pass over a page. Raises Refused("document_too_complex")."""
    try:
        page = document[index]
    except pdfium2.PdfiumError:
        return PdfPage("broken")
    try:
        fields = read_fields(document.formenv.raw, page.raw, _ANNOTATIONS_MAX) if document.formenv else []
        if fields or _merge_annotations(page.raw):
            _merge_annotations(page.raw)
            page.close()
            page = document[index]
        if pdfium.FPDFPage_CountObjects(page.raw) > OBJECTS_MAX:
            raise Refused("document_too_complex", f"page {index + 1} is made of more than {OBJECTS_MAX:,} objects")
        return _read_content(page, index, fields, chars_left, bounds)
    except pdfium2.PdfiumError:
        return PdfPage("broken")
    finally:
        page.close()


def _read_content(page: pdfium2.PdfPage, index: int, fields: list[Field], chars_left: int, bounds: Bounds) -> PdfPage:
    drawing = drawing_of(page.raw, *page.get_size())
    widen_empty_objects(page.raw, OBJECTS_MAX)
    textpage = page.get_textpage()
    try:
        count = pdfium.FPDFText_CountChars(textpage.raw)
        if count > GLYPHS_MAX:
            raise Refused("document_too_complex", f"page {index + 1} has more than {GLYPHS_MAX:,} characters")
        if count > 2 * chars_left + 10_000:  # white space between words counts here, too
            refuse_length(bounds)
        found = read_spans(textpage.raw, count, drawing.rules)
    finally:
        textpage.close()
    state = _judge(drawing, found)
    if state in ("scan", "blank"):
        found.spans, found.turned = [], []
        if fields:
            state = "thin" if state == "scan" else "text"
    field_chars = place_fields(found, fields)
    grids = grids_of([rule.rotate(found.quarter) for rule in drawing.rules]) if found.spans else []
    result = PdfPage(state, found.spans, found.turned, grids, fields, field_chars)
    result.dpi, result.pixels, result.nameless = drawing.dpi, drawing.pixels, found.nameless
    return result


def _judge(drawing: Drawing, found: PageText) -> State:
    """Whether the text layer tells what the page shows."""
    chars = sum(len(span.text) for span in found.spans) + sum(len(span.text) for group in found.turned for span in group)
    if not chars or not is_legible(found.text):
        drawn = drawing.pictures >= _PICTURE_MIN or drawing.shapes >= _SHAPES_MIN
        return "scan" if drawn or chars or found.nameless else "blank"
    if drawing.pictures >= WHOLE_PICTURE:
        if chars <= _FEW_CHARS:
            return "thin"
        if drawing.text_hidden and not drawing.text_seen:
            return "layer"
    if found.nameless:
        return "scan" if found.nameless > _NAMELESS_MAX * found.shown else "holed"
    return "text"


def refuse_length(bounds: Bounds) -> None:
    """Raises Refused: too much text."""
    raise Refused("document_too_complex", f"more than {bounds.chars_max:,} characters of text came out (CLAW_DOCUMENT_TEXT_CHARS_MAX)")


def _merge_annotations(page: Any) -> bool:
    """Merge annotations that show text into the page, in memory only."""
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
