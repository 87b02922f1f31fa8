"""Numbers that stand in no cited passage are told from those that do, however they are written."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.models.grounding.citations import CitationResolver
from adapters.models.grounding.numbers import NUMBERS_MAX, find_unsupported_numbers, note_on
from schemas.chats import Citation, UnsupportedNumber
from schemas.documents import TablePart
from tests.support.model_samples import passage

PASSAGES = (
    passage(1, "预算为1.2万元，其中差旅费三千五百元；2031年5月7日生效，共二十五条。", "差旅制度"),
    passage(2, "The library lends 12,500 books to twenty-five schools; three hundred more follow at 3.50 each.", "Library"),
)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as readers get it."""

    text: str
    citations: list[Citation]

    @classmethod
    def of(cls, text: str) -> "Said":
        resolver = CitationResolver(PASSAGES)
        spans = resolver.feed(text) + resolver.finish()
        return cls("".join(span.text for span in spans), [each for span in spans for each in span.citations])

    def unsupported(self, question: str = "") -> list[str]:
        found = find_unsupported_numbers(self.text, self.citations, PASSAGES, question)
        assert [self.text[each.start_index : each.end_index] for each in found] == [each.text for each in found]
        return [each.text for each in found]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "预算12000元[1]。",
            "预算12,000元[1]。",
            "预算１２０００元[1]。",
            "预算1.2万元[1]。",
            "差旅费3500元[1]。",
            "2031-05-07起生效[1]。",
        ),
        *("1. 共25条[1]。\n2. 生效[1]。", "It lends 12500 books [2] to 25 schools [2].", "300 more [2], at 3.5 each [2]."),
    ],
)
def test_what_the_cited_passages_say_is_not_marked(text: str) -> None:
    assert Said.of(text).unsupported() == []


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("预算13000元[1]，差旅费3500元[1]。", ["13000"]),
        ("It lends 12,501 books [2].", ["12,501"]),
        ("它借出12500本[1]。", ["12500"]),  # the other passage's number
        ("共26条，其中7条[1]。", ["26"]),
        ("It has 12,500 books and 42 rooms.", ["42"]),  # cites nothing: no passage has it
    ],
)
def test_what_they_do_not_say_is(text: str, marked: list[str]) -> None:
    assert Said.of(text).unsupported() == marked


def test_the_numbers_of_the_question_are_the_askers() -> None:
    said = Said.of("超过40人时预算1.2万元[1]。")
    assert (said.unsupported(), said.unsupported("40人的预算是多少？")) == (["40"], [])


def test_without_passages_there_is_nothing_to_compare_with() -> None:
    assert find_unsupported_numbers("42", (), (), "") == ()


def test_a_sentence_for_readers_names_them_once() -> None:
    numbers = [UnsupportedNumber(text="42", start_index=at, end_index=at + 2) for at in (0, 9)]
    assert note_on((), "多少？") == ""
    assert note_on(numbers, "有多少？") == "\n\n（请核对：所引原文中没有出现 42。）"
    assert note_on(numbers, "有多少個項目？") == "\n\n（請核對：所引原文中沒有出現 42。）"
    assert "42" in note_on(numbers, "How many are there?")


@given(st.text("0123456789,.一二三十百千万亿零 a[]()\n", max_size=200), st.text("0123456789,.万亿零二十 ", max_size=60))
def test_any_text_is_read_and_the_marks_are_bounded(said: str, known: str) -> None:
    found = find_unsupported_numbers(said, (), (passage(1, known),), "")
    assert len(found) <= NUMBERS_MAX
    assert all(said[each.start_index : each.end_index] == each.text for each in found)
    assert not find_unsupported_numbers(known, (), (passage(1, known),), "")


def test_a_number_computed_from_a_table_is_the_passages() -> None:
    """Also one in the name of a column; one that the model made up stays marked."""
    part = TablePart(number=1, start=0, end=5, total=2, columns=("城市", "2024年"))
    rows = replace(passage(1, "甲市\t40", "客流"), tables=(part,), computed="“2024年”合计：1,140（2 行相加）。")
    text = "2024年合计1140。实际为1150。"
    assert [each.text for each in find_unsupported_numbers(text, (), (rows,), "")] == ["1150"]
