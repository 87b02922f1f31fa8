"""Follow-ups by rules: which they are, what they carry, what they leave alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.models.dialogue.follow_ups import (
    ANSWER_WEIGHT,
    CARRIED_PHRASES_MAX,
    QUESTION_WEIGHT,
    TURN_CHARS_MAX,
    condense_by_rules,
    read_question,
    search_background,
)
from adapters.models.prompts import not_found_answer
from adapters.text.language import fold
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
    assert read_question(question, TOWER).kind != "whole"


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
    assert read_question(question, TOWER).kind == "whole"
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


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("那班车呢？", "班车"),
        ("班车呢", "班车"),
        ("不对，我问的是班车。", "班车"),
        ("不是食堂，我是说班车", "班车"),
        ("What about the shuttle bus?", "the shuttle bus"),
        ("And the shuttle bus?", "the shuttle bus"),
        ("Sorry, I meant the shuttle bus.", "the shuttle bus"),
        ("No, I was asking about the shuttle bus.", "the shuttle bus"),
    ],
)
def test_another_subject_replaces_the_one_before(question: str, subject: str) -> None:
    """It alone is searched for and has to be supported; what was asked is carried to choose among what is found."""
    reading = read_question(question, (*KAFKA, *TOWER, Turn("user", "食堂几点开门？"), Turn("assistant", "七点 [1]。")))
    assert (reading.kind, reading.subject, reading.claims) == ("instead", subject, (subject,))
    assert "食堂" not in reading.query or "食堂" in question
    assert any("开门" in phrase for phrase in reading.carried)


def test_a_circumstance_is_no_other_subject() -> None:
    history = (Turn("user", "How late is the Marlow Library open?"), Turn("assistant", "Until nine [1]."))
    assert "Marlow" in read_question("And on weekends?", history).query
    assert "Marlow" not in read_question("And the Brent Museum?", history).query


def test_what_was_asked_is_that_of_the_last_question_which_asked_something() -> None:
    history = (*TOWER, Turn("user", "那鹳雀楼呢？"), Turn("assistant", "在永济 [1]。"))
    assert "城市" in read_question("滕王阁呢？", history).carried


@pytest.mark.parametrize(
    ("question", "own"),
    [
        ("不对，我是问鹳雀楼有几层。", "鹳雀楼有几层。"),
        ("I mean, how many storeys does the Marlow Tower have?", "how many storeys does the Marlow Tower have?"),
    ],
)
def test_a_correction_that_is_a_question_stands_by_itself(question: str, own: str) -> None:
    reading = read_question(question, TOWER)
    assert (reading.kind, reading.question, reading.carried) == ("whole", own, ())


@pytest.mark.parametrize(
    "question", ["班车呢，几点发车？", "那班车几点发车？", "And Marlow Tower, when was that built?", "And when is lunch served today?"]
)
def test_a_question_with_a_subject_of_its_own_stands_by_itself(question: str) -> None:
    assert read_question(question, TOWER).kind == "whole"


@pytest.mark.parametrize("refusal", [not_found_answer("滕王阁呢？"), not_found_answer("滕王閣呢？"), f"抱歉，{not_found_answer('？')}"])
def test_a_pronoun_is_the_subject_of_the_last_answered_question(refusal: str) -> None:
    history = (*TOWER, Turn("user", "滕王阁呢？"), Turn("assistant", refusal))
    for question in ("它有几层？", "那里可以吃饭吗？", "谁负责？"):
        query = read_question(question, history).query
        assert "黄鹤楼" in query
        assert "滕王阁" not in query


def test_a_pronoun_is_the_subject_that_replaced_another() -> None:
    history = (*TOWER, Turn("user", "滕王阁呢？"), Turn("assistant", "在南昌 [1]。"))
    assert read_question("它有几层？", history).carried == ("滕王阁",)


def test_a_short_question_that_stands_by_itself_knows_what_was_spoken_of() -> None:
    assert "Marlow" in read_question("How long is the warranty?", (Turn("user", "What about the Marlow kettle?"),)).topic
    assert read_question("Which kettle has no warranty?", (Turn("user", "What about the Marlow kettle?"),)).topic == ()


def test_names_are_carried_whole() -> None:
    """上 and 年 stand by themselves elsewhere."""
    assert read_question("谁负责？", (Turn("user", "上海图书馆的年票在哪里买？"),)).carried[:2] == ("上海图书馆", "年票")


def test_without_history_nothing_changes() -> None:
    assert condense_by_rules("它有多高？", ()) == "它有多高？"
    assert search_background(()) == ()


def test_the_background_weighs_less_than_the_question() -> None:
    """The last questions, then the last answer without its markers."""
    assert search_background(TOWER) == (("黄鹤楼在哪个城市？", QUESTION_WEIGHT), ("黄鹤楼位于武汉。", ANSWER_WEIGHT))
    assert ANSWER_WEIGHT < QUESTION_WEIGHT < 1


@given(st.text(max_size=40), st.lists(st.text(max_size=2_000), max_size=6))
def test_any_text_is_condensed_within_bounds(question: str, said: list[str]) -> None:
    """The question is last; what is carried is bounded."""
    history = tuple(Turn("user", text) for text in said)
    reading = read_question(question, history)
    assert question.endswith(reading.question) or fold(question).endswith(reading.question)
    assert reading.query.endswith(reading.question)
    assert len(reading.query) - len(reading.question) <= CARRIED_PHRASES_MAX * (TURN_CHARS_MAX * 18 + 1)


def test_what_is_done_is_the_subject_where_a_question_begins_with_it() -> None:
    """And is done with what was spoken of elsewhere in the question."""
    assert condense_by_rules("退款几天到账？", TOWER) == "退款几天到账？"
    assert read_question("怎么退款？", TOWER).kind == "refers"
