"""The threshold behind "not in the knowledge base"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.models.grounding.answerability import LEAD_HITS, WEIGHTS, coverage, find_meant, is_answerable, measure_lead, sentence_coverage
from tests.support.model_samples import PASSAGES, passage


@pytest.mark.parametrize(
    "question",
    ["黄鹤楼始建于哪一年？", "黃鶴樓位於哪個省？", "When was Kafka open sourced?", "资料库课程由谁主持？", "partition是有序的log吗？"],
)
def test_what_the_passages_say_is_found(question: str) -> None:
    assert is_answerable(question, PASSAGES)


@pytest.mark.parametrize("question", ["岳阳楼的设计师是谁？", "Who invented the telescope?", "今天股市收盘多少点？", "你好", "？"])
def test_what_they_do_not_say_is_not(question: str) -> None:
    assert not is_answerable(question, PASSAGES)


def test_no_passages_ground_nothing() -> None:
    assert not is_answerable("黄鹤楼", ())


def test_coverage_is_a_share() -> None:
    assert coverage("黄鹤楼", ["黄鹤楼"]) == 1.0
    assert 0 < coverage("黄鹤楼与滕王阁", ["黄鹤楼"]) < 1
    assert coverage("黄鹤楼", []) == 0.0


def test_titles_and_headings_count() -> None:
    """A chunk that says "it" is about what its title names."""
    assert is_answerable("When was the Yellow Crane Tower restored?", [passage(1, "It was restored in 1985.", "Yellow Crane Tower")])


def test_a_best_hit_that_stands_out_needs_fewer_words():
    question, passages = "黄鹤楼的旧址在明代是谁重修的？", [passage(1, "黄鹤楼在明代重建。")]
    assert 0.4 < coverage(question, [each.text for each in passages]) < 0.7
    assert is_answerable(question, passages, [9.0, *[3.0] * LEAD_HITS])
    assert not is_answerable(question, passages, [9.0, *[8.5] * LEAD_HITS])
    assert not is_answerable("股市收盘多少点？", passages, [9.0, *[0.1] * LEAD_HITS])


@pytest.mark.parametrize("question", ["请列出所有校区的校医院地址", "一共有几个校区？", "List all clinics of the campus"])
def test_a_question_for_everything_needs_no_passage_that_leads(question: str) -> None:
    """Each of them answers it as well as the others, and none has the words that ask for a list."""
    campuses = [passage(n, f"{name}校区的校医院地址是林荫路{n}号。") for n, name in enumerate("东西南北", 1)]
    clinics = [passage(n, f"The clinic of {name} campus is at {n} Elm Road.") for n, name in enumerate(("east", "west", "north"), 1)]
    assert is_answerable(question, clinics if question.isascii() else campuses, [9.0] * (1 + LEAD_HITS))
    assert not is_answerable("列出所有基金的收益率", campuses, [1.0] * (1 + LEAD_HITS))


def test_a_word_that_no_hit_has_is_unknown_here() -> None:
    question, passages, scores = "黄鹤楼的旧址在清代是谁重修的？", [passage(1, "黄鹤楼在清代重建。")], [9.0, *[5.5] * LEAD_HITS]
    elsewhere = ["黄鹤楼的旧址在武昌。", "谁重修了岳阳楼？"]
    assert is_answerable(question, passages, scores, [passages[0].text, *elsewhere])
    assert not is_answerable(question, passages, scores, [passages[0].text])


def test_words_of_one_sentence_say_more_than_those_of_a_passage() -> None:
    """Over a long passage the words of a question meet by chance."""
    question, scores = "Which bishop consecrated the ruined abbey?", [9.0, *[8.3] * LEAD_HITS]
    together = passage(1, "The bishop consecrated the abbey in May. Rain had delayed the guests. It was cold.")
    apart = passage(1, "The bishop fell ill. Rain had delayed the guests. The shrine was consecrated. An abbey stood nearby.")
    assert coverage(question, [together.text]) == coverage(question, [apart.text])
    assert sentence_coverage(question, [together]) > sentence_coverage(question, [apart])
    assert is_answerable(question, [together], scores)
    assert not is_answerable(question, [apart], scores)


def test_a_chinese_word_is_held_beside_others_that_stand_apart_in_the_text() -> None:
    assert coverage("病假工资", ["病假期间的工资按八成发放。"]) == 1.0
    assert coverage("病假工资", ["病假期间照常发放。"]) < 1.0


def test_common_words_say_less_than_names() -> None:
    assert coverage("When did the company build the tower?", ["The company is big."]) < coverage(
        "When did the company build the tower?", ["The tower is big."]
    )


@given(st.lists(st.floats(0, 50), max_size=20))
def test_a_lead_is_a_share_and_of_few_hits_says_little(scores: list[float]) -> None:
    lead = measure_lead(scores, "zh")
    assert 0 <= lead <= 1
    few = [score for score in scores if score > 0][:2]
    assert not few or abs(measure_lead(few, "zh") - WEIGHTS["zh"].lead_neutral) <= 1 / LEAD_HITS


PARKING = ("员工的汽车可停放在地下二层。", 0.5)
SHIFTS = ("Working hours are from nine to six.", 0.4)


@pytest.mark.parametrize(
    ("question", "found", "meant"),
    [
        ("Where can I park?", [PARKING], [0]),
        ("Where can I park?", [SHIFTS, PARKING], [0, 1]),  # no word of it anywhere
        ("Where can I park after working?", [SHIFTS, PARKING], [1]),  # in its own language words tell
        ("Where can I park?", [("员工的汽车可停放在地下二层。", 0.2)], []),
        ("Where can I park after working?", [("Working hours are from nine to six.", 0.65), PARKING], []),  # much nearer, and no answer
        ("开车上班把车放哪儿？", [PARKING], [0]),
        ("开车上班把车放哪儿？", [PARKING, ("上班时间为九点至六点。", 0.1)], []),
        ("What is QX-4410?", [PARKING], []),  # an identifier has no meaning
        ("Where can I park?", [], []),
    ],
)
def test_meaning_decides_only_where_words_cannot(question: str, found: list[tuple[str, float]], meant: list[int]) -> None:
    assert find_meant(question, found, least=0.26) == meant


def test_a_single_hit_has_no_lead() -> None:
    assert measure_lead([7.0], "en") == WEIGHTS["en"].lead_neutral
    assert measure_lead([], "en") == measure_lead([0.0, 0.0], "en") == 0.0
    assert measure_lead([10.0, *[5.0] * LEAD_HITS, 0.1], "en") == pytest.approx(0.5)


def test_an_identifier_is_held_however_its_digits_are_parted() -> None:
    text = "合同NT2025-0817-B的甲方是南岭电机，金额为57万元。"
    assert is_answerable("NT20250817B 金额是多少", (passage(1, text),))
    assert not is_answerable("NT20250817C 金额是多少", (passage(1, text),))
