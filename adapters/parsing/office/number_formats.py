"""Number formats of sheets: a code such as ``"LOT-"0000;[Red](0)`` and a number become the text that the cell shows.

No library of PyPI does this for Excel's codes. A code is read once per style, a number costs a walk over the symbols of one section. What
depends on the reader's machine (built-in dates, ``[$-F800]``) is shown as ISO dates; colours, padding and alignment are not text.
"""

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from adapters.parsing.office.chinese_numerals import spell_date, spell_digits, spell_numbers
from adapters.parsing.office.serial_dates import Moment, format_moment, is_date_code, moment_of

CODE_CHARS_MAX = 1024  # Excel allows 255
DIGITS = 15  # that a number keeps
PLACES_MAX = 30  # decimals of a format; Excel's limit
SECTIONS_MAX = 4
NO_NUMBER = "#NUM!"  # how Excel shows what is none
SHOWN_MAX = 1_000  # numbers of one style that are remembered: dates and prices repeat
_INTEGER_MAX = 10**DIGITS  # beyond it a float has no units
_SYMBOL = re.compile(
    r'"[^"]*"?|[\\!].?|[_*].?|\[[^\]]*\]?|G/[^\W\d_]{1,8}|General|Standard|AM/PM|A/P|上午/下午|[Ee][+-]|s+(?:\.0+)?'
    r"|y+|m+|d+|h+|a+|e+|g+|b+|.",
    re.IGNORECASE | re.DOTALL,
)
_SIMPLE = re.compile(r"(0+|#,##0)(?:\.(0+))?")
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)\s*(-?\d{1,15}(?:\.\d{1,15})?)\]")
_CURRENCY = re.compile(r"\[\$([^\]-]*)(?:-([0-9A-Fa-f]*))?")
_NUMERALS = re.compile(r"\[DBNum([12])\]", re.IGNORECASE)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "<>": operator.ne,
}  # fmt: skip
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_GENERAL = ("general", "standard")
_PRECISE = Context(prec=4 * PLACES_MAX)
_PLACEHOLDERS = "0#?"

# Without a code in the file. 27 to 58 are East Asian: as Excel shows them in China.
_YEAR_MONTH, _MONTH_DAY, _HOURS = 'yyyy"年"m"月"', 'm"月"d"日"', 'h"时"mm"分"'
BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: '"$"#,##0;("$"#,##0)', 6: '"$"#,##0;("$"#,##0)', 7: '"$"#,##0.00;("$"#,##0.00)',
    8: '"$"#,##0.00;("$"#,##0.00)', 9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 14: "yyyy-mm-dd", 15: "d-mmm-yy",
    16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd hh:mm",
    27: _YEAR_MONTH, 28: _MONTH_DAY, 29: _MONTH_DAY, 30: "m-d-yy", 31: 'yyyy"年"m"月"d"日"', 32: _HOURS, 33: _HOURS + 'ss"秒"',
    34: "上午/下午" + _HOURS, 35: "上午/下午" + _HOURS + 'ss"秒"', 36: _YEAR_MONTH, 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)",
    39: "#,##0.00;(#,##0.00)", 40: "#,##0.00;(#,##0.00)", 41: "#,##0;-#,##0;-", 42: '"$"#,##0;-"$"#,##0;"$"-', 43: "#,##0.00;-#,##0.00;-",
    44: '"$"#,##0.00;-"$"#,##0.00;"$"-', 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@", 50: _YEAR_MONTH,
    51: _MONTH_DAY, 52: _YEAR_MONTH, 53: _MONTH_DAY, 54: _MONTH_DAY, 55: "上午/下午" + _HOURS, 56: "上午/下午" + _HOURS + 'ss"秒"',
    57: _YEAR_MONTH, 58: _MONTH_DAY,
}  # fmt: skip
_SYSTEM_DATES = (14, 22)  # follow the reader's machine even when the file gives a code


def format_number(value: float) -> str:
    """As a sheet shows it without a format: no ``.0``, no more digits than Excel keeps."""
    if not math.isfinite(value):
        return NO_NUMBER
    return str(int(value)) if value == int(value) and abs(value) < _INTEGER_MAX else f"{value:.15G}"


class _Plan(NamedTuple):
    """Digits in one run between literals, as most formats have them: shown without a walk over the symbols."""

    before: str
    after: str
    pattern: str  # for format()
    width: int
    unit: Decimal
    power: int

    def show(self, value: float) -> tuple[str, bool]:
        """The text without a sign, and whether all of its digits are zero."""
        number = Decimal(f"{abs(value):.{DIGITS}g}").scaleb(self.power)
        if number.adjusted() < 2 * DIGITS:
            number = number.quantize(self.unit, ROUND_HALF_UP, _PRECISE)
        return f"{self.before}{format(number, self.pattern).zfill(self.width)}{self.after}", not number


@dataclass(frozen=True, slots=True)
class _Section:
    """Symbols of one section; literals are quoted as ``"text``. ``condition`` says which numbers it is for, when it says so."""

    symbols: tuple[str, ...]
    kind: str  # general, date, number, text
    condition: tuple[str, float] | None = None
    chinese: bool = False
    plan: "_Plan | None" = None
    numerals: str = ""  # 1 or 2: Chinese, plain or formal

    @property
    def is_negative(self) -> bool:
        """Whether its condition holds for negative numbers only: then it writes their sign itself, or none."""
        sign, bound = self.condition or ("", 0.0)
        return (sign == "<" and bound <= 0) or (sign == "<=" and bound < 0)


class NumberFormat:
    """What a cell of one style shows. ``code`` as the file has it."""

    def __init__(self, code: str, *, epoch_1904: bool = False) -> None:
        self._epoch_1904 = epoch_1904
        sections = [_read_section(symbols) for symbols in _split_sections(code[:CODE_CHARS_MAX])]
        text_at = (
            SECTIONS_MAX - 1 if len(sections) >= SECTIONS_MAX else next((at for at, one in enumerate(sections) if "@" in one.symbols), -1)
        )
        self._shown: dict[float, str] = {}
        self._text = sections[text_at] if text_at >= 0 else None
        self._numbers = sections[: SECTIONS_MAX - 1]
        if text_at == len(self._numbers) - 1 and text_at > 0:
            self._numbers.pop()  # a last section with @ is for text only
        self._conditional = any(one.condition for one in self._numbers)

    @property
    def changes_text(self) -> bool:
        """Whether a text is shown with something around it, or not at all."""
        return self._text is not None and self._text.symbols != ("@",)

    def show_text(self, text: str) -> str:
        """A text as the fourth section, or the one with ``@``, shows it."""
        if self._text is None:
            return text
        return "".join(text if symbol == "@" else _literal(symbol) for symbol in self._text.symbols).strip()

    def show(self, value: float) -> str:
        """A number as it is shown, without padding around it."""
        if not math.isfinite(value):
            return NO_NUMBER
        shown = self._shown.get(value)
        if shown is None:
            if len(self._shown) == SHOWN_MAX:
                self._shown.clear()
            shown = self._shown[value] = self._show(value)
        return shown

    def _show(self, value: float) -> str:
        index = self._choose(value)
        if index < 0:
            return format_number(value)
        section = self._numbers[index]
        unsigned = section.is_negative if self._conditional else index == 1
        if section.kind == "date":
            moment = moment_of(value, section.symbols, epoch_1904=self._epoch_1904)
            return format_number(value) if moment is None else _spell(self._show_date(moment, section), section)
        if section.plan is not None:
            text, zero = section.plan.show(value)
        elif section.kind in ("general", "text"):
            shown = format_number(abs(value))
            text = "".join(shown if symbol in ("@", "General") else _literal(symbol) for symbol in section.symbols)
            zero = value == 0
        elif "/" in section.symbols and _fraction_at(section.symbols) > 0:
            text, zero = _show_fraction(abs(value), section.symbols), value == 0
        else:
            text, zero = _show_digits(value, section.symbols)
        sign = "-" if value < 0 and not unsigned and not zero else ""
        return (sign + _spell(text.strip(), section)).strip()

    def _choose(self, value: float) -> int:
        """Index of the section for a number; -1 when the conditions leave it out."""
        count = len(self._numbers)
        if not count:
            return -1
        if self._conditional:
            for index, section in enumerate(self._numbers):
                if section.condition is None:
                    if index == count - 1 or not (index == 1 and value >= 0):
                        return index
                elif _COMPARE[section.condition[0]](value, section.condition[1]):
                    return index
            return -1
        if value < 0 and count > 1:
            return 1
        return 2 if value == 0 and count > 2 else 0  # noqa: PLR2004  positive; negative; zero

    def _show_date(self, moment: Moment, section: _Section) -> str:
        return format_moment(moment, section.symbols, _literal, chinese=section.chinese).strip()


def number_format(format_id: int, code: str, *, epoch_1904: bool = False) -> NumberFormat | None:
    """The format of a style; None for General, which changes nothing. ``code`` is empty when the file gives none."""
    shown = BUILT_IN.get(format_id, "") if format_id in _SYSTEM_DATES or not code else code
    if not shown or shown.lower() in _GENERAL or shown == "@":
        return None
    return NumberFormat(shown, epoch_1904=epoch_1904)


def _split_sections(code: str) -> list[list[str]]:
    sections: list[list[str]] = [[]]
    for symbol in _SYMBOL.findall(code):
        if symbol == ";":
            sections.append([])
        else:
            sections[-1].append(symbol)
    return sections[:SECTIONS_MAX]


def _read_section(raw: list[str]) -> _Section:
    """Literals quoted, brackets read, letters that mean something in lower case."""
    condition: tuple[str, float] | None = None
    chinese, numerals = False, ""
    symbols: list[str] = []
    for symbol in raw:
        if symbol[0] == "[" and not _ELAPSED.fullmatch(symbol):
            if match := _CONDITION.fullmatch(symbol):
                condition = (match[1], float(match[2]))
            elif match := _CURRENCY.match(symbol):
                chinese = chinese or (match[2] or "").lower().endswith(("804", "404", "c04", "1004", "1404"))
                if (match[2] or "").lower() == "f800":
                    return _Section(("yyyy", '"-', "mm", '"-', "dd"), "date")
                symbols += ['"' + match[1]] * bool(match[1])
            elif match := _NUMERALS.fullmatch(symbol):
                numerals = match[1]
        elif symbol[0] == '"':
            symbols.append('"' + symbol[1:].removesuffix('"'))
        elif symbol[0] in "\\!":  # Chinese editions also write the second
            symbols.append('"' + symbol[1:])
        elif symbol[0] not in "_*":
            symbols.append("General" if symbol.lower() in _GENERAL or symbol[:2] in ("G/", "g/") else symbol)
    kind = _kind_of(symbols)
    return _Section(tuple(symbols), kind, condition, chinese, _plan_of(symbols) if kind == "number" else None, numerals)


def _kind_of(symbols: list[str]) -> str:
    if "General" in symbols:
        return "general"
    if "@" in symbols:
        return "text"
    return "date" if is_date_code(symbols) else "number"


def _plan_of(symbols: list[str]) -> _Plan | None:
    """None when digits and literals are mixed, or optional."""
    digits = [at for at, symbol in enumerate(symbols) if symbol in (*_PLACEHOLDERS, ".", ",")]
    core = "".join(symbols[digits[0] : digits[-1] + 1]) if digits else ""
    match = _SIMPLE.fullmatch(core)
    around = [*symbols[: digits[0]], *symbols[digits[-1] + 1 :]] if digits else []
    if match is None or any(symbol == "/" or (len(symbol) == 2 and symbol[0] in "eE") for symbol in around):  # noqa: PLR2004
        return None
    whole, places = match[1], min(len(match[2] or ""), PLACES_MAX)
    width = 0 if "," in whole else len(whole) + (places + 1 if places else 0)
    before, after = ("".join(map(_literal, part)) for part in (symbols[: digits[0]], symbols[digits[-1] + 1 :]))
    return _Plan(before, after, f"{',' * ('#' in whole)}.{places}f", width, Decimal(1).scaleb(-places), 2 * symbols.count("%"))


def _spell(text: str, section: _Section) -> str:
    """Chinese numerals where the section asks for them."""
    if not section.numerals:
        return text
    spell = {"date": spell_date, "general": spell_numbers}.get(section.kind, spell_digits)
    return spell(text, formal=section.numerals == "2")


def _literal(symbol: str) -> str:
    return symbol[1:] if symbol[0] == '"' else symbol


def _show_digits(value: float, symbols: tuple[str, ...]) -> tuple[str, bool]:
    """The digits of a number in their placeholders, and whether all of them are zero."""
    places = [at for at, symbol in enumerate(symbols) if symbol in _PLACEHOLDERS]
    if not places:
        return "".join(_literal(symbol) for symbol in symbols), False  # the section is words only: they stand for the number
    exponent_at = next((at for at, symbol in enumerate(symbols) if len(symbol) == 2 and symbol[0] in "eE" and symbol[1] in "+-"), 0)  # noqa: PLR2004
    end = exponent_at or len(symbols)
    point = next((at for at, symbol in enumerate(symbols[:end]) if symbol == "."), end)
    whole = [at for at in places if at < point]
    decimals = [at for at in places if point < at < end][:PLACES_MAX]
    number, power = _scale(value, symbols, places, whole, exponent_at)
    number = number.quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP, _PRECISE) if number.adjusted() < 2 * DIGITS else number
    integer, _, fraction = f"{number:f}".partition(".")
    grouped = any(symbols[at] == "," for at in range(whole[0], whole[-1])) if whole else False
    shown = {**_place_whole(integer.lstrip("0"), symbols, whole, grouped=grouped), **_place_decimals(fraction, symbols, decimals)}
    pieces: list[str] = []
    for at, symbol in enumerate(symbols):
        if at in shown:
            pieces.append(shown[at])
        elif at == exponent_at and exponent_at:
            digits = sum(one > at for one in places)
            pieces.append(f"E{'-' if power < 0 else '+' * (symbol[1] == '+')}{abs(power):0{digits}}")
        elif symbol == "." and at == point:
            pieces.append("." if whole or decimals else "")
            if not whole:
                pieces.insert(-1, integer.lstrip("0"))
        elif symbol not in (",", *_PLACEHOLDERS):
            pieces.append(_literal(symbol))
        elif symbol == "," and not (whole and whole[0] < at) and at < point:
            pieces.append(",")
    return "".join(pieces), number == 0


def _scale(value: float, symbols: tuple[str, ...], places: list[int], whole: list[int], exponent_at: int) -> tuple[Decimal, int]:
    """The number as its digits show it, and the power of ten that an exponent says."""
    number = Decimal(f"{abs(value):.{DIGITS}g}").scaleb(2 * symbols.count("%"))
    if not exponent_at:
        return number.scaleb(-3 * _trailing_commas(symbols, whole[-1] if whole else -1, places[-1])), 0
    step = max(len(whole), 1)
    power = number.adjusted() // step * step if number else 0
    places_shown = sum(whole[-1] < at < exponent_at for at in places) if whole else 0
    rounded = round(number.scaleb(-power), places_shown)
    if rounded.adjusted() >= step and rounded:  # 9.999 is shown as 1.00E+01
        power += step
    return number.scaleb(-power), power


def _trailing_commas(symbols: tuple[str, ...], whole_last: int, last: int) -> int:
    """Commas behind the last digit, each of which divides by a thousand."""
    count = 0
    for start in {whole_last, last} - {-1}:
        at = start + 1
        while at < len(symbols) and symbols[at] == ",":
            count, at = count + 1, at + 1
    return count


def _place_whole(digits: str, symbols: tuple[str, ...], places: list[int], *, grouped: bool) -> dict[int, str]:
    """From the right; what has no placeholder of its own stands in the first one."""
    shown: dict[int, str] = {}
    done = 0
    for at in reversed(places):
        first = at == places[0]
        taken = digits if first else digits[-1:]
        digits = "" if first else digits[:-1]
        taken = taken or ("0" if symbols[at] == "0" else "")
        if grouped:
            reverse = taken[::-1]
            taken = "".join(("," if (done + index) % 3 == 0 and done + index else "") + one for index, one in enumerate(reverse))[::-1]
            # the comma between this digit and the one to its right stands behind this digit
        done += len(taken.replace(",", ""))
        shown[at] = taken
    return shown


def _place_decimals(digits: str, symbols: tuple[str, ...], places: list[int]) -> dict[int, str]:
    significant = len(digits.rstrip("0"))
    return {
        at: digits[index] if index < len(digits) and (symbols[at] == "0" or index < significant) else "" for index, at in enumerate(places)
    }


def _fraction_at(symbols: tuple[str, ...]) -> int:
    """Where the stroke of a fraction stands; 0 when the stroke is a letter like others."""
    for at, symbol in enumerate(symbols):
        if symbol == "/" and at and symbols[at - 1] in _PLACEHOLDERS and at + 1 < len(symbols):
            following = symbols[at + 1]
            if following in _PLACEHOLDERS or following.isdigit():
                return at
    return 0


def _show_fraction(value: float, symbols: tuple[str, ...]) -> str:
    """``# ?/?``: the nearest fraction with as many digits, or with the denominator that the format names."""
    at = _fraction_at(symbols)
    below = at + 1
    while below < len(symbols) and (symbols[below] in _PLACEHOLDERS or symbols[below].isdigit()):
        below += 1
    above = at
    while above and symbols[above - 1] in _PLACEHOLDERS:
        above -= 1
    fixed = "".join(symbols[at + 1 : below])
    mixed = any(symbol in _PLACEHOLDERS for symbol in symbols[:above])
    whole = int(value) if mixed else 0
    rest = Fraction(value) - whole
    if fixed.isdigit() and int(fixed):
        top, bottom = round(rest * int(fixed)), int(fixed)
    else:
        near = rest.limit_denominator(10 ** min(len(fixed), 5) - 1)
        top, bottom = near.numerator, near.denominator
    if mixed and top == bottom:
        whole, top = whole + 1, 0
    before = "".join(_literal(symbol) for symbol in symbols[:above] if symbol not in (*_PLACEHOLDERS, " ", '" '))
    after = "".join(_literal(symbol) for symbol in symbols[below:])
    number = f"{top}/{bottom}" if top or not mixed else ""
    return before + (f"{whole} {number}".strip() if whole or not number else number) + after
