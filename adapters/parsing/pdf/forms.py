"""Form fields of a page, by their values: what a field looks like may be missing or old, and a box without a tick says something, too."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_float
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

from adapters.parsing.pdf.text import PageText, TextSpan

CHECKED, UNCHECKED = "☑", "☐"
VALUE_CHARS_MAX = 100_000  # of one field
OPTIONS_MAX = 1_000  # of one field
_UNSEEN = 1 << 1 | 1 << 5  # flags of an annotation: hidden, not on screen
_MULTILINE, _PASSWORD = 1 << 12, 1 << 13  # flags of a text field
_SIZE_MAX = 12.0  # points, of a text whose field does not say
_FILL = 0.7  # of a field's height, likewise
_LEADING = 1.2
_BASE = 0.35  # of the size, from the middle of a line to its base line
_LABEL_EM = 3.0  # between a box and what it is for
_ORDER = 1 << 40  # of the first field in a page's stream: behind everything
_LINE_END = re.compile(r"\r\n?|\n")
_BOXES = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)
_CHOICES = (pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX)


@dataclass(frozen=True, slots=True)
class Field:
    """A field that says something; its place is left, bottom, right and top in points, y up. ``box``: a check box or radio button."""

    text: str
    place: tuple[float, float, float, float]
    size: float
    box: bool
    multiline: bool
    name: str


def read_fields(form: Any, page: Any, annotations_max: int) -> list[Field]:
    """The fields of a page that are filled in, and all of its boxes. They are taken off the page, in memory, so that none comes twice."""
    fields: list[Field] = []
    read: list[int] = []
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), annotations_max)):
        with _annotation(page, index) as annotation:
            if not annotation or pdfium.FPDFAnnot_GetSubtype(annotation) != pdfium.FPDF_ANNOT_WIDGET:
                continue
            if pdfium.FPDFAnnot_GetFlags(annotation) & _UNSEEN:
                continue
            if field := _read_field(form, annotation):
                fields.append(field)
                read.append(index)
    for index in reversed(read):
        pdfium.FPDFPage_RemoveAnnot(page, index)
    return fields


@contextmanager
def _annotation(page: Any, index: int) -> Iterator[Any]:
    annotation = pdfium.FPDFPage_GetAnnot(page, index)
    try:
        yield annotation
    finally:
        if annotation:
            pdfium.FPDFPage_CloseAnnot(annotation)


def _read_field(form: Any, annotation: Any) -> Field | None:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    flags = pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation)
    if kind in _BOXES:
        text = CHECKED if pdfium.FPDFAnnot_IsChecked(form, annotation) else UNCHECKED
    elif kind in _CHOICES:
        text = _chosen_options(form, annotation) or _string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
    elif kind == pdfium.FPDF_FORMFIELD_TEXTFIELD and not flags & _PASSWORD:
        text = _string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
    else:
        return None
    rectangle = pdfium.FS_RECTF()
    if not text.strip() or not pdfium.FPDFAnnot_GetRect(annotation, rectangle):
        return None
    place = (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top)
    size = c_float()
    pdfium.FPDFAnnot_GetFontSize(form, annotation, size)
    name = _string(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, annotation) or _string(
        pdfium.FPDFAnnot_GetFormFieldName, form, annotation
    )
    multiline = kind == pdfium.FPDF_FORMFIELD_TEXTFIELD and bool(flags & _MULTILINE)
    return Field(text, place, size.value, kind in _BOXES, multiline, name)


def _chosen_options(form: Any, annotation: Any) -> str:
    """The labels of the chosen options, which may differ from the values that are stored."""
    options = range(min(pdfium.FPDFAnnot_GetOptionCount(form, annotation), OPTIONS_MAX))
    chosen = [index for index in options if pdfium.FPDFAnnot_IsOptionSelected(form, annotation, index)]
    return ", ".join(filter(None, (_string(pdfium.FPDFAnnot_GetOptionLabel, form, annotation, index) for index in chosen)))


def _string(ask: Any, form: Any, annotation: Any, *more: int) -> str:
    """A string of a field; longer than allowed, its beginning."""
    count = ask(form, annotation, *more, None, 0)  # bytes, with a NUL at the end
    if count <= 2:  # noqa: PLR2004
        return ""
    if count > 2 * VALUE_CHARS_MAX:
        return ""
    units = (pdfium.FPDF_WCHAR * (count // 2))()
    ask(form, annotation, *more, units, count)
    return bytes(units)[: count - 2].decode("utf-16-le", "replace").strip("\0")


def place_fields(found: PageText, fields: list[Field]) -> int:
    """Add fields to a page's text, values where they stand, boxes in front of what they are for; how many characters they have."""
    labels = list(found.spans)
    before = sum(len(span.text) for span in labels)
    used: set[int] = set()
    order = _ORDER
    for field in sorted(fields, key=lambda one: (-one.place[3], one.place[0])):
        x0, top, x1, bottom = _upright(field.place, found.quarter)
        if field.box:
            label = _find_label(labels, used, (x0, top, x1, bottom))
            if label is not None:
                used.add(id(label))
                label.text = f"{field.text} {label.text}"
                continue
        lines = [f"{field.text} {field.name}".strip()] if field.box else [line for line in _LINE_END.split(field.text) if line.strip()]
        size = field.size or min(_SIZE_MAX, _FILL * (bottom - top))
        if field.multiline or len(lines) > 1:
            base = top + size
        else:
            base = _base_beside(labels, (x0, top, x1, bottom)) or (top + bottom) / 2 + _BASE * size
        for line in lines:
            end = max(x0 + 1.0, min(x1, x0 + size * len(line)))
            found.spans.append(TextSpan(line.strip(), x0, end, base - size, base + 0.2 * size, base, size, order=order, last=order))
            base += _LEADING * size
            order += 1
    return sum(len(span.text) for span in found.spans) - before


def _find_label(spans: list[TextSpan], used: set[int], place: tuple[float, float, float, float]) -> TextSpan | None:
    """The nearest text on the line of a box, behind it or else in front of it."""
    x0, top, x1, bottom = place
    middle = (top + bottom) / 2
    best: tuple[float, TextSpan] | None = None
    for span in spans:
        if id(span) in used or not span.top <= middle <= span.bottom:
            continue
        behind, before = span.x0 - x1, x0 - span.x1
        gap = behind if behind > -span.size / 2 else before + span.size  # what stands behind is preferred
        if -span.size / 2 < gap <= _LABEL_EM * span.size and (best is None or gap < best[0]):
            best = gap, span
    return best[1] if best else None


def _base_beside(spans: list[TextSpan], place: tuple[float, float, float, float]) -> float:
    """The base line of the nearest text in front of a field, so that both are one row; 0 when there is none."""
    x0, top, _, bottom = place
    before = [span for span in spans if span.x1 <= x0 + span.size / 2 and top <= span.middle[1] <= bottom]
    return max(before, key=lambda span: span.x1).base if before else 0.0


def _upright(place: tuple[float, float, float, float], quarter: int) -> tuple[float, float, float, float]:
    """Left, top, right, bottom; y down, as the page's text is turned."""
    left, low, right, high = place
    return ((left, -high, right, -low), (low, left, high, right), (-right, low, -left, high), (-high, -right, -low, -left))[quarter]
