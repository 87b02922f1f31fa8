"""Characters become spans of one line."""

from tests.support.pdf_reading import read
from tests.support.pdf_writer import Page, pdf


def test_a_thin_character_whose_text_is_given_stays_in_its_line() -> None:
    """As browsers print Chinese: pdfium measures what has an ActualText by its ink, 一 as a line less than a point high."""
    glyphs = [("A", "十"), ("B", "一"), ("C", "日"), ("A", "十"), ("B", "一")]
    parsed = read(pdf(Page().actual_text(50, 700, glyphs, size=15).actual_text(50, 681, glyphs[:3], size=15)))
    assert parsed.text == "十一日十一十一日"
