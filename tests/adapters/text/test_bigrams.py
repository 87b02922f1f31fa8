"""Pairs of neighbours as terms of BM25."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text.bigrams import document_bigrams, question_bigrams
from adapters.text.language import fold


def shared(one: str, other: str) -> int:
    return len(np.intersect1d(question_bigrams(fold(one)), document_bigrams(fold(other))[0]))


@pytest.mark.parametrize(
    ("question", "passage", "pairs"),
    [
        ("黄鹤楼", "武汉的黄鹤楼很高", 2),
        ("黃鶴樓", "武汉的黄鹤楼很高", 2),
        ("鹤黄", "黄鹤", 0),
        ("黄 鹤", "黄鹤", 0),
        ("What is a primary key?", "Primary keys are unique.", 1),
        ("source primary", "A primary source", 0),
        ("the of and", "the of and", 0),
        ("Kafka 分区的日志", "分区日志 kafka", 2),
        ("", "", 0),
        ("鹤", "鹤", 0),
    ],
)
def test_order_and_adjacency_count(question: str, passage: str, pairs: int):
    """Scripts and inflection do not, and function words stand between nothing."""
    assert shared(question, passage) == pairs


@given(st.text())
def test_any_text(text: str):
    """Ids ascend without repeats, weights are finite and bounded by saturation; a question has the pairs of the same passage."""
    ids, weights = document_bigrams(fold(text))
    assert (np.diff(ids.astype(np.int64)) > 0).all()
    assert len(ids) == len(weights)
    assert ((weights > 0) & (weights < 1.6)).all()
    assert (question_bigrams(fold(text)) == ids).all()


def test_repeating_a_pair_says_little_more():
    once, many = (document_bigrams("黄鹤" + "，黄鹤" * more)[1].max() for more in (0, 20))
    assert once < many < 1.6
