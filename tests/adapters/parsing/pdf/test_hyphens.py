"""A hyphen at the end of a line goes only on evidence."""

import pytest

from adapters.parsing.pdf.hyphens import Hyphenation
from adapters.parsing.pdf.lines import without_soft_hyphens
from tests.support.pdf_reading import read
from tests.support.pdf_writer import Page, pdf


@pytest.mark.parametrize(
    ("lines", "before", "after", "goes"),
    [
        (["the contract ends"], "this agree-", "ment ends", True),
        (["the contract ends"], "infor-", "mation on it", True),
        (["a long-term plan"], "a long-", "term plan", False),
        (["it grows"], "a long-", "term plan", False),
        (["an eco system"], "eco-", "friendly label", False),
        (["of the documents"], "of the docu-", "ments and", True),
        (["every catalogue of it"], "the cata-", "logue of", True),
        (["the state-of-the-art method"], "state-of-the-", "art method", False),
        (["a door and a knob"], "the door-", "knob turns", False),  # both are words: the document says nothing of the joined one
        (["it grows"], "the cata-", "falk of", False),  # in doubt it stays
    ],
)
def test_evidence(lines: list[str], before: str, after: str, *, goes: bool) -> None:
    assert Hyphenation.of(lines).is_break(before, after) is goes


def test_a_document_that_breaks_its_words_breaks_the_others_too() -> None:
    lines = ["the agree-", "ment of the commu-", "nity about infor-", "mation on the cata-", "falk ends here"]
    assert Hyphenation.of(lines).breaks_words
    assert Hyphenation.of(lines).is_break("cata-", "falk")
    assert not Hyphenation.of(["the agree-", "ment on a long-", "term plan"]).breaks_words


def test_a_broken_word_is_no_evidence_of_itself() -> None:
    """The last word of a line that ends in a hyphen is a piece, and pieces prove nothing."""
    assert Hyphenation.of(["the cata-", "falk of it"]).words == {"the"}


def test_a_hyphen_before_a_number_stays_and_joins_lines_that_are_not_full() -> None:
    page = Page().text(60, 720, "It is called NORD-").text(60, 707, "51 and stands in every one of the halls of the site.")
    page.text(60, 660, "A line that is as wide as the column is, all of it.").text(60, 647, "Ring up 0532-").text(60, 634, "6610 now.")
    said = read(pdf(page)).text
    assert "NORD-51 and" in said
    assert "0532-6610 now" in said


def test_a_soft_hyphen_at_the_end_of_a_line_that_stays_was_a_hyphen() -> None:
    assert without_soft_hyphens("NORD\xad\n51 co\xadop\xad") == "NORD-\n51 coop-"
