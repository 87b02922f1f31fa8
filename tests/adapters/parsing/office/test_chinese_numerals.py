"""Numbers in Chinese characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.parsing.office.chinese_numerals import chinese_numeral, spell_date, spell_digits, spell_numbers

VALUES = {character: value for value, character in enumerate("零一二三四五六七八九")}
UNITS = {"十": 10, "百": 100, "千": 1_000}


def read_numeral(words: str) -> int:
    total = group = digit = 0
    for character in words.replace("万亿", "兆"):
        if character in VALUES:
            digit = VALUES[character]
        elif character in UNITS:
            group, digit = group + digit * UNITS[character], 0
        else:
            total, group, digit = total + (group + digit) * {"万": 10**4, "亿": 10**8, "兆": 10**12}[character], 0, 0
    return total + group + digit


@given(st.integers(0, 10**16 - 1))
def test_a_numeral_says_its_number(count: int) -> None:
    said = chinese_numeral(count)
    assert read_numeral(said) == count
    assert "零零" not in said


@pytest.mark.parametrize(
    ("count", "plain", "formal"),
    [(0, "零", "零"), (10, "一十", "壹拾"), (1005, "一千零五", "壹仟零伍"), (100_010_000, "一亿零一万", "壹亿零壹万")],
)
def test_numerals(count: int, plain: str, formal: str) -> None:
    assert (chinese_numeral(count), chinese_numeral(count, formal=True)) == (plain, formal)


def test_texts() -> None:
    assert chinese_numeral(10**16) == "10000000000000000"
    assert spell_digits("2026-0") == "二〇二六-〇"
    assert spell_numbers("12.05元") == "一十二.〇五元"
    assert spell_date("2026年12月5日") == "二〇二六年十二月五日"
