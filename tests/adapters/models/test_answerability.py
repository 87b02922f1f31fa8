"""The threshold behind "not in the knowledge base"."""

import pytest

from adapters.models.answerability import coverage, is_answerable
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
