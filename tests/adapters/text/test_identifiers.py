"""Identifiers: found in every spelling, named in a question, never taken for their neighbour."""

import numpy as np
import pytest

from adapters.index.port import index_name
from adapters.text.identifiers import holds_identifier, named_identifiers
from adapters.text.language import fold
from adapters.text.sparse import NAME, Bm25Encoder, normalise

ENCODER = Bm25Encoder()
SPELLINGS = ["QX-4410", "QX4410", "qx 4410", "ＱＸ－４４１０", "QX\u20114410", "QX–4410", "QX—4410", "QX_4410", "QX−4410", "QX/4410"]


def score(question: str, text: str) -> float:
    asked, said = ENCODER.encode_query(question), ENCODER.encode_document(text)
    _, at, there = np.intersect1d(asked.indices, said.indices, return_indices=True)
    return float(asked.values[at] @ said.values[there])


@pytest.mark.parametrize("asked", [*SPELLINGS, "4410"])
@pytest.mark.parametrize("written", ["QX-4410", "QX4410", "QX–4410型"])
def test_every_spelling_finds_every_spelling(asked: str, written: str) -> None:
    assert score(asked, f"{written} 已经修好。") > score(asked, "QX-4401 已经修好。")


@pytest.mark.parametrize(("asked", "written"), [("MP3", "MP-3"), ("B-2区", "B2区"), ("v2.3.1", "v2.3.1"), ("HTC-90-R2", "HTC90R2")])
def test_short_codes_and_versions_meet_joined(asked: str, written: str) -> None:
    assert score(asked, written) > 0


@pytest.mark.parametrize("asked", SPELLINGS[:2] + SPELLINGS[3:])
def test_a_question_names_it(asked: str) -> None:
    (name,) = named_identifiers(fold(f"{asked}的原因是什么？"))
    assert all(holds_identifier(fold(f"见 {other}。"), name) for other in SPELLINGS)
    assert not any(holds_identifier(fold(other), name) for other in ("QX-44100", "AQX-4410", "QX-4401", "4410"))


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("订单20310415到哪了？", ("20310415",)),
        ("9087号工单是谁处理的？", ("9087",)),
        ("Who owns ticket #9087?", ("9087",)),
        ("ABC-123型的价格", ("abc 123",)),
    ],
)
def test_a_number_is_a_name_where_it_is_called_one(question: str, names: tuple[str, ...]) -> None:
    assert named_identifiers(fold(question)) == names


@pytest.mark.parametrize(
    "question", ["2031年有多少人？", "Is 100mg enough?", "What happened in the 1990s?", "5G 和 MP3 是什么？", "post-1945 history"]
)
def test_quantities_years_and_words_name_nothing(question: str) -> None:
    assert named_identifiers(fold(question)) == ()


def test_keywords_are_split_between_scripts() -> None:
    assert ENCODER.keywords("QX-4410的责任人是谁", 8) == ("QX-4410", "责任人")
    assert ENCODER.keywords("ABC-123型多少钱", 8)[0] == "ABC-123"


def test_an_index_of_another_encoding_is_another_index() -> None:
    """The encoding is part of the index's name, so old and new terms never mix."""
    assert index_name("m").startswith(NAME)
    assert normalise("ＱＸ") == "qx"
