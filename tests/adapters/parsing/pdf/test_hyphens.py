"""A hyphen at the end of a line goes only on evidence."""

import pytest

from adapters.parsing.pdf.hyphens import Hyphenation


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
