"""BM25 terms and keywords."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.text.sparse import BIGRAM_WEIGHT, Bm25Encoder, SparseVector, pack, unpack

ENCODER = Bm25Encoder()


def shared(question: str, text: str) -> int:
    return len(set(ENCODER.encode_query(question).indices.tolist()) & set(ENCODER.encode_document(text).indices.tolist()))


def test_traditional_and_simplified_meet():
    """Both directions."""
    assert shared("數據庫連接", "数据库连接池") >= 3
    assert shared("数据库连接", "資料與數據庫連接") >= 3


def test_english_is_stemmed_without_stop_words():
    """Case, endings and function words do not matter."""
    assert shared("the running FOXES", "a fox runs") == 2
    assert len(ENCODER.encode_query("the of and").indices) == 0


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_encoded(text):
    """Lone surrogates, control characters, emoji: vectors, never an exception; term ids are unique."""
    for sparse in (ENCODER.encode_document(text), ENCODER.encode_query(text)):
        assert len(sparse.indices) == len(sparse.values) == len(set(sparse.indices.tolist()))
    assert len(ENCODER.keywords(text, 5)) <= 5
    assert ENCODER.encode_query("a\ud800b").indices is not None


@pytest.mark.parametrize(
    ("question", "keywords"),
    [
        ("数据库连接池的最大连接数是多少，如何修改？", ("数据库连接池", "最大连接数", "修改")),
        ("系統管理員如何重設密碼？", ("系統管理員", "重設密碼")),
        ("How do I configure CLAW_HOME in Kafka 4.1?", ("configure", "CLAW_HOME", "Kafka", "4.1")),
        ("Kafka 的分区数可以修改吗？", ("Kafka", "分区数", "修改")),
        ("什么?", ()),
        ("", ()),
    ],
)
def test_keywords_are_the_askers_own_content_words(question, keywords):
    """As written, in order, without question words."""
    assert ENCODER.keywords(question, 8) == keywords


def test_keywords_are_limited():
    """The first come first."""
    assert ENCODER.keywords("alpha beta gamma", 2) == ("alpha", "beta")


@given(st.lists(st.integers(0, 2**32 - 1), unique=True, max_size=20), st.lists(st.floats(-1, 1, width=32), max_size=20))
def test_vectors_travel_unchanged(indices, dense):
    """pack and unpack are inverse."""
    sparse = SparseVector(np.array(indices, np.uint32), np.ones(len(indices), np.float32))
    back, vector = unpack(pack(sparse, np.array(dense, np.float32)))
    assert back.indices.tolist() == indices
    assert back.values.tolist() == [1.0] * len(indices)
    assert vector.tolist() == np.array(dense, np.float32).tolist()


def test_a_phrase_outweighs_its_scattered_words():
    encoder = Bm25Encoder()

    def score(passage: str) -> float:
        question, document = encoder.encode_query("primary source"), encoder.encode_document(passage)
        _, at, there = np.intersect1d(question.indices, document.indices, return_indices=True)
        return float(question.values[at] @ document.values[there])

    assert score("A primary source is old.") > score("A source is old, if primary.")


def test_the_background_weighs_less_and_never_more_than_once():
    """A word of the question keeps its weight; one that only the background has gets the background's greatest."""
    encoder = Bm25Encoder()
    plain = encoder.encode_query("ferry harbour")
    coloured = encoder.encode_query("ferry harbour", (("harbour lighthouse", 0.4), ("lighthouse keeper", 0.2)))
    weights = dict(zip(coloured.indices.tolist(), coloured.values.tolist(), strict=True))
    assert all(weights[ident] == pytest.approx(value) for ident, value in zip(plain.indices.tolist(), plain.values.tolist(), strict=True))
    assert sorted(round(value, 3) for value in weights.values()) == [0.2, 0.4, BIGRAM_WEIGHT, 1.0, 1.0]
