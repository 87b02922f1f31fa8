"""Which engine reads pictures, and what is common to all."""

import numpy as np
import pytest

from adapters.parsing.pdf.ocr import Picture, find_engine, level_lines
from adapters.parsing.pdf.text import TextSpan


def line(text: str, top: float, size: float) -> TextSpan:
    return TextSpan(text, 0, 100, top, top + size, top + size, size)


@pytest.mark.usefixtures("no_ocr")
def test_without_an_engine_there_is_none() -> None:
    assert [find_engine(choice, "eng") for choice in ("auto", "rapidocr", "tesseract", "off")] == ["", "", "", ""]


@pytest.mark.usefixtures("rapidocr")
def test_rapidocr_goes_first_and_is_only_taken_when_it_may() -> None:
    assert find_engine("auto", "eng") == "rapidocr"
    assert find_engine("off", "eng") == ""
    assert find_engine("tesseract", "eng") != "rapidocr"


def test_lines_of_about_one_size_get_it_and_a_heading_keeps_its_own() -> None:
    spans = [line("A heading of the page", 0, 20), *(line(f"line {n} of the text", 30 + 12 * n, 9.5 + n % 3 / 2) for n in range(8))]
    sizes = [span.size for span in level_lines(spans)]
    assert sizes[0] == 20
    assert len(set(sizes[1:])) == 1


def test_a_garbled_line_is_no_heading() -> None:
    garbled = line("t:;e ~ QX", 0, 20)
    spans = level_lines([garbled, *(line(f"line {n} of the text", 30 + 12 * n, 10) for n in range(8))], [garbled])
    assert spans[0].size == 10


def test_a_picture_turns_clockwise_and_is_a_file_for_others() -> None:
    picture = Picture(np.array([[1, 2, 3], [4, 5, 6]], np.uint8), 200)
    assert picture.turn(1).pixels.tolist() == [[4, 1], [5, 2], [6, 3]]
    assert picture.turn(0).pixels.tolist() == picture.pixels.tolist()
    assert picture.pgm == b"P5 3 2 255\n\x01\x02\x03\x04\x05\x06"
