"""Numbers in words: 三百二十, 两万, "two thousand five hundred". Everything here reads folded text."""

import re

HAN = r"[零〇一二两三四五六七八九十百千万亿]{1,12}"
DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
POWERS = {"十": 10, "百": 100, "千": 1_000}
_BELOW = {"百": "十", "千": "百", "万": "千", "亿": "千万"}
_GROUPS = {"万": 10_000, "亿": 100_000_000}
BELOW_TWENTY = {
    name: value
    for value, name in enumerate(
        (
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen"
            " nineteen"
        ).split()
    )
}
_SMALL = BELOW_TWENTY | {"a": 1, "an": 1}
TENS = {name: 10 * value for value, name in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_SCALES = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_WORD = "|".join((*_SMALL, *TENS, "hundred", *_SCALES))
ENGLISH = rf"(?:{_WORD})(?:(?: and |[ -])(?:{_WORD})){{0,9}}(?![a-z])"


def read_numeral(text: str) -> int | None:
    """A number in Chinese numerals; None for what is none, such as 十分 or 万一."""
    total = section = digit = 0
    seen_digit = False
    if len(text) > 2 and text[-1] in DIGITS and text[-2] in _BELOW and text[-3] in DIGITS:  # noqa: PLR2004 - 一万五 is 15,000
        text += _BELOW[text[-2]]
    for character in text:
        if character in DIGITS:
            digit, seen_digit = DIGITS[character], True
        elif character in POWERS:
            if not seen_digit and (character != "十" or section):
                return None
            section += (digit if seen_digit else 1) * POWERS[character]
            digit, seen_digit = 0, False
        else:
            if not (section or seen_digit):
                return None
            total = (total + section + digit) * _GROUPS[character]
            section, digit, seen_digit = 0, 0, False
    return total + section + digit


def read_english(words: str) -> int | None:
    """A number in English words; None for what is none, such as "and" or "hundred and"."""
    total = section = 0
    parts = re.split(r"[ -]", words)
    if not any(part in _SMALL or part in TENS for part in parts):
        return None
    for part in parts:
        if part in _SMALL:
            section += _SMALL[part]
        elif part in TENS:
            section += TENS[part]
        elif part == "hundred":
            section = (section or 1) * 100
        elif part in _SCALES:
            total, section = total + (section or 1) * _SCALES[part], 0
        elif part != "and":
            return None
    return total + section


ORDINALS = {name: value for value, name in enumerate("second third fourth fifth sixth seventh eighth ninth tenth".split(), 2)} | {
    "2nd": 2,
    "3rd": 3,
    **{f"{value}th": value for value in range(4, 21)},
}
