"""What a page draws and nobody can name is never left out without a word."""

import numpy as np
import pytest

from adapters.parsing.pdf.glyphs import find_nameless
from tests.support.pdf_reading import CHINESE, PROSE, page_with_hole, read, refusal, texts, wrapped
from tests.support.pdf_writer import Page, pdf


def drawn_one_by_one(page: Page, text: str, font: str, y: float = 700) -> Page:
    for index, char in enumerate(text):
        page.text(60 + 12 * index, y, char, 12, font)
    return page


def test_letters_that_are_drawn_alone_in_a_font_that_is_not_embedded_stay() -> None:
    """pdfium leaves out objects without width; on a machine without Chinese fonts such letters have none."""
    assert texts(read(pdf(drawn_one_by_one(Page(), CHINESE[:30], "C1")))) == [CHINESE[:30]]


def test_letters_without_outlines_stay() -> None:
    """The same on any machine, whichever fonts it has."""
    assert "".join(read(pdf(drawn_one_by_one(Page(), "vanishing", "E1"))).text.split()) == "vanishing"


@pytest.mark.usefixtures("no_ocr")
def test_a_page_of_nameless_glyphs_fails_by_name() -> None:
    assert refusal(pdf(drawn_one_by_one(Page(), "abcdefgh", "N1"))).code == "ocr_required"
    parsed = read(pdf(Page().lines(60, 780, wrapped(PROSE, 80)), Page().text(60, 700, "abcdefgh", 12, "N1")))
    assert [(note.code, note.detail) for note in parsed.notes] == [("pages_need_ocr", "pages 2")]


@pytest.mark.usefixtures("no_ocr")
def test_a_nameless_letter_in_a_text_is_a_hole_that_is_named() -> None:
    page = page_with_hole()
    parsed = read(pdf(page))
    assert "F\ufffd" in "".join(parsed.text.split())
    assert [note.code for note in parsed.notes] == ["glyphs_without_text"]
    assert "pages 1: 1 glyph" in parsed.notes[0].detail


def test_signs_of_formulas_are_no_letters() -> None:
    page = (
        Page()
        .lines(60, 780, wrapped(PROSE, 80))
        .text(60, 600, "The sum f", 10)
        .text(105, 600, "xy", 10, "M1")
        .text(126, 600, "hr grows.", 10)
    )
    assert read(pdf(page)).notes == ()


@pytest.mark.parametrize(
    ("text", "unmapped", "expected"),
    [
        ("an icon \ue001 alone", "", []),
        ("in a w\ue001rd", "", [6]),
        ("\ue001\ue002 two", "", [0, 1]),
        ("Rent \ue005\ue005\ue005\ue005 12", "", []),
        ("• bullet", "", []),
        ("un mapped", "m", [3]),
        ("all well", "", []),
        ("", "", []),
    ],
)
def test_which_glyphs_have_no_text(text: str, unmapped: str, expected: list[int]) -> None:
    codes = np.array([ord(char) for char in text], np.uint32)
    flags = np.array([char in unmapped for char in text], np.bool_)
    spaces = np.array([char == " " for char in text], np.bool_)
    assert np.flatnonzero(find_nameless(codes, flags, spaces, np.zeros(len(text), np.bool_))).tolist() == expected


def test_bullets_of_symbol_fonts_are_known() -> None:
    codes = np.array([0xF0B7, 0x41], np.uint32)
    none, known = np.zeros(2, np.bool_), np.array([True, False])
    assert not find_nameless(codes, none, none, known).any()
    assert find_nameless(codes, none, none, none).tolist() == [True, False]
