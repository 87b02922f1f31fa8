"""Numbers in words."""

import pytest

from adapters.text.numerals import read_english, read_numeral


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("三百二十", 320),
        ("两万", 20_000),
        ("十五", 15),
        ("一万五", 15_000),
        ("三百五", 350),
        ("两千零五", 2_005),
        ("一亿零五", 100_000_005),
        ("十分", None),
    ],
)
def test_chinese_numerals(text: str, value: int | None) -> None:
    assert (read_numeral(text) if set(text) <= set("零一二三四五六七八九十百千万亿两") else None) == value


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("three hundred", 300),
        ("two thousand five hundred", 2_500),
        ("one hundred and twenty-five", 125),
        ("a million", 1_000_000),
        ("twelve", 12),
        ("hundred", None),
        ("thousand million", None),
    ],
)
def test_english_numerals(words: str, value: int | None) -> None:
    assert read_english(words) == value
