"""RapidOCR reads Chinese and English, whichever way a page lies, and stops when its time is over."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from adapters.parsing.pdf.ocr import OcrResult, Picture
from adapters.parsing.pdf.rapid import RapidOcr
from tests.support.pdf_reading import CHINESE, PROSE, scanned, wrapped
from tests.support.pdf_writer import Page

pytestmark = pytest.mark.usefixtures("rapidocr")

LINES = wrapped(PROSE, 60)


@pytest.fixture(scope="module")
def picture() -> Picture:
    page = Page().lines(60, 760, LINES, 12, leading=18)
    width, height, pixels = scanned(page)
    return Picture(np.frombuffer(pixels, np.uint8).reshape(height, width), 150)


@pytest.fixture(scope="module")
def upright(rapidocr: None, picture: Picture) -> OcrResult:
    """A page takes seconds."""
    return RapidOcr().read(picture, 60)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_page_reads_the_same_however_it_lies(picture: Picture, upright: OcrResult, quarters: int) -> None:
    result = RapidOcr().read(picture.turn(quarters), 60) if quarters else upright
    assert [span.text for span in sorted(result.spans, key=lambda span: span.base)] == LINES
    assert result.confidence > 90
    assert result.complete


def test_small_print_on_a_large_page_is_read() -> None:
    lines = wrapped(PROSE, 200)
    width, height, pixels = scanned(Page(width=1684, height=1190).lines(100, 1000, lines, 10, leading=14), 120)
    result = RapidOcr().read(Picture(np.frombuffer(pixels, np.uint8).reshape(height, width), 120), 60)
    read = "".join(span.text for span in sorted(result.spans, key=lambda span: (round(span.base), span.x0)))
    assert "".join(read.split()) == "".join("".join(lines).split())


def test_a_size_is_about_that_of_the_font(upright: OcrResult) -> None:
    assert all(9 < span.size < 15 for span in upright.spans)


def test_without_time_nothing_more_is_read(picture: Picture) -> None:
    result = RapidOcr().read(picture, 0)
    assert not result.complete
    assert len(result.spans) < len(LINES)


def test_an_empty_page_says_nothing() -> None:
    result = RapidOcr().read(Picture(np.full((400, 300), 255, np.uint8), 150), 60)
    assert (result.spans, result.confidence, result.complete) == ((), 0.0, True)


def test_columns_written_downwards_are_read_from_right_to_left() -> None:
    try:
        font = ImageFont.truetype("NotoSerifCJK-Bold.ttc", 40)
    except OSError:
        pytest.skip("no Chinese font on this machine")
    columns = [CHINESE[at : at + 14] for at in range(0, 42, 14)]
    page = Image.new("L", (600, 900), 255)
    for index, column in enumerate(columns):
        for row, char in enumerate(column):
            ImageDraw.Draw(page).text((500 - 80 * index, 60 + 46 * row), char, 0, font=font)
    result = RapidOcr().read(Picture(np.asarray(page, np.uint8), 200), 60)
    assert "".join(span.text for span in sorted(result.spans, key=lambda span: span.base)) == "".join(columns)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5_000), (5_000, 1), (40, 20_000)])
def test_pictures_of_any_shape_are_survived(shape: tuple[int, int]) -> None:
    assert RapidOcr().read(Picture(np.zeros(shape, np.uint8), 150), 60).text == ""
