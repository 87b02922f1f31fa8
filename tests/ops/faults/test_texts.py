"""The documents and questions of a run."""

from hypothesis import given
from hypothesis import strategies as st

from ops.faults.texts import document_name, document_text, parse_token, place_name, question_text, tokens_in, version_token


@given(st.integers(0, 99), st.integers(0, 9_999), st.integers(1, 6))
def test_every_paragraph_shows_the_token_of_its_version(number, serial, paragraphs):
    token = version_token("north", number, serial)
    parts = document_text(number, token, paragraphs).split("\n\n")
    assert len(parts) == paragraphs
    assert all(tokens_in(part) == (token,) for part in parts)
    assert parse_token(token) == ("north", document_name(number))


def test_every_document_has_a_word_of_its_own():
    assert len({place_name(number) for number in range(1_000)}) == 1_000


def test_a_question_names_itself_to_the_provider():
    assert question_text(3, "q7", "token_ms=150").endswith("[[trace=q7&token_ms=150]]")
    assert place_name(3) in question_text(3, "q7")


def test_other_text_has_no_token():
    assert tokens_in("code-north-1 code-1-2-3 xcode-north-1-2") == ()
    assert parse_token("code-north-1-2 ") is None
