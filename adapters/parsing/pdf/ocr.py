"""Recognition of pictures of pages: what goes into an engine and what comes out, and which engine there is.

Both engines return spans of a page in points, like those of a text layer, so that columns, tables and paragraphs of a scan are found the
same way.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from adapters.parsing.core.source import Bounds
from adapters.parsing.pdf.text import TextSpan

_SIZE_SLACK = 0.35  # boxes of lines differ by so much without meaning another size


class OcrFailed(Exception):
    """The engine could not read a picture."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Eight-bit grey pixels, ``[row][column]``; ``dpi`` of them are an inch of the page."""

    pixels: NDArray[np.uint8]
    dpi: float

    @property
    def pgm(self) -> bytes:
        """As a file that other programs read."""
        height, width = self.pixels.shape
        return b"P5 %d %d 255\n" % (width, height) + self.pixels.tobytes()

    def turn(self, quarters: int) -> "Picture":
        """The picture after so many quarter turns clockwise."""
        return Picture(np.ascontiguousarray(np.rot90(self.pixels, -quarters)), self.dpi)


@dataclass(frozen=True, slots=True)
class OcrResult:
    """Recognised spans in points, y down, upright; ``confidence`` in per cent, weighted by characters.

    ``aside`` are spans in another direction than the page. Not ``complete``: the time was over before the last line.
    """

    spans: tuple[TextSpan, ...]
    confidence: float
    aside: tuple[TextSpan, ...] = ()
    complete: bool = True

    @property
    def text(self) -> str:
        return "".join(span.text for span in (*self.spans, *self.aside))


class Recogniser(Protocol):
    """An engine, for the pages of one document. ``dpi_min``: it reads no picture well that has fewer pixels per inch of the page."""

    name: str
    dpi_min: float

    def read(self, picture: Picture, seconds: float) -> OcrResult:
        """Recognise one page in at most so much time, whichever way it is turned. Raises OcrFailed."""
        ...


def find_recogniser(bounds: Bounds) -> Recogniser | None:
    """The engine that the settings choose, when it is installed."""
    name = find_engine(bounds.ocr, bounds.ocr_languages)
    if name == "rapidocr":
        from adapters.parsing.pdf.rapid import RapidOcr  # noqa: PLC0415  loads 200 MB

        return RapidOcr()
    if name == "tesseract":
        from adapters.parsing.pdf.tesseract import find_tesseract  # noqa: PLC0415  few machines need it

        return find_tesseract(bounds.ocr_languages)
    return None


def find_engine(choice: str, languages: str) -> str:
    """``rapidocr`` or ``tesseract``, as the setting ``choice`` and the machine allow; empty when there is none."""
    if choice in ("auto", "rapidocr") and all(map(importlib.util.find_spec, ("rapidocr", "onnxruntime"))):
        return "rapidocr"
    if choice in ("auto", "tesseract"):
        from adapters.parsing.pdf.tesseract import find_tesseract  # noqa: PLC0415  as above

        return "tesseract" if find_tesseract(languages) else ""
    return ""


def level_lines(spans: list[TextSpan], unsure: Sequence[TextSpan] = ()) -> list[TextSpan]:
    """A line's box is as high as its letters happen to be: what is near the usual size has that, and stands on one base line.

    So do ``unsure`` lines, whatever their size: a garbled line is no heading.
    """
    if not spans:
        return spans
    usual = median(span.size for span in spans for _ in range(1 + len(span.text) // 10))
    doubtful = {id(span) for span in unsure}
    for span in spans:
        if abs(span.size - usual) <= _SIZE_SLACK * usual or id(span) in doubtful:
            span.size = usual
            span.base = span.middle[1] + usual / 2
    return spans
