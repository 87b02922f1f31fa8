"""How an answer says that the passages do not hold it, however its stream is cut and whatever it adds."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.models.dialogue.refusals import OWN_WORDS_CHARS_MAX, RefusalDetector, judge_outcome
from adapters.models.prompts import NOT_FOUND

ZH, EN = NOT_FOUND["zh"], NOT_FOUND["en"]
TEXTS = [
    ZH,
    f"抱歉，{ZH}",
    f"**{EN}**",
    f"{EN} [1] See there.",
    "知识库中没有图片。",
    "The knowledge base does it.",
    "高41.8米[1]。",
    "",
    "Sorry, no.",
]


def _detect(pieces: list[str]) -> tuple[str, bool]:
    detector = RefusalDetector()
    text = "".join([*map(detector.feed, pieces), detector.finish()])
    return text, detector.found


@pytest.mark.parametrize(
    "said",
    [
        ZH,
        EN,
        f" {ZH}",
        f"抱歉，{ZH}",
        f"I'm sorry, but {EN}",
        f"“{ZH}”",
        f"**{EN}** Ask somebody.",
        "知識庫中沒有找到能回答這個問題的內容。",
        EN.upper(),
        f"{ZH}\n\n不过 [1] 提到了别的。",
    ],
)
def test_the_fixed_sentence_is_recognised_at_the_beginning(said: str) -> None:
    assert _detect([said]) == (said, True)


@pytest.mark.parametrize("said", ["", "知识库中没有", "知识库中没有图片。", f"高41.8米。{ZH}", "The knowledge base contains it [1]."])
def test_other_text_is_not(said: str) -> None:
    assert _detect([said]) == (said, False)


@given(st.sampled_from(TEXTS), st.lists(st.integers(0, 80), max_size=8))
def test_the_result_does_not_depend_on_how_the_text_was_cut(text: str, cuts: list[int]) -> None:
    places = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert _detect(pieces) == _detect([text]) == (text, _detect([text])[1])


def test_text_is_held_back_no_longer_than_it_may_become_the_sentence() -> None:
    detector = RefusalDetector()
    assert detector.feed("高") == "高"
    detector = RefusalDetector()
    assert [detector.feed(each) for each in ("知识库", "中没有", "图片", "。")] == ["", "", "知识库中没有图片", "。"]


@pytest.mark.parametrize(
    "said",
    [
        "提供的资料中没有提到这个价格。",
        "根据现有文档，无法确定。",
        "The passages do not mention a price.",
        "There is no such thing: the documents don't say.",
        "The provided context contains no information about it.",
    ],
)
def test_other_words_for_it_count_when_nothing_is_cited(said: str) -> None:
    assert judge_outcome(said, cited=False, found=False) == "not_found"
    assert judge_outcome(said, cited=True, found=False) == "answered"
    assert judge_outcome(said + "高" * OWN_WORDS_CHARS_MAX, cited=False, found=False) == "unsourced"


def test_text_without_a_citation_is_unsourced() -> None:
    assert judge_outcome("It costs 3 euros.", cited=False, found=False) == "unsourced"
    assert judge_outcome("西芹 3.2 元 [1]", cited=True, found=False) == "answered"
