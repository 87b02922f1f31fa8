"""Recognition by RapidOCR: PP-OCRv6, whose models its package carries, through onnxruntime, in this process and on one thread.

Lines are found on a small copy of the picture and read one by one from the large one: that is where its time and memory are bounded. What
their shapes and a few readings say decides which way the page is turned, without another model.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.parsing.core.blocks import has_words
from adapters.parsing.pdf.ocr import OcrFailed, OcrResult, Picture, level_lines
from adapters.parsing.pdf.text import TextSpan, tidy

NAME = "rapidocr"
DPI_MIN = 150.0  # lines are read at a height of 48 pixels, whatever they had
DETECTION_SIDE = 960  # pixels of the small copy's longer side: print of 8 points is seen up to A3
DETECTION_SIDE_MAX = 1_600  # of larger pages; takes 600 MB instead of 450
_SIDE_PT = 1_190  # of A3: a larger page has a larger copy
_TALL = 1.5  # times as high as wide: a line that runs downwards or upwards, which the engine turns to read it
_SAMPLE = 5  # lines, the longest, that say whether a page stands on its head
_SURE = 0.85  # confidence of lines that are upright
_GAIN = 0.1  # of confidence, which turning must bring
_LINE_SURE = 0.8  # confidence: below, a line is no heading
_LINE_MIN = 0.5  # below, it is no text
_LINE_SIZE = 0.8  # of the height of a line's box: its font's size, about


@dataclass(slots=True)
class _LineBox:
    """A line where it was found: its corners (from the upper left, clockwise) in pixels, and its pixels turned to be wide."""

    corners: NDArray[np.float64]
    crop: NDArray[np.uint8]
    text: str = ""
    score: float = -1.0  # not read yet

    @property
    def width(self) -> float:
        return float(np.ptp(self.corners[:, 0]))

    @property
    def height(self) -> float:
        return float(np.ptp(self.corners[:, 1]))

    @property
    def is_tall(self) -> bool:
        return self.height >= _TALL * self.width

    @property
    def length(self) -> float:
        return max(self.width, self.height)


class RapidOcr:
    """Recognises pages in simplified and traditional Chinese, English and Japanese without being told which."""

    name = NAME
    dpi_min = DPI_MIN

    def read(self, picture: Picture, seconds: float) -> OcrResult:
        """Part of ocr.Recogniser. A page on its side or on its head is read as if it were upright."""
        until = time.monotonic() + seconds
        try:
            engine = load_engine()
            _choose_side(engine, picture)
            boxes = _find_lines(engine, picture)
            upright = sum(box.length for box in boxes if not box.is_tall)
            downward = sum(box.length for box in boxes if box.is_tall) > upright
            main = [box for box in boxes if box.is_tall == downward]
            if turned := _is_turned(engine, main):
                for box in main:
                    box.crop = np.ascontiguousarray(np.rot90(box.crop, 2))
            complete = _read_lines(engine, boxes, until)
        except Exception as error:  # the engine wraps whatever its libraries raise
            if type(error).__module__.partition(".")[0] in ("rapidocr", "onnxruntime", "cv2"):
                raise OcrFailed(str(error)) from error
            raise
        height, width = picture.pixels.shape
        return _result(boxes, downward=downward, turned=turned, size=(width, height), scale=72 / picture.dpi, complete=complete)


@lru_cache(maxsize=1)
def load_engine() -> Any:
    """The engine with its two models, 200 MB; kept, because loading it takes as long as half a page."""
    import cv2  # noqa: PLC0415  belongs to an extra
    from rapidocr import RapidOCR  # noqa: PLC0415  likewise

    cv2.setNumThreads(1)
    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "Det.limit_type": "max",
            "Det.limit_side_len": DETECTION_SIDE,
            "Rec.rec_batch_num": 1,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _choose_side(engine: Any, picture: Picture) -> None:
    longer_pt = max(picture.pixels.shape) * 72 / picture.dpi
    side = round(min(max(DETECTION_SIDE, DETECTION_SIDE * longer_pt / _SIDE_PT), DETECTION_SIDE_MAX))
    engine.cfg.Det.limit_side_len = side
    if engine.text_det is not None:  # it is loaded with the first picture
        engine.text_det.limit_side_len = side


def _find_lines(engine: Any, picture: Picture) -> list[_LineBox]:
    """Lines of a picture, from the top."""
    from rapidocr.main import RapidOCRError  # noqa: PLC0415  as above

    image = np.repeat(picture.pixels[:, :, None], 3, axis=2)
    added: dict[str, Any] = {}  # rows of a very wide picture, by which it is made higher
    try:
        crops, found = engine.detect_and_crop(image, added)
    except RapidOCRError:  # there are none
        return []
    moved = np.array([added["padding_1"]["left"], added["padding_1"]["top"]], np.float64)
    return [_LineBox(np.asarray(corners, np.float64) - moved, crop) for corners, crop in zip(found.boxes, crops, strict=True)]


def _is_turned(engine: Any, boxes: Sequence[_LineBox]) -> bool:
    """Whether lines of one direction stand on their heads: then they are read better the other way."""
    sample = sorted(boxes, key=lambda box: -box.length)[:_SAMPLE]
    if not sample or (score := _read_sample(engine, sample)) >= _SURE:
        return False
    other = [_LineBox(box.corners, np.ascontiguousarray(np.rot90(box.crop, 2))) for box in sample]
    if _read_sample(engine, other) < score + _GAIN:
        return False
    for box, better in zip(sample, other, strict=True):
        box.text, box.score = better.text, better.score
    return True


def _read_sample(engine: Any, boxes: Sequence[_LineBox]) -> float:
    """Their confidence, weighted by length."""
    for box in boxes:
        _read_line(engine, box)
    return sum(box.score * box.length for box in boxes) / sum(box.length for box in boxes)


def _read_lines(engine: Any, boxes: Sequence[_LineBox], until: float) -> bool:
    """Read the lines that were not read yet, one by one; whether there was time for all of them."""
    for box in boxes:
        if box.score < 0:
            if time.monotonic() > until:
                return False
            _read_line(engine, box)
    return True


def _read_line(engine: Any, box: _LineBox) -> None:
    if min(box.crop.shape[:2]) < 1:
        box.score = 0.0
        return
    read = engine.recognize_txt([box.crop])
    box.text, box.score = tidy(read.txts[0]).strip(), float(read.scores[0])


def _result(boxes: Sequence[_LineBox], *, downward: bool, turned: bool, size: tuple[int, int], scale: float, complete: bool) -> OcrResult:
    """The lines as spans of the upright page."""
    spans: list[TextSpan] = []
    aside: list[TextSpan] = []
    unsure: list[TextSpan] = []
    weight = chars = 0.0
    for order, box in enumerate(boxes):
        if box.score < _LINE_MIN or not box.text or (box.score < _LINE_SURE and not has_words(box.text)):
            continue
        weight += box.score * len(box.text)
        chars += len(box.text)
        x0, top, x1, bottom = (scale * edge for edge in _upright_edges(box.corners, size, downward=downward, turned=turned))
        span = TextSpan(box.text, x0, x1, top, bottom, bottom, (bottom - top) * _LINE_SIZE, order=order, last=order)
        if box.is_tall != downward:
            span.size = 0.0  # no line of the page
            aside.append(span)
            continue
        spans.append(span)
        if box.score < _LINE_SURE:
            unsure.append(span)
    return OcrResult(tuple(level_lines(spans, unsure)), 100 * weight / chars if chars else 0.0, tuple(aside), complete)


def _upright_edges(
    corners: NDArray[np.float64], size: tuple[int, int], *, downward: bool, turned: bool
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom after the turn that makes the page upright. ``size`` is its width and height as it lies."""
    x, y = corners[:, 0], corners[:, 1]
    width, height = size
    if downward:
        x, y = (height - y, x) if turned else (y, width - x)
    elif turned:
        x, y = width - x, height - y
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())
