"""The conditions of a question on the values of rows: more than 300, 不超过两千元, between two dates, 去年, negative."""

import re
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from adapters.text.numerals import ENGLISH, HAN, read_english, read_numeral
from domain.retrieval.tables.periods import Period, find_periods
from domain.retrieval.tables.units import PATTERN
from domain.retrieval.tables.values import DATE, NUMBER, date_of, last_date_of, quantity_of

Comparison = Literal[">", ">=", "<", "<=", "month"]

_VALUE = (
    rf"(?:(?P<date>{DATE})|百分之(?P<percent>\d{{1,3}}(?:\.\d{{1,4}})?|{HAN})|(?:{NUMBER}|(?P<numeral>{HAN})|(?P<words>{ENGLISH}))"
    rf"(?:\s?(?P<unit>{PATTERN}))?)"
)
_COMPARISONS: tuple[tuple[Comparison, re.Pattern[str]], ...] = (
    (
        ">=",
        re.compile(
            rf"(?:不低于|不少于|至少|不小于|不早于|最低|最少|>=|≥|\bat least|\bno (?:less|fewer) than|\bnot (?:less|fewer|below) than"
            rf"|\bminimum of|\bsince|\bfrom)\s?(?:有|为|是)?{_VALUE}"
        ),
    ),
    (
        "<=",
        re.compile(
            rf"(?:不超过|不高于|不大于|不多于|不晚于|至多|最多|<=|≤|\bat most|\bno more than|\bnot more than|\bmaximum of|\bup to|\bwithin)"
            rf"\s?(?:有|为|是)?{_VALUE}"
        ),
    ),
    (
        ">",
        re.compile(
            rf"(?:超过|大于|高于|多于|长于|重于|贵于|晚于|高过|多过|>"
            rf"|\b(?:more|greater|higher|larger|longer|heavier|later|bigger|taller|older) than"
            rf"|\b(?:more expensive) than|\bover|\babove|\bexceed(?:s|ing)?|\bafter)\s?(?:了)?{_VALUE}"
        ),
    ),
    (
        "<",
        re.compile(
            rf"(?:低于|小于|少于|不到|不足|不满|便宜于|早于|轻于|短于|<"
            rf"|\b(?:less|fewer|lower|smaller|cheaper|shorter|lighter|earlier|newer) than|\bunder|\bbelow|\bbefore)\s?(?:了)?{_VALUE}"
        ),
    ),
    (">=", re.compile(rf"{_VALUE}\s?(?:及|或|和)?(?:以上|起|之后|以后|or more|or above|and above|or later|and up|plus)")),
    ("<=", re.compile(rf"{_VALUE}\s?(?:及|或|和)?(?:以下|以内|之内|之前|以前|or less|or below|and below|or fewer)")),
)
_BETWEEN = re.compile(
    rf"(?:\bbetween\s|\bfrom\s|在|介于)?{_VALUE}\s?(?:到|至|~|–|—|-|和|与|\band|\bto)\s?"
    rf"{_VALUE.replace('?P<', '?P<b_')}(?:\s?(?:之间|的范围|内))?"
)
_DAY = re.compile(rf"(?:\bon )?(?P<date>{DATE})")
_SIGNS: tuple[tuple[Comparison, re.Pattern[str]], ...] = (
    (
        "<",
        re.compile(
            r"亏损|亏本|亏钱|赔钱|为负(?:数|值|的)?|负(?:数|值|的)|\bnegative\b|\bin the red\b"
            r"|\b(?:loss[- ]making|overdrawn|(?:made|making|make|at) a loss)\b"
        ),
    ),
    (">", re.compile(r"盈利|赚钱|为正(?:数|值|的)?|\bpositive\b|\bin the black\b|\bprofitable\b")),
)


_DENIED = re.compile(r"(?:没有?|未|不会|并不|不能?|\b(?:not|never|don't|doesn't|cannot|can't)(?: (?:cost|weigh|have|last|take)s?)?)\s?$")
_COMPARED = re.compile(r"(?:不晚于|不早于|超过|\bthan|\bleast|\bmost)\s?$")  # what follows is a bound
_OPPOSITES: dict[Comparison, Comparison] = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "month": "month"}


class Condition(NamedTuple):
    """``value`` as it is said, of a date its day; ``start`` and ``end``: where the question says it. ``month`` of any year is a comparison.

    ``is_scaled``: said with 万 and the like. ``days``: a period's condition is on a part of a year. ``is_sign``: more or less than nothing.
    """

    comparison: Comparison
    value: Decimal
    unit: str
    is_date: bool
    start: int
    end: int
    is_scaled: bool = False
    is_within_year: bool = False
    is_sign: bool = False
    told: str = ""  # what a word such as 本月 means


def blank(pattern: re.Pattern[str], text: str) -> str:
    """``text`` with every match as spaces of the same length."""
    return pattern.sub(lambda found: " " * len(found.group()), text)


def blank_span(text: str, start: int, end: int) -> str:
    """``text`` with one span as spaces."""
    return text[:start] + " " * (end - start) + text[end:]


def take_conditions(folded: str, today: date | None, kept: Iterable[str] = ()) -> tuple[tuple[Condition, ...], str]:
    """The conditions, and the text without them. Without ``today`` no periods are looked for; ``kept`` are words that name columns."""
    names = tuple(kept)
    found, rest = _take_ranges(folded)
    if today is not None:
        found, rest = _add(found, _take_periods(rest, today, names))
    found, rest = _add(found, _take_comparisons(rest))
    if today is not None:
        found, rest = _add(found, _take_days(rest, names))
    found, rest = _add(found, _take_signs(rest))
    return tuple(found), rest


def _add(found: list[Condition], more: tuple[list[Condition], str]) -> tuple[list[Condition], str]:
    return [*found, *more[0]], more[1]


def _take_ranges(rest: str) -> tuple[list[Condition], str]:
    """Between two values."""
    found: list[Condition] = []
    for between in _BETWEEN.finditer(rest):
        low, high = _condition(between, ">=", ""), _condition(between, "<=", "b_")
        said = between.group()
        if low is None or high is None or not (said.startswith(("between", "from", "在", "介于")) or said.endswith(("间", "围"))):
            continue
        low = _with_unit_of(low, high)
        if low.value < high.value or low.unit != high.unit:
            found += (low, high)
            rest = blank_span(rest, between.start(), between.end())
    return found, rest


def _take_comparisons(rest: str) -> tuple[list[Condition], str]:
    found: list[Condition] = []
    for comparison, pattern in _COMPARISONS:
        for match in pattern.finditer(rest):
            if condition := _condition(match, comparison, ""):
                if denied := _DENIED.search(rest[: match.start()]):  # does not exceed 300, 没有超过
                    condition = condition._replace(comparison=_OPPOSITES[comparison], start=denied.start())
                found.append(condition)
                rest = blank_span(rest, condition.start, match.end())
    return found, rest


def _take_days(rest: str, kept: tuple[str, ...]) -> tuple[list[Condition], str]:
    """A day, month or year by itself: all of it."""
    found: list[Condition] = []
    for match in _DAY.finditer(rest):
        first, last = _condition(match, ">=", ""), _condition(match, "<=", "")
        if first and last and not any(match.group() in name for name in kept):
            found += (first, last)
            rest = blank_span(rest, match.start(), match.end())
    return found, rest


def _take_signs(rest: str) -> tuple[list[Condition], str]:
    found: list[Condition] = []
    for comparison, pattern in _SIGNS:
        if sign := pattern.search(rest):
            found.append(Condition(comparison, Decimal(0), "", is_date=False, start=sign.start(), end=sign.end(), is_sign=True))
            rest = blank_span(rest, sign.start(), sign.end())
    return found, rest


def _take_periods(rest: str, today: date, kept: tuple[str, ...]) -> tuple[list[Condition], str]:
    found: list[Condition] = []
    for period in find_periods(rest, today):
        said = rest[period.start : period.end].strip()
        if _COMPARED.search(rest[: period.start]) or any(said in name or name in said for name in kept if name):
            continue
        found += _conditions_of(period)
        rest = blank_span(rest, period.start, period.end)
    return found, rest


def _conditions_of(period: Period) -> Iterator[Condition]:
    def make(comparison: Comparison, day: date, told: str) -> Condition:
        days = (period.last - period.first) < timedelta(days=364)
        value = Decimal(period.month or day.toordinal())
        start, end = period.start, period.end
        return Condition(comparison, value, "", is_date=True, start=start, end=end, is_within_year=days, told=told)

    if period.month:
        yield make("month", period.first, "")
        return
    match period.side:
        case "in":
            told = f"{period.first} – {period.last}" if period.first != period.last else str(period.first)
            yield make(">=", period.first, told)
            yield make("<=", period.last, told)
        case "before":
            yield make("<", period.first, f"< {period.first}")
        case "after":
            yield make(">", period.last, f"> {period.last}")
        case "since":
            yield make(">=", period.first, f"≥ {period.first}")
        case "until":
            yield make("<=", period.last, f"≤ {period.last}")


def _with_unit_of(low: Condition, high: Condition) -> Condition:
    """The lower bound in the unit of the upper one, where it has none of its own: 10 到 20 元."""
    if low.unit or low.is_date or not high.unit or low.is_scaled:
        return low
    return low._replace(unit=high.unit)


def _condition(match: re.Match[str], comparison: Comparison, prefix: str) -> Condition | None:
    said = {name.removeprefix("b_"): value for name, value in match.groupdict().items() if name.startswith("b_") == bool(prefix)}
    read = _read_value(said, match.group(), comparison)
    if read is None:
        return None
    value, unit, is_scaled = read
    start, end = match.span()
    return Condition(comparison, value, unit, is_date=bool(said["date"]), start=start, end=end, is_scaled=is_scaled)


def _read_value(said: dict[str, str | None], text: str, comparison: Comparison) -> tuple[Decimal, str, bool] | None:
    """The value, its unit, and whether it was said with 万, thousand and the like."""
    if said["date"]:
        day = last_date_of(said) if comparison in ("<=", ">") else date_of(said)
        return None if day is None else (Decimal(day.toordinal()), "", False)
    unit = " ".join((said["unit"] or "").split())
    if share := said["percent"]:
        value = Decimal(share) if share[0].isdigit() else read_numeral(share)
        return None if value is None else (Decimal(value), "%", False)
    if numeral := said["numeral"]:
        number = None if text.endswith(numeral + "起") else read_numeral(numeral)  # 一起
        return None if number is None else (Decimal(number), unit, number >= 10_000)  # noqa: PLR2004 - 万
    if words := said["words"]:
        number = read_english(words) if unit or words not in ("a", "an") else None
        return None if number is None else (Decimal(number), unit, number >= 1_000)  # noqa: PLR2004 - thousand
    quantity = quantity_of(said)
    return None if quantity is None else (quantity.value, quantity.unit, bool(said["scale"]))
