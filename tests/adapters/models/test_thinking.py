"""Thinking in the text of an answer: however the stream was cut, none of it is given out, and nothing else is lost."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.models.thinking import ThinkingFilter, strip_thinking


def said(pieces: list[str]) -> str:
    thoughts = ThinkingFilter()
    return "".join(map(thoughts.feed, pieces)) + thoughts.finish()


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


PARTS = st.sampled_from(["<think>", "</think>", "<thinking>", "</thinking>", "<", "think>", "</", "`", "a", " ", "\n", "天"])


@given(st.lists(PARTS, max_size=20).map("".join), st.lists(st.integers(0, 60), max_size=10))
def test_any_cut_gives_the_same(text: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert said([text[a:b] for a, b in pairwise(places)]) == said([text])


@given(st.lists(PARTS, max_size=20).map("".join))
def test_little_is_ever_held(text: str) -> None:
    thoughts = ThinkingFilter()
    for character in text:
        thoughts.feed(character)
        assert len(thoughts._held) < len("</thinking>")


def test_a_whole_text_may_begin_inside_its_thinking() -> None:
    """Where the prompt's template opened it."""
    assert strip_thinking("Okay, the user asks …\n</think>\n\nDays of leave") == "Days of leave"
    assert strip_thinking("<think>hm</think>Days of leave") == "Days of leave"
    assert strip_thinking("Days of leave") == "Days of leave"


def test_it_takes_time_in_proportion() -> None:
    hostile = "<think>" * 150_000 + "<thin" * 150_000
    began = time.process_time()
    assert said([hostile, hostile]) == ""
    assert said(["`" + "<think>`" * 100_000])
    assert said(["<think></think>a" * 100_000]) == "a" * 100_000
    assert time.process_time() - began < 5
