"""Follow-ups by rules: which they are, what they carry, what they leave alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.models.follow_ups import (
    ANSWER_WEIGHT,
    CARRIED_PHRASES_MAX,
    QUESTION_WEIGHT,
    TURN_CHARS_MAX,
    condense_by_rules,
    is_follow_up,
    search_background,
)
from schemas.chats import Turn

TOWER = (Turn("user", "黄鹤楼在哪个城市？"), Turn("assistant", "黄鹤楼位于武汉 [1]。"))
KAFKA = (Turn("user", "What is a Kafka partition?"), Turn("assistant", "An ordered log [2]."))


@pytest.mark.parametrize(
    "question",
    [
        "它是什么时候建的？",
        "那现在的呢？",
        "为什么？",
        "其高度是多少？",
        "这座楼有几层？",
        "該樓何時落成？",
        "How many of them are there?",
        "And how is it replicated?",
        "What about its offset?",
        "Why?",
        "Who built that?",
    ],
)
def test_follow_ups(question: str) -> None:
    """Pronouns, openings that go on, and questions that hardly say anything, in both languages and scripts."""
    assert is_follow_up(question)


@pytest.mark.parametrize(
    "question",
    [
        "黄鹤楼始建于哪一年？",
        "员工每年应该有多少天带薪年假？",
        "因此受到处罚的其他承包商应当缴纳哪些赔偿款？",
        "How many vacation days do employees get?",
        "Which rules apply when Terraform manages the lifecycle of custom images with that status?",
    ],
)
def test_questions_that_stand_alone(question: str) -> None:
    assert not is_follow_up(question)
    assert condense_by_rules(question, TOWER) == question


@pytest.mark.parametrize(
    ("question", "history", "carried"),
    [("它是什么时候建的？", TOWER, "黄鹤楼"), ("And how is it replicated?", KAFKA, "Kafka"), ("為什麼？", TOWER, "黄鹤楼")],
)
def test_the_subject_is_carried_over(question: str, history: tuple[Turn, ...], carried: str) -> None:
    """In front of the question, which stays as it was asked."""
    made = condense_by_rules(question, history)
    assert carried in made
    assert made.endswith(question)


def test_a_chain_of_follow_ups_reaches_back_to_what_it_is_about() -> None:
    history = (*TOWER, Turn("user", "它有几层？"), Turn("assistant", "五层。"))
    assert "黄鹤楼" in condense_by_rules("那么它有多高呢？", history)


def test_thanks_are_no_subject() -> None:
    history = (*KAFKA, Turn("user", "Thank you!"), Turn("assistant", "You are welcome."))
    assert "Kafka" in condense_by_rules("How is it replicated?", history)


def test_traditional_characters_stay_as_they_were_written() -> None:
    assert "黃鶴樓" in condense_by_rules("它有多高？", (Turn("user", "黃鶴樓在哪個城市？"),))


def test_without_history_nothing_changes() -> None:
    assert condense_by_rules("它有多高？", ()) == "它有多高？"
    assert search_background(()) == ()


def test_the_background_weighs_less_than_the_question() -> None:
    """The last questions, then the last answer without its markers."""
    assert search_background(TOWER) == (("黄鹤楼在哪个城市？", QUESTION_WEIGHT), ("黄鹤楼位于武汉。", ANSWER_WEIGHT))
    assert ANSWER_WEIGHT < QUESTION_WEIGHT < 1


@given(st.text(max_size=40), st.lists(st.text(max_size=2_000), max_size=6))
def test_any_text_is_condensed_within_bounds(question: str, said: list[str]) -> None:
    """The question is always whole and last; what is carried is bounded."""
    history = tuple(Turn("user", text) for text in said)
    made = condense_by_rules(question, history)
    assert made.endswith(question)
    assert len(made) - len(question) <= CARRIED_PHRASES_MAX * (TURN_CHARS_MAX * 18 + 1)
