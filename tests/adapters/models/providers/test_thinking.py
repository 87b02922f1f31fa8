"""Thinking in the text of an answer: however the stream was cut, none of it is given out, and nothing else is lost."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.models.providers.thinking import ThinkingFilter, split_thinking


def said(pieces: list[str], *, opened: bool = False, reason: str = "") -> str:
    thoughts = ThinkingFilter(opened=opened)
    return "".join(map(thoughts.feed, pieces)) + thoughts.finish(reason)


def thought(pieces: list[str], *, opened: bool = False) -> str:
    thoughts = ThinkingFilter(opened=opened)
    parts = []
    for piece in pieces:
        thoughts.feed(piece)
        parts.append(thoughts.take_thinking())
    return "".join(parts)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>\nhm [1]\n</think>\n\n25 days [1].", "25 days [1]."),
        ("\n <think>hm</think>25 days.", "25 days."),
        ("<Think>hm</THINK> 25 days.", "25 days."),
        ("<thinking>hm</think></thinking>25 days.", "25 days."),
        ("<thought>hm</thought>25 days.", "25 days."),
        ("<think></think>25 days.", "25 days."),
        ("<think>a</think>\n<think>b</think>\n25 days.", "25 days."),
        ("25 days.\n<think>b</think>\nFor everybody.", "25 days.\nFor everybody."),
        ("<think>hm, and then the tokens were used up", ""),
        ("<think>hm</thi", ""),
        ("<think>hm</think>\n\n", ""),
        (" \n\t", ""),
        ("", ""),
        ("25 < 30 and <b>bold</b> <thin", "25 < 30 and <b>bold</b> <thin"),
        ("Models write `<think>` before they answer.", "Models write `<think>` before they answer."),
        ("<<think>a</think>b", "<b"),
    ],
)
def test_what_is_the_answer(text: str, answer: str) -> None:
    """In one piece and character by character."""
    assert said([text]) == answer
    assert said(list(text)) == answer


@pytest.mark.parametrize(
    ("text", "thinking"),
    [
        ("<think>\nhm [1]\n</think>\n\n25 days [1].", "\nhm [1]\n"),
        ("<think>a</think>\n<thought>b</thought>\n25 days.", "ab"),
        ("<think>hm, and then the tokens", "hm, and then the tokens"),
        ("<think>if a < b then</thi", "if a < b then"),
        ("25 days.", ""),
        ("`<think>` is a tag", ""),
    ],
)
def test_what_is_the_thinking(text: str, thinking: str) -> None:
    assert thought([text]) == thought(list(text)) == thinking


@pytest.mark.parametrize(
    ("text", "reason", "answer", "thinking"),
    [
        ("Okay, they ask …\n</think>\n\n25 days.", "stop", "25 days.", "Okay, they ask …\n"),
        ("<think>\nhm\n</think>\n25 days.", "stop", "25 days.", "\nhm\n"),
        ("\n<think>hm</think>25 days.", "stop", "25 days.", "\nhm"),
        ("Okay, they ask …", "length", "", "Okay, they ask …"),
        ("25 days, without a thought.", "stop", "25 days, without a thought.", "25 days, without a thought."),
        ("hm <think> hm </think>25 days.", "stop", "25 days.", "hm <think> hm "),
        ("</think>25 days.", "stop", "25 days.", ""),
        ("", "stop", "", ""),
    ],
)
def test_a_template_may_have_opened_it(text: str, reason: str, answer: str, thinking: str) -> None:
    """Then everything up to the closing tag is thinking; a text that ends by itself without one was the answer."""
    for pieces in ([text], list(text)):
        assert said(pieces, opened=True, reason=reason) == answer
        assert thought(pieces, opened=True) == thinking


@pytest.mark.parametrize(
    ("text", "leaked"),
    [
        ("Okay, they ask …\n</think>\n\n25 days.", True),
        ("</think>\n\n25 days.", False),
        ("\n\n</think>\n\n25 days.", False),
        ("The tag </think> ends the thinking.", False),
        ("The tag `</think>` ends it.", False),
        ("<think>hm</think>\n25 days\n</think>\n", False),
        ("25 days.", False),
    ],
)
def test_a_closing_tag_on_a_line_of_its_own_tells_that_one_was_open(text: str, leaked: bool) -> None:
    for pieces in ([text], list(text)):
        thoughts = ThinkingFilter()
        given = "".join(map(thoughts.feed, pieces)) + thoughts.finish("stop")
        assert thoughts.leaked == leaked
        assert given.startswith("25 days") or not text.strip().startswith("</think>")


PARTS = st.sampled_from(["<think>", "</think>", "<thinking>", "</thinking>", "<", "think>", "</", "`", "a", " ", "\n", "天"])


@given(st.lists(PARTS, max_size=20).map("".join), st.lists(st.integers(0, 60), max_size=10))
def test_any_cut_gives_the_same(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(places)]
    assert said(pieces) == said([text])
    assert thought(pieces) == thought([text])
    for reason in ("stop", "length"):
        assert said(pieces, opened=True, reason=reason) == said([text], opened=True, reason=reason)
    assert thought(pieces, opened=True) == thought([text], opened=True)


@given(st.lists(PARTS, max_size=20).map("".join))
def test_what_is_not_thinking_is_the_answer(text: str) -> None:
    """Nothing is lost but tags, white space around thinking, and what a piece of a tag may have become."""
    answer, thinking = split_thinking(text)
    assert sum(map(text.count, "a天")) >= sum(map((answer + thinking).count, "a天"))
    assert said([text]).count("天") + thought([text]).count("天") == text.count("天")


@given(st.lists(PARTS, max_size=20).map("".join))
def test_little_is_ever_held(text: str) -> None:
    thoughts = ThinkingFilter()
    for character in text:
        thoughts.feed(character)
        assert len(thoughts._held) < len("</thinking>")


def test_a_whole_text_may_begin_inside_its_thinking() -> None:
    """Where the prompt's template opened it."""
    assert split_thinking("Okay, the user asks …\n</think>\n\nDays of leave")[0] == "Days of leave"
    assert split_thinking("<think>hm</think>Days of leave")[0] == "Days of leave"
    assert split_thinking("Days of leave")[0] == "Days of leave"


def test_it_takes_time_in_proportion() -> None:
    hostile = "<think>" * 150_000 + "<thin" * 150_000
    began = time.process_time()
    assert said([hostile, hostile]) == ""
    assert said(["`" + "<think>`" * 100_000])
    assert said(["<think></think>a" * 100_000]) == "a" * 100_000
    assert said(["<think> " * 100_000, "x<think>" * 100_000], opened=True) == ""
    assert said(["</think>" * 100_000, "\n</think>" * 100_000]) == ""
    assert time.process_time() - began < 5
