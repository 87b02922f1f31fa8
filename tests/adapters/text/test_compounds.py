"""A word with a hyphen is found in either spelling."""

import pytest

from adapters.text.compounds import add_joined_words
from adapters.text.sparse import Bm25Encoder


@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("a long-term plan", "longterm"),
        ("long\u2010term and long-term", "longterm"),
        ("state-of-the-art", "stateoftheart"),
        ("ppr-9087 and a-b", ""),
        ("no compound here", ""),
        ("", ""),
    ],
)
def test_joined_words_are_added_once(text: str, added: str) -> None:
    assert add_joined_words(text) == (f"{text} {added}" if added else text)


@pytest.mark.parametrize(
    ("written", "asked"), [("the agree-ment ends", "agreement"), ("a longterm plan", "long-term"), ("a long-term plan", "longterm")]
)
def test_either_spelling_meets_the_other(written: str, asked: str) -> None:
    encoder = Bm25Encoder()
    assert set(encoder.encode_query(asked).indices.tolist()) & set(encoder.encode_document(written).indices.tolist())


def test_a_compound_still_has_its_parts() -> None:
    encoder = Bm25Encoder()
    document = set(encoder.encode_document("a long-term plan").indices.tolist())
    assert set(encoder.encode_query("term").indices.tolist()) <= document
