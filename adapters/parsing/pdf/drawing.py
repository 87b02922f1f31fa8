"""Drawings of a page: the straight lines of tables, the pictures, and whether text can be seen."""

from collections.abc import Iterator
from ctypes import c_float, c_uint
from dataclasses import dataclass, field
from typing import Any

import pypdfium2.raw as pdfium

OBJECTS_MAX = 20_000  # looked at per page: a map has more, and no tables
SEGMENTS_MAX = 20_000  # of paths, per page
RULES_MAX = 1_500  # per page
_DEPTH_MAX = 4  # of forms inside each other
WHOLE_PICTURE = 0.6  # of the page: a scan, with a stamp or a few words of text at most
_MAIN_PICTURE = 0.3  # of the page: its pixels say how finely the page was scanned
_KINDS = (pdfium.FPDF_PAGEOBJ_PATH, pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING, pdfium.FPDF_PAGEOBJ_TEXT)
_THIN = 3.0  # points: what is thinner is a line
_SHORT = 6.0  # points: a line shorter than this bounds no cell

Matrix = tuple[float, float, float, float, float, float]
_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class RuledLine:
    """A straight line along an axis: in pdfium's coordinates (y up) as drawn; y down once ``turned``."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def is_upright(self) -> bool:
        return self.x1 - self.x0 < self.y1 - self.y0

    @property
    def length(self) -> float:
        return max(self.x1 - self.x0, self.y1 - self.y0)

    def rotate(self, quarter: int) -> "RuledLine":
        """The rule after so many quarter turns clockwise; y down."""
        x0, y0, x1, y1 = self.x0, self.y0, self.x1, self.y1
        return RuledLine(*((x0, -y1, x1, -y0), (y0, x0, y1, x1), (-x1, y0, -x0, y1), (-y1, -x1, -y0, -x0))[quarter])


@dataclass(slots=True)
class Drawing:
    """``pictures`` is the share of the page that images cover, at most 1; ``shapes`` counts paths and shadings.

    ``pixels`` are those of the picture with most of them, ``dpi`` says how many of them an inch has where it covers most of the page.
    ``text_seen`` and ``text_hidden`` count objects of text: those that are drawn, and those that are invisible or behind a picture.
    """

    rules: list[RuledLine] = field(default_factory=list)
    pictures: float = 0.0
    shapes: int = 0
    segments: int = 0  # of paths, looked at
    pixels: int = 0
    dpi: float = 0.0
    text_seen: int = 0
    text_hidden: int = 0


def drawing_of(page: Any, width: float, height: float) -> Drawing:
    """Rules and pictures of a page of this size in points."""
    drawing = Drawing()
    for kind, shape, matrix in _objects(page):
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
            _add_picture(drawing, shape, matrix, (width, height))
        elif kind == pdfium.FPDF_PAGEOBJ_TEXT:
            if pdfium.FPDFTextObj_GetTextRenderMode(shape) == pdfium.FPDF_TEXTRENDERMODE_INVISIBLE:
                drawing.text_hidden += 1
            else:
                drawing.text_seen += 1
        elif kind == pdfium.FPDF_PAGEOBJ_PATH:
            drawing.shapes += 1
            if len(drawing.rules) < RULES_MAX:
                _add_path(drawing, shape, matrix)
        elif kind == pdfium.FPDF_PAGEOBJ_SHADING:
            drawing.shapes += 1
    return drawing


def _add_picture(drawing: Drawing, shape: Any, matrix: Matrix, size: tuple[float, float]) -> None:
    x0, y0, x1, y1 = _bounds(shape, matrix)
    width, height = max(0.0, min(x1 - x0, size[0])), max(0.0, min(y1 - y0, size[1]))
    share = width * height / max(size[0] * size[1], 1.0)
    drawing.pictures = min(1.0, drawing.pictures + share)
    if share >= WHOLE_PICTURE:  # what was drawn before is behind it
        drawing.text_hidden, drawing.text_seen = drawing.text_hidden + drawing.text_seen, 0
    across, down = c_uint(), c_uint()
    if not pdfium.FPDFImageObj_GetImagePixelSize(shape, across, down):
        return
    pixels = across.value * down.value
    drawing.pixels = max(drawing.pixels, pixels)
    if share >= _MAIN_PICTURE:
        drawing.dpi = max(drawing.dpi, 72 * (pixels / max((x1 - x0) * (y1 - y0), 1.0)) ** 0.5)


def _objects(page: Any) -> Iterator[tuple[int, Any, Matrix]]:
    """Objects of the page and of the forms in it, each with the matrix of the form it stands in."""
    left = OBJECTS_MAX
    waiting = [(page, _IDENTITY, 0)]
    while waiting and left > 0:
        holder, matrix, depth = waiting.pop()
        count, get = (
            (pdfium.FPDFFormObj_CountObjects, pdfium.FPDFFormObj_GetObject)
            if depth
            else (pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject)
        )
        for index in range(min(count(holder), left)):
            shape = get(holder, index)
            kind = pdfium.FPDFPageObj_GetType(shape)
            left -= 1
            if kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _DEPTH_MAX:
                waiting.append((shape, _multiply(_matrix(shape), matrix), depth + 1))
            elif kind in _KINDS:
                yield kind, shape, matrix


def _add_path(drawing: Drawing, shape: Any, matrix: Matrix) -> None:
    x0, y0, x1, y1 = _bounds(shape, matrix)
    if min(x1 - x0, y1 - y0) < _THIN:
        _add_rule(drawing, x0, y0, x1, y1)
        return
    count = pdfium.FPDFPath_CountSegments(shape)
    if count < 2 or drawing.segments + count > SEGMENTS_MAX:  # noqa: PLR2004
        return
    drawing.segments += count
    whole = _multiply(_matrix(shape), matrix)
    before = opened = (0.0, 0.0)
    for index in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(shape, index)
        point = _point(segment, whole)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            opened = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            _add_edge(drawing, before, point)
        before = point
        if pdfium.FPDFPathSegment_GetClose(segment):
            _add_edge(drawing, point, opened)
            before = opened


def _add_edge(drawing: Drawing, start: tuple[float, float], end: tuple[float, float]) -> None:
    _add_rule(drawing, min(start[0], end[0]), min(start[1], end[1]), max(start[0], end[0]), max(start[1], end[1]))


def _add_rule(drawing: Drawing, x0: float, y0: float, x1: float, y1: float) -> None:
    """A line along an axis, as its middle."""
    width, height = x1 - x0, y1 - y0
    if max(width, height) < _SHORT or min(width, height) >= _THIN or len(drawing.rules) >= RULES_MAX:
        return
    if width >= height:
        y0 = y1 = (y0 + y1) / 2
    else:
        x0 = x1 = (x0 + x1) / 2
    drawing.rules.append(RuledLine(x0, y0, x1, y1))


def _matrix(shape: Any) -> Matrix:
    matrix = pdfium.FS_MATRIX()
    if not pdfium.FPDFPageObj_GetMatrix(shape, matrix):
        return _IDENTITY
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _multiply(inner: Matrix, outer: Matrix) -> Matrix:
    a, b, c, d, e, f = inner
    p, q, r, s, t, u = outer
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _point(segment: Any, matrix: Matrix) -> tuple[float, float]:
    x, y = c_float(), c_float()
    pdfium.FPDFPathSegment_GetPoint(segment, x, y)
    a, b, c, d, e, f = matrix
    return a * x.value + c * y.value + e, b * x.value + d * y.value + f


def _bounds(shape: Any, matrix: Matrix) -> tuple[float, float, float, float]:
    """Left, bottom, right, top on the page."""
    left, bottom, right, top = c_float(), c_float(), c_float(), c_float()
    if not pdfium.FPDFPageObj_GetBounds(shape, left, bottom, right, top):
        return 0.0, 0.0, 0.0, 0.0
    if matrix == _IDENTITY:
        return left.value, bottom.value, right.value, top.value
    a, b, c, d, e, f = matrix
    corners = [(a * x + c * y + e, b * x + d * y + f) for x in (left.value, right.value) for y in (bottom.value, top.value)]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)
