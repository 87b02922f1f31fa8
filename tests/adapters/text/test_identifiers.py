"""Identifiers: found in every spelling, named in a question, never taken for their neighbour."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.index.port import index_name
from adapters.text import identifiers
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


@pytest.mark.parametrize("asked", [*SPELLINGS, "QX 4410", "ＱＸ　４４１０"])
def test_a_question_names_it(asked: str) -> None:
    question = f"{asked}的原因是什么？"
    (name,) = named_identifiers(fold(question), question)
    assert all(holds_identifier(fold(f"见 {other}。"), name) for other in SPELLINGS)
    assert not any(holds_identifier(fold(other), name) for other in ("QX-44100", "QX-4401", "QX-14410"))
    if name != "4410":  # in small letters with a space only the number is the name
        assert not any(holds_identifier(fold(other), name) for other in ("AQX-4410", "ZW-4410", "4410"))


LINKS = ["", *"-\u00ad\u058a\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\ufe58\ufe63\uff0d_./"]
LETTERS = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=2, max_size=5).filter(lambda letters: letters.lower() not in identifiers._NO_NAME)
DIGITS = (
    st.integers(0, 99_999)
    .map(lambda number: f"{number:03}")
    .filter(lambda digits: not digits.startswith(("15", "16", "17", "18", "19", "20")))
)


def widen(text: str) -> str:
    return "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text)


@given(
    LETTERS, DIGITS, st.sampled_from(LINKS), st.sampled_from([*LINKS, " "]), st.sampled_from(["型", "号机", "的责任人", ""]), st.booleans()
)
def test_any_identifier_is_known_in_any_spelling(letters: str, digits: str, written: str, asked: str, behind: str, wide: bool) -> None:
    """Whatever dash, width or characters beside it; and never another number."""
    question = f"{letters}{asked}{digits}{behind}是什么？"
    question = widen(question) if wide else question
    names = named_identifiers(fold(question), question)
    assert len(names) == 1
    assert holds_identifier(fold(f"详见{letters}{written}{digits}型说明。"), names[0])
    assert not holds_identifier(fold(f"详见{letters}{written}{digits}1型、{letters}{written}9{digits}说明。"), names[0])


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("订单20310415到哪了？", ("20310415",)),
        ("9087号工单是谁处理的？", ("9087",)),
        ("Who owns ticket #9087?", ("9087",)),
        ("ABC-123型的价格", ("abc 123",)),
        ("PPR 9999的原因是什么？", ("ppr 9999",)),
        ("What caused PPR 9999?", ("ppr 9999",)),
        ("ppr 9087", ("9087",)),
    ],
)
def test_a_number_is_a_name_where_it_is_called_one(question: str, names: tuple[str, ...]) -> None:
    assert named_identifiers(fold(question), question) == names


@pytest.mark.parametrize(
    "question",
    [
        *(
            "2031年有多少人？",
            "Is 100mg enough?",
            "What happened in the 1990s?",
            "5G 和 MP3 是什么？",
            "post-1945 history",
            "Do we pay 500?",
        ),
        *("What changed in the UK 1998?", "the 100 best songs", "WHICH TEAM HAS WON 300 GAMES", "花费 rmb 500元吗", "Windows 2000的发布"),
    ],
)
def test_quantities_years_and_words_name_nothing(question: str) -> None:
    assert named_identifiers(fold(question), question) == ()


def test_keywords_are_split_between_scripts() -> None:
    assert ENCODER.keywords("QX-4410的责任人是谁", 8) == ("QX-4410", "责任人")
    assert ENCODER.keywords("ABC-123型多少钱", 8)[0] == "ABC-123"
    assert ENCODER.keywords("EQ-1078的责任人是谁", 8) == ("EQ-1078", "责任人")


def test_an_index_of_another_encoding_is_another_index() -> None:
    """The encoding is part of the index's name, so old and new terms never mix."""
    assert index_name("m").startswith(NAME)
    assert normalise("ＱＸ") == "qx"
