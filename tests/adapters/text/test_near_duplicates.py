"""Which texts say the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text.near_duplicates import is_near_duplicate, sketch
from tests.support.passage_texts import COPIED, ROWS


def test_a_part_is_no_copy():
    """A short passage inside a long one says less, and may be what was asked for."""
    assert not is_near_duplicate(sketch(COPIED), sketch(COPIED + ROWS))
    assert is_near_duplicate(sketch(""), sketch("")) is is_near_duplicate(sketch("x"), sketch("x")) is True
    assert not is_near_duplicate(sketch("是的"), sketch("不是"))


FORM = (
    "问题单{}记录了样机的异常。经过三轮复测，原因是内存条金手指氧化，处理办法是清洁后重新安装，"
    "并把同一批次的样机全部召回检查；处理结果已由质量部门确认，记录归档，不再跟踪，现场没有其他需要说明的情况。"
)


@pytest.mark.parametrize(
    ("one", "other"), [("PPR-9087", "PPR-9078"), ("第25批", "第26批"), ("第三批", "第四批"), ("3.5", "3.6"), ("QX4", "QY4"), ("A", "A 7")]
)
def test_texts_that_differ_in_a_number_or_an_identifier_are_no_copies(one: str, other: str):
    assert not is_near_duplicate(sketch(FORM.format(one)), sketch(FORM.format(other)))
    assert is_near_duplicate(sketch(FORM.format(one)), sketch(FORM.format(one) + "完。"))


@given(st.text(max_size=300))
def test_a_text_is_alike_itself(text: str):
    assert is_near_duplicate(sketch(text), sketch(text))
    assert is_near_duplicate(sketch(text), sketch(text.upper().lower()) if text.isascii() else sketch(text))
