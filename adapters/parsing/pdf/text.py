"""A page's text as spans: pdfium's characters collected into pieces of one line.

pdfium hands characters over in the order of the content stream, which says little about the order of reading. So every character's box
is asked for (a microsecond each), and all that follows is arithmetic on arrays. Coordinates are points, x to the right and y down, turned
so that the text is upright, whatever way the page or the text is turned.
"""

import ctypes
import math
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from adapters.parsing.pdf.drawing import RuledLine
from adapters.parsing.pdf.glyphs import find_nameless, is_strange

SPAN_GAP_EM = 1.0  # characters further apart than this stand in different spans: cells, columns
_CELL_GAP_EM = 0.15  # a rule between characters as close as this crosses a word
_SIZE_MIN = 0.1  # points: of type too small to see
_FAR = 1e6  # points: nothing is further away, whatever a page says
_OVERLAP = 0.4  # of the lower character's height, for two characters of one line
_FLAT = 0.5  # of the usual height of a box: what is lower was measured by its ink, not by its font
_FLAT_MAX = 5_000  # of such boxes on a page
_ASCENT_EM, _DESCENT_EM = 0.88, 0.12  # of an em box above and below the base line
_BOLD_WEIGHT = 600
_TURN_DEG = 12.0  # text turned further away from a right angle is a watermark: it has no lines to join
_FONT_NAME_BYTES = 128
_UNITS_MAX = 0x10FFFF

HYPHENS = "\ufffe\x02\xad"  # how pdfium marks a hyphen that ends a line; the soft hyphen says the same
_SPACES = np.array([ord(char) for char in map(chr, range(0x3001)) if char.isspace() or char in "\x00\ufeff\u200b"], np.uint32)
_BOLD_NAME = re.compile(rb"bold|cmbx|sfbx|black|heavy|simhei|-hei|heiti", re.IGNORECASE)
_SIGN_FONT = re.compile(  # of signs, not of letters: formulas, bullets, icons
    rb"CM(?:EX|SY|MI|BSY)|MSAM|MSBM|LASY|EUEX|RSFS|[tp]x(?:sy|ex)|wasy|marvo|stmary|math|symbol|dings?\b|dingbat|awesome|icon|emoji|glyphs",
    re.IGNORECASE,
)
_FONTS_ASKED_MAX = 5_000  # of glyphs without text: a page with more of them is none
_WHITE = re.compile(r"[\s\x00\u200b]+")
_WIDE = "\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\U00020000-\U0003ffff"
_WIDE_GAP = re.compile(f"(?<=[{_WIDE}]) (?=[{_WIDE}])")
_WIDE_CHAR = re.compile(f"[{_WIDE}]")
# Forms that fonts use and people do not type: ligatures, radicals in place of characters, bullets of symbol fonts.
_REPLACEMENTS: dict[int, str | None] = {
    code: unicodedata.normalize("NFKC", chr(code)) for code in (*range(0x2E80, 0x2FE0), *range(0xFB00, 0xFB07))
}
_REPLACEMENTS |= dict.fromkeys((0xF0B7, 0xF0A7, 0xF0A8, 0xF06C, 0xF06E, 0xF0D8, 0xF0FC, 0xF076, 0xF075), "•") | dict.fromkeys(
    map(ord, HYPHENS), "\xad"
)
_KNOWN_MARKS = np.array(list(_REPLACEMENTS), np.uint32)
_REPLACEMENTS |= dict.fromkeys(range(0x80, 0xA0))  # control characters: icons of fonts without names
_SPACE, _UNKNOWN = 0x20, 0xFFFD
_DOUBLES_MAX = 200  # prints of one text that are compared: more on a page are a pattern
_DOUBLE_EM = 0.25  # between two prints of one text, which make it bold


@dataclass(slots=True)
class TextSpan:
    """Characters next to each other on one line. ``order`` and ``last`` are places in the content stream; ``size`` is that of the font."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    base: float
    size: float
    bold: bool = False
    order: int = 0
    last: int = 0

    @property
    def middle(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.top + self.bottom) / 2


@dataclass(slots=True)
class PageText:
    """Upright ``spans`` of a page; ``turned`` are those that read another way, in groups; ``quarter`` says how the page was turned.

    ``nameless`` of its ``shown`` glyphs, white space aside, stand for no known character: they are U+FFFD in the text.
    """

    text: str = ""
    spans: list[TextSpan] = field(default_factory=list)
    turned: list[list[TextSpan]] = field(default_factory=list)
    quarter: int = 0
    shown: int = 0
    nameless: int = 0


def is_wide(char: str) -> bool:
    """Whether a character belongs to a script without spaces between words."""
    return _WIDE_CHAR.match(char) is not None


def tidy(text: str) -> str:
    """One line's text: single spaces, none between Chinese characters, and characters that people type."""
    return _WIDE_GAP.sub("", _WHITE.sub(" ", text.translate(_REPLACEMENTS)))


def read_spans(textpage: Any, count: int, rules: list[RuledLine]) -> PageText:
    """All ``count`` characters of a text page. ``rules`` are lines drawn on the page: a span never crosses an upright one."""
    if count <= 0:
        return PageText()
    glyphs = _Glyphs(textpage, count)
    everything = np.flatnonzero(glyphs.shown)
    if not everything.size:
        return PageText()
    quarters = glyphs.quarters(everything)
    votes = np.bincount(quarters, minlength=5)[:4]
    main = int(votes.argmax())
    spans = without_doubles(glyphs.spans(everything[quarters == main], main, rules))
    page = PageText(text=glyphs.text, quarter=main, spans=spans, shown=everything.size, nameless=glyphs.nameless)
    for quarter in (0, 1, 2, 3):
        if quarter != main and votes[quarter]:
            page.turned.append(glyphs.spans(everything[quarters == quarter], quarter, rules))
    page.turned.extend(glyphs.oblique_spans(everything, quarters))
    return page


def without_doubles(spans: list[TextSpan]) -> list[TextSpan]:
    """Each text once that is printed twice at nearly the same place, to look bold; it is bold then."""
    kept: list[TextSpan] = []
    places: dict[str, list[TextSpan]] = defaultdict(list)
    for span in spans:
        slack = _DOUBLE_EM * max(span.size, 1.0)
        same = places[span.text]
        double = next(
            (other for other in same[-_DOUBLES_MAX:] if abs(span.x0 - other.x0) < slack and abs(span.base - other.base) < slack), None
        )
        if double is None:
            kept.append(span)
            same.append(span)
        else:
            double.bold = True
    return kept


class _Glyphs:
    """Characters of one page: code points and boxes, and pdfium's answers about single ones."""

    def __init__(self, textpage: Any, count: int) -> None:
        self._page = textpage
        self.codes = _codes(textpage, count)
        self.nameless = self._mark_nameless(count)
        self.shown = ~np.isin(self.codes, _SPACES)
        self.text = self.codes.tobytes().decode("utf-32-le", "replace")
        boxes = (pdfium.FS_RECTF * count)()
        ask = pdfium.FPDFText_GetLooseCharBox
        for index in range(count):
            ask(textpage, index, boxes[index])
        self._boxes = np.frombuffer(boxes, dtype=np.float32).reshape(count, 4).astype(np.float64)  # left, top, right, bottom; y up
        self._boxes = np.clip(np.nan_to_num(self._boxes), -_FAR, _FAR)
        self._grow_flat_boxes()

    def _grow_flat_boxes(self) -> None:
        """Give low glyphs the box of their em. What has an ActualText, as browsers print Chinese, pdfium measures by its ink: the
        character 一 is a thin line then, which seems to stand alone in its row.
        """
        heights = np.abs(self._boxes[:, 1] - self._boxes[:, 3])
        inked = self.shown & (heights > 0)
        if not inked.any():
            return
        low = inked & (heights < _FLAT * np.median(heights[inked]))
        matrix, x, y = pdfium.FS_MATRIX(), ctypes.c_double(), ctypes.c_double()
        for index in np.flatnonzero(low)[:_FLAT_MAX].tolist():
            if not pdfium.FPDFText_GetMatrix(self._page, index, matrix) or matrix.b or matrix.c or matrix.d <= 0:
                continue  # turned text, whose lines run another way
            em = pdfium.FPDFText_GetFontSize(self._page, index) * matrix.d
            if heights[index] < _FLAT * em and pdfium.FPDFText_GetCharOrigin(self._page, index, x, y):
                left, _, right, _ = self._boxes[index]
                right = max(right, x.value + em) if is_wide(chr(self.codes[index])) else right
                grown = (min(left, x.value), y.value + _ASCENT_EM * em, right, y.value - _DESCENT_EM * em)
                self._boxes[index] = np.clip(np.nan_to_num(grown), -_FAR, _FAR)

    def _mark_nameless(self, count: int) -> int:
        """Glyphs without text become U+FFFD, icons that stand alone white space; how many of the first there were."""
        ask = pdfium.FPDFText_HasUnicodeMapError
        unmapped = np.fromiter((ask(self._page, index) == 1 for index in range(count)), np.bool_, count)
        spaces = np.isin(self.codes, _SPACES)
        marks = np.isin(self.codes, _KNOWN_MARKS)
        nameless = find_nameless(self.codes, unmapped, spaces, marks)
        for index in np.flatnonzero(nameless)[:_FONTS_ASKED_MAX]:
            nameless[index] = _SIGN_FONT.search(self._font_name(int(index))) is None
        self.codes[is_strange(self.codes) & ~marks] = _SPACE
        self.codes[nameless] = _UNKNOWN
        return int(nameless.sum())

    def quarters(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Quarter turns clockwise that make each character upright; 4 when it is askew."""
        x0, top, x1, bottom = self._upright_boxes(chosen, 0)
        starts = _span_starts(self.codes[chosen], x0, top, x1, bottom)
        lengths = np.diff(np.append(starts, chosen.size))
        turns = np.array([self._quarter(int(index)) for index in chosen[starts]], np.int64)
        quarters = np.repeat(turns, lengths)
        if starts.size * 10 > chosen.size * 6 and chosen.size >= 10 and (quarters == 0).all():  # noqa: PLR2004  mostly lone characters
            down, height = np.diff(top), (bottom - top)[:-1]
            if np.mean((down > 0.3 * height) & (np.abs(np.diff(x0)) < 0.5 * height)) > 0.5:  # noqa: PLR2004
                quarters[:] = 3  # Chinese written downwards, columns from right to left
        return quarters

    def spans(self, chosen: NDArray[np.int64], quarter: int, rules: list[RuledLine]) -> list[TextSpan]:
        """Spans of these characters in the order of the content stream."""
        x0, top, x1, bottom = self._upright_boxes(chosen, quarter)
        starts = _span_starts(self.codes[chosen], x0, top, x1, bottom, [rule.rotate(quarter) for rule in rules])
        spans = []
        ends = np.append(starts[1:], chosen.size)
        lefts, rights = np.minimum.reduceat(x0, starts), np.maximum.reduceat(x1, starts)
        tops, bottoms = np.minimum.reduceat(top, starts), np.maximum.reduceat(bottom, starts)
        columns = (lefts.tolist(), rights.tolist(), tops.tolist(), bottoms.tolist())
        for start, end, left, right, high, low in zip(chosen[starts].tolist(), chosen[ends - 1].tolist(), *columns, strict=True):
            if text := tidy(self.text[start : end + 1]).strip():
                spans.append(TextSpan(text, left, right, high, low, *self._face(start, end, quarter, low, low - high), start, end))
        return spans

    def oblique_spans(self, chosen: NDArray[np.int64], quarters: NDArray[np.int64]) -> list[list[TextSpan]]:
        """Text askew, such as a watermark: each run of it as one span."""
        runs = np.flatnonzero(quarters == 4)  # noqa: PLR2004
        found = []
        for run in np.split(runs, np.flatnonzero(np.diff(runs) > 1) + 1) if runs.size else []:
            start, end = int(chosen[run[0]]), int(chosen[run[-1]])
            x0, top, x1, bottom = self._upright_boxes(chosen[run], 0)
            place = float(x0.min()), float(x1.max()), float(top.min()), float(bottom.max())
            if text := tidy(self.text[start : end + 1]).strip():
                found.append([TextSpan(text, *place, place[3], 0.0, order=start, last=end)])
        return found

    def _upright_boxes(self, chosen: NDArray[np.int64], quarter: int) -> tuple[NDArray[np.float64], ...]:
        """Left, top, right, bottom; y down."""
        left, top, right, bottom = self._boxes[chosen].T
        left, right, low, high = np.minimum(left, right), np.maximum(left, right), np.minimum(bottom, top), np.maximum(bottom, top)
        return ((left, -high, right, -low), (low, left, high, right), (-right, low, -left, high), (-high, -right, -low, -left))[quarter]

    def _quarter(self, index: int) -> int:
        matrix = pdfium.FS_MATRIX()
        if not pdfium.FPDFText_GetMatrix(self._page, index, matrix):
            return 0
        degrees = math.degrees(math.atan2(matrix.b, matrix.a))
        nearest = round(degrees / 90)
        return nearest % 4 if abs(degrees - nearest * 90) <= _TURN_DEG else 4

    def _face(self, index: int, last: int, quarter: int, bottom: float, height: float) -> tuple[float, float, bool]:
        """Base line, font size and boldness of the span between these characters."""
        x, y, matrix = ctypes.c_double(), ctypes.c_double(), pdfium.FS_MATRIX()
        base, size = bottom, height
        if pdfium.FPDFText_GetCharOrigin(self._page, index, x, y):
            base = (-y.value, x.value, y.value, -x.value)[quarter]
        if pdfium.FPDFText_GetMatrix(self._page, index, matrix):
            size = pdfium.FPDFText_GetFontSize(self._page, index) * math.hypot(matrix.c, matrix.d)
            size = size if 0.4 * height < size < 2.5 * height else height
        return base, max(size, _SIZE_MIN), self._is_bold(index) and self._is_bold(last)

    def _is_bold(self, index: int) -> bool:
        if pdfium.FPDFText_GetFontWeight(self._page, index) >= _BOLD_WEIGHT:
            return True
        return _BOLD_NAME.search(self._font_name(index)) is not None

    def _font_name(self, index: int) -> bytes:
        name = ctypes.create_string_buffer(_FONT_NAME_BYTES)
        pdfium.FPDFText_GetFontInfo(self._page, index, name, _FONT_NAME_BYTES, None)
        return name.value


def _codes(textpage: Any, count: int) -> NDArray[np.uint32]:
    """Code points; pdfium's text is asked for as a whole when it has one unit for each character."""
    units = (ctypes.c_ushort * (count + 1))()
    if pdfium.FPDFText_GetText(textpage, 0, count, units) == count + 1:
        codes = np.frombuffer(bytes(units), np.uint16)[:count].astype(np.uint32)
    else:
        codes = np.fromiter((pdfium.FPDFText_GetUnicode(textpage, index) for index in range(count)), np.uint32, count)
    codes[((codes >= 0xD800) & (codes < 0xE000)) | (codes > _UNITS_MAX)] = 0xFFFD  # noqa: PLR2004
    return codes


def _span_starts(
    codes: NDArray[np.uint32],
    x0: NDArray[np.float64],
    top: NDArray[np.float64],
    x1: NDArray[np.float64],
    bottom: NDArray[np.float64],
    rules: list[RuledLine] | None = None,
) -> NDArray[np.int64]:
    """Where a span begins: on another line, after a wide gap, behind an upright rule."""
    height = np.maximum(bottom - top, 0.1)
    lower = np.minimum(height[1:], height[:-1])
    apart = np.minimum(bottom[1:], bottom[:-1]) - np.maximum(top[1:], top[:-1]) < _OVERLAP * lower
    gap = x0[1:] - x1[:-1]
    away = (gap > SPAN_GAP_EM * lower) | (x0[1:] < x0[:-1] - 0.3 * lower)
    leftward = (codes >= 0x0590) & (codes < 0x0900) | (codes >= 0xFB1D) & (codes < 0xFF00)  # noqa: PLR2004  Hebrew, Arabic
    if leftward.any():
        both = leftward[1:] & leftward[:-1]
        away = np.where(both, np.abs(x0[:-1] - x1[1:]) > SPAN_GAP_EM * lower, away)
    breaks = apart | away
    middle = (top + bottom)[1:] / 2
    apart_enough = gap > _CELL_GAP_EM * lower
    for rule in rules or ():
        if rule.is_upright and rule.length > 2 * lower.min(initial=1.0):
            breaks |= apart_enough & (x1[:-1] <= rule.x0 + 1.5) & (x0[1:] >= rule.x0 - 1.5) & (middle > rule.y0) & (middle < rule.y1)
    return np.append(0, np.flatnonzero(breaks) + 1)
