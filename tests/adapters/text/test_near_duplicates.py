"""Which texts say the same."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.text.near_duplicates import is_near_duplicate, sketch
from tests.support.passage_texts import COPIED, ROWS


def test_a_part_is_no_copy():
    """A short passage inside a long one says less, and may be what was asked for."""
    assert not is_near_duplicate(sketch(COPIED), sketch(COPIED + ROWS))
    assert is_near_duplicate(sketch(""), sketch("")) is is_near_duplicate(sketch("x"), sketch("x")) is True
    assert not is_near_duplicate(sketch("是的"), sketch("不是"))


@given(st.text(max_size=300))
def test_a_text_is_alike_itself(text: str):
    assert is_near_duplicate(sketch(text), sketch(text))
    assert is_near_duplicate(sketch(text), sketch(text.upper().lower()) if text.isascii() else sketch(text))
