"""Numbers in Chinese characters, as lists of Word and formats of Excel ([DBNum1], [DBNum2]) show them."""

import re

_DIGITS, _UNITS = "零一二三四五六七八九", ("", "十", "百", "千")
_FORMAL_DIGITS, _FORMAL_UNITS = "零壹贰叁肆伍陆柒捌玖", ("", "拾", "佰", "仟")  # on bills: hard to alter
_GROUPS = ("", "万", "亿", "万亿")
_MAX = 10 ** (4 * len(_GROUPS)) - 1
_NUMBER = re.compile(r"\d{1,16}")
_COUNT_DIGITS_MAX = 2  # of a month, a day or an hour; years are spelled digit by digit


def chinese_numeral(count: int, *, formal: bool = False) -> str:
    """A whole number from 0 with its units, 一千零五 or 壹仟零伍; one beyond 16 digits as it is."""
    if not 0 <= count <= _MAX:
        return str(count)
    digits, units = (_FORMAL_DIGITS, _FORMAL_UNITS) if formal else (_DIGITS, _UNITS)
    words, gap = "", False
    for at in reversed(range(len(_GROUPS))):
        group = count // 10 ** (4 * at) % 10_000
        for place in reversed(range(4)):
            digit = group // 10**place % 10
            if digit:
                words += (digits[0] if gap and words else "") + digits[digit] + units[place]
            gap = not digit
        words += _GROUPS[at] if group else ""
    return words or digits[0]


def spell_digits(text: str, *, formal: bool = False) -> str:
    """Every digit of a text as its character: 二〇二六."""
    digits = _FORMAL_DIGITS if formal else "〇" + _DIGITS[1:]
    return text.translate({ord("0") + value: digit for value, digit in enumerate(digits)})


def spell_numbers(text: str, *, formal: bool = False) -> str:
    """Every whole number of a text with its units; decimals digit by digit."""
    whole, point, decimals = text.partition(".")
    spelled = _NUMBER.sub(lambda found: chinese_numeral(int(found.group()), formal=formal), whole)
    return spelled + point + spell_digits(decimals, formal=formal)


def spell_date(text: str, *, formal: bool = False) -> str:
    """A date: years digit by digit, months, days and hours as numbers."""

    def spell(found: re.Match[str]) -> str:
        if len(found.group()) > _COUNT_DIGITS_MAX:
            return spell_digits(found.group(), formal=formal)
        said = chinese_numeral(int(found.group()), formal=formal)
        return said if formal else said.removeprefix("一") if said.startswith("一十") else said

    return _NUMBER.sub(spell, text)
