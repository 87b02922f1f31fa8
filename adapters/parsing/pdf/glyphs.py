"""Glyphs without text: what a page draws and pdfium cannot name.

Two ways in which a text loses letters without a sign. An object whose glyphs have no outlines here, because its font is not embedded, has
no width, and pdfium leaves objects without width out of the text: a Chinese letter drawn alone vanishes. And a glyph whose font maps it to
no character comes out as whatever its code happens to be.
"""

from collections.abc import Iterator
from ctypes import c_float
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

_WIDTH_MIN = 0.01  # points: pdfium takes an object below a hundredth of that for empty
_DEPTH_MAX = 4  # of forms inside each other
_STROKE_PT = 0.5  # of an object that gets a width
_ROW_MIN = 3  # glyphs that are the same: a row of dots or a line
_STRANGE = ((0x01, 0x08), (0x0E, 0x1F), (0x7F, 0x9F), (0xE000, 0xF8FF), (0xFFFD, 0xFFFD), (0xF0000, 0x10FFFF))


def widen_empty_objects(page: Any, objects_max: int) -> int:
    """Give text objects without width one, in memory, so that pdfium reads them; how many there were.

    An outlined text is as much wider as the line of its outline, whatever its glyphs are.
    """
    widened = 0
    for shape in text_objects(page, objects_max):
        left, bottom, right, top = c_float(), c_float(), c_float(), c_float()
        if pdfium.FPDFPageObj_GetBounds(shape, left, bottom, right, top) and right.value - left.value >= _WIDTH_MIN:
            continue
        pdfium.FPDFPageObj_SetStrokeWidth(shape, _STROKE_PT)
        pdfium.FPDFTextObj_SetTextRenderMode(shape, pdfium.FPDF_TEXTRENDERMODE_FILL_STROKE)
        pdfium.FPDFPageObj_Transform(shape, 1, 0, 0, 1, 0, 0)  # measures it again
        widened += 1
    return widened


def text_objects(holder: Any, objects_max: int) -> Iterator[Any]:
    """Text objects of a page and of the forms on it, at most so many objects looked at."""
    left = objects_max
    waiting = [(holder, 0)]
    while waiting and left > 0:
        holder, depth = waiting.pop()
        count = pdfium.FPDFFormObj_CountObjects(holder) if depth else pdfium.FPDFPage_CountObjects(holder)
        get = pdfium.FPDFFormObj_GetObject if depth else pdfium.FPDFPage_GetObject
        for index in range(min(count, left)):
            shape = get(holder, index)
            kind = pdfium.FPDFPageObj_GetType(shape)
            left -= 1
            if kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _DEPTH_MAX:
                waiting.append((shape, depth + 1))
            elif kind == pdfium.FPDF_PAGEOBJ_TEXT:
                yield shape


def find_nameless(
    codes: NDArray[np.uint32], unmapped: NDArray[np.bool_], spaces: NDArray[np.bool_], allowed: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which characters stand for glyphs without text. ``unmapped``: pdfium found no character; ``allowed``: bullets of symbol fonts.

    A nameless glyph that stands alone between spaces is an icon or a bullet, and a row of the same one a line, which say nothing; one in a
    word is a letter.
    """
    strange = unmapped | is_strange(codes)
    nameless = strange & ~spaces & ~allowed
    if not nameless.any():
        return nameless
    word = np.cumsum(spaces)
    count = int(word[-1]) + 1
    shown = np.bincount(word[~spaces], minlength=count)
    lowest, highest = np.full(count, np.iinfo(np.uint32).max, np.uint32), np.zeros(count, np.uint32)
    np.minimum.at(lowest, word[~spaces], codes[~spaces])
    np.maximum.at(highest, word[~spaces], codes[~spaces])
    is_letter = (shown > 1) & ~((lowest == highest) & (shown >= _ROW_MIN))
    letters: NDArray[np.bool_] = is_letter[word]
    return nameless & letters


def is_strange(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Characters that no text has: control, private use, replacement."""
    found = np.zeros(codes.shape, np.bool_)
    for low, high in _STRANGE:
        found |= (codes >= low) & (codes <= high)
    return found
