"""Where a quote stands: over lines, pages and columns, in English and Chinese; nowhere, when most of it is not there."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text.quotes import FOUND_SHARE_MIN, QuoteMatch, find_quote

ENGLISH = "The annual leave of an employee is twenty-five working days, and unused days lapse at the end of March."
CHINESE = "员工每年享有二十五个工作日的年假，未使用的天数在次年三月底失效。"


def highlighted(pieces: Sequence[str], match: QuoteMatch) -> list[str]:
    return [pieces[part.piece][part.start : part.end] for part in match.parts]


@pytest.mark.parametrize(
    ("pieces", "quote", "found"),
    [
        (["Before. The annual\n  leave is 25 days. After."], "The annual leave is 25 days.", ["The annual\n  leave is 25 days"]),
        (["An infor-\nmation desk"], "information desk", ["infor-\nmation desk"]),
        (["An infor\u00admation \ufb01le"], "information file", ["infor\u00admation \ufb01le"]),
        (
            ["页首\n员工每年享有二十五\n个工作日", "的年假。\n页脚"],
            "员工每年享有二十五个工作日的年假",
            ["员工每年享有二十五\n个工作日", "的年假"],
        ),
        (["价格：１２０ 元（ＵＳＤ）"], "120元(USD)", ["１２０ 元（ＵＳＤ"]),
        (["⼀个⼯作⽇"], "一个工作日", ["⼀个⼯作⽇"]),  # radicals, as fonts of PDF files give them
        (["STRASSE und CAFE\u0301"], "Straße und Café", ["STRASSE und CAFE\u0301"]),
        (["The party and the art of it"], "art", ["art"]),
        (["10120 and 120"], "120", ["120"]),
        (["國際貿易規則"], "国际贸易规则", []),  # traditional forms are other characters
        (["Nothing like it here at all."], ENGLISH, []),
        (["本页没有任何相关的内容。"], CHINESE, []),
        (["Anything."], "", []),
        ([], "anything", []),
        (["..."], "...", []),
    ],
)
def test_found(pieces: list[str], quote: str, found: list[str]):
    match = find_quote(pieces, quote)
    assert highlighted(pieces, match) == found
    assert (match.share == 1) is bool(found)


def test_most_of_it_is_enough_and_half_of_it_is_the_least():
    """A word that differs is left out; of a quote that goes on elsewhere nothing is shown."""
    match = find_quote(["The annual leave of a worker is twenty-five working days, and unused days lapse at the end of May."], ENGLISH)
    assert 0.8 < match.share < 1
    assert len(match.parts) == 2
    other = find_quote([ENGLISH[:30] + " was a subject that nobody wished to speak of again."], ENGLISH)
    assert 0 < other.share < FOUND_SHARE_MIN
    assert not other.parts


def test_columns_in_another_order_and_lines_between_pages():
    """What stands in between, and which part comes first, is the page's affair."""
    head, tail = ENGLISH[:60], ENGLISH[60:]
    pieces = [tail + " Of another column.", "Running header 12\n" + head]
    match = find_quote(pieces, ENGLISH)
    assert highlighted(pieces, match) == [tail.strip(" ."), head.rstrip(",")]
    assert match.share == 1


def test_the_place_of_its_passage_comes_first():
    """A short quote stands in many places."""
    text = (
        "The fee is 120 euros for guests. " * 3 + "For members of the society the fee is lower: The fee is 120 euros for guests of theirs."
    )
    match = find_quote(
        [text], "The fee is 120 euros", "For members of the society the fee is lower: The fee is 120 euros for guests of theirs."
    )
    assert match.parts[0].start == text.rindex("The fee")
    assert find_quote([text], "The fee is 120 euros").parts[0].start == 0


WORDS = st.sampled_from([*"年假工作日员共享有二十五个天数", "leave", "days", "annual", "the", "of", "ﬁle", "２５", "25", "o'clock"])


@given(st.lists(WORDS, min_size=1, max_size=30), st.lists(WORDS, max_size=60), st.lists(WORDS, max_size=60), st.data())
def test_what_stands_there_is_found(quote: list[str], before: list[str], after: list[str], data: st.DataObject):
    """Whatever white space and hyphens a page puts between words, and wherever it is cut."""
    gaps = st.sampled_from([" ", "\n", " \n ", "-\n", "，", "\u3000"])
    text = "".join(word + data.draw(gaps) for word in (*before, *quote, *after))
    cut = data.draw(st.integers(0, len(text)))
    pieces = [text[:cut], text[cut:]]
    match = find_quote(pieces, " ".join(quote))
    assert match.share == 1
    assert letters("".join(highlighted(pieces, match))) == letters("".join(quote))


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.replace("ﬁ", "fi").replace("２５", "25")))


@given(st.lists(st.text(max_size=80), max_size=5), st.text(max_size=60), st.text(max_size=60))
def test_parts_lie_in_the_text_and_apart(pieces: list[str], quote: str, context: str):
    match = find_quote(pieces, quote, context)
    assert 0 <= match.share <= 1
    assert bool(match.parts) is (match.share >= FOUND_SHARE_MIN)
    for part in match.parts:
        assert 0 <= part.start < part.end <= len(pieces[part.piece])
    for one, other in zip(match.parts, match.parts[1:], strict=False):
        assert one.piece < other.piece or one.end <= other.start or one[:2] != other[:2]


@pytest.mark.parametrize("quote", ["a" * 2_000, "ab" * 999 + "c", "abcd" * 500 + "x", "甲" * 1_999 + "乙"])
def test_the_time_is_linear_in_the_text(quote: str):
    """Also of texts that are made to be like the quote at every place."""

    def took_s(size: int) -> float:
        text = (quote[:1_500] + "z") * (size // 1_501)
        began = time.process_time()
        find_quote([text], quote, quote[:1_900] + "y")
        return time.process_time() - began

    took_s(15_000)
    assert took_s(120_000) < 12 * max(took_s(30_000), 0.01)
