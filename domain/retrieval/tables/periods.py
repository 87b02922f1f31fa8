"""Spans of time that a question names: 本月, 去年, "last quarter", 2025年3月, 最近30天. Everything here reads folded text.

Days are those of the asker's calendar (``CLAW_RETRIEVAL_TIME_ZONE``); a week begins on Monday.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal, NamedTuple

from adapters.text.numerals import ENGLISH, read_english, read_numeral

Span = Literal["day", "week", "month", "quarter", "year"]
Side = Literal["in", "before", "after", "since", "until"]

COUNT_MAX = 1_000  # units of a span that goes back
_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_MONTH_NAME = (
    r"january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
)
_SPANS: dict[str, Span] = {
    "天": "day",
    "日": "day",
    "day": "day",
    "周": "week",
    "星期": "week",
    "礼拜": "week",
    "week": "week",
    "月": "month",
    "month": "month",
    "季": "quarter",
    "季度": "quarter",
    "quarter": "quarter",
    "年": "year",
    "年度": "year",
    "year": "year",
}
_SHIFTS = {"本": 0, "这": 0, "当": 0, "今": 0, "this": 0, "current": 0, "上": -1, "上一": -1, "去": -1, "last": -1, "previous": -1}
_SHIFTS |= {"下": 1, "下一": 1, "明": 1, "next": 1, "前": -2, "上上": -2, "后": 2, "昨": -1}
_BEFORE = r"(?P<before>(?:(?<!不)[早晚]于|在|自从?|从|\b(?:before|after|since|until|from|by|in|during|within|over))\s?(?:the )?)?"
_BEHIND = r"(?P<behind>\s?(?:以前|之前|以后|之后|以来|至今|起))?"
_BEHIND_WORD = "(?:" + "|".join(rf"(?<=\b{word} )" for word in "in by since until from before after during".split()) + ")"
_HAN_SHIFT = (
    r"(?P<zh>上上|上一|下一|[本这当上下])个?(?P<zh_span>季度?|周|星期|礼拜|月)|(?P<year_zh>今|去|前|明|后|本|上一)年度?"
    r"|(?P<day_zh>今|昨|前|明|后)[天日]"
)
_PART = r"(?:(?P<half>[上下])半年|第?(?P<quarter>[一二三四1-4])季度?|(?P<month>1[0-2]|[1-9]|十[一二]?|[一二三四五六七八九])月份?)"
_RELATIVE = re.compile(
    rf"{_BEFORE}(?:(?:{_HAN_SHIFT})的?{_PART}?"
    r"|\b(?P<en>this|current|last|previous|next) (?P<en_span>week|month|quarter|year)\b|\b(?P<en_day>today|yesterday|tomorrow)\b)" + _BEHIND
)
_RECENT = re.compile(
    r"(?P<ahead>未来|接下来|今后)?(?P<recent>最近|近|过去|这)?(?P<zh_count>\d{1,3}|[一二两三四五六七八九十]{1,3}|半)个?"
    r"(?P<zh_span>天|日|周|星期|月|年)(?:之?内|以?来|里)?"
    rf"|\b(?:in |within |over |during )?(?:the )?(?P<way>last|past|previous|next|coming) (?P<en_count>\d{{1,3}}|{ENGLISH})"
    r" (?P<en_span>day|week|month|quarter|year)s\b"
)
_ABSOLUTE = re.compile(
    rf"{_BEFORE}(?:(?P<year>(?:19|20)\d{{2}})年度?{_PART}?(?!\s?\d)|{_BEHIND_WORD}(?P<en_year>(?:19|20)\d{{2}})(?![\d.,]*\d|[-/年])"
    rf"|\b(?P<en_month>{_MONTH_NAME})\.? (?P<of_year>(?:19|20)\d{{2}})\b|\bq(?P<q>[1-4])[ /-]?(?P<q_year>(?:19|20)\d{{2}})\b)" + _BEHIND
)
_ANY_YEAR = re.compile(
    rf"(?<![\d年])(?P<month>1[0-2]|[1-9]|十[一二]?|[一二三四五六七八九])月份?(?!\d)|\b(?:in|during) (?P<en_month>{_MONTH_NAME})\b(?! \d)"
)


class Period(NamedTuple):
    """From ``first`` to ``last``, both included, said from ``start`` to ``end`` of the question; ``side`` of it is meant.

    ``month``: that month of any year, and ``first`` and ``last`` say nothing.
    """

    first: date
    last: date
    side: Side
    start: int
    end: int
    month: int = 0


def find_periods(folded: str, today: date) -> Iterator[Period]:
    """The periods of a question, none inside another."""
    taken: list[tuple[int, int]] = []
    for pattern, read in ((_RELATIVE, _relative), (_RECENT, _recent), (_ABSOLUTE, _absolute), (_ANY_YEAR, _any_year)):
        for found in pattern.finditer(folded):
            if any(start < found.end() and found.start() < end for start, end in taken):
                continue
            try:
                period = read(found, today)
            except (ValueError, OverflowError):  # a month or year that no calendar has
                continue
            if period is not None:
                taken.append(found.span())
                yield period


def _relative(found: re.Match[str], today: date) -> Period:
    day = found["day_zh"] or {"today": "今", "yesterday": "昨", "tomorrow": "明"}.get(found["en_day"] or "")
    if day:
        return _period(found, *_span_at("day", _SHIFTS[day], today))
    if found["year_zh"]:
        year, _ = _span_at("year", _SHIFTS[found["year_zh"]], today)
        return _period(found, *_part_of(found, year.year))
    shift, span = found["zh"] or found["en"], found["zh_span"] or found["en_span"]
    return _period(found, *_span_at(_SPANS[span], _SHIFTS[shift], today))


def _recent(found: re.Match[str], today: date) -> Period | None:
    count = found["zh_count"] or found["en_count"]
    if found["zh_count"] and not (found["recent"] or found["ahead"]):
        return None
    span: Span = _SPANS[found["zh_span"] or found["en_span"]]
    ahead = found["ahead"] or found["way"] in ("next", "coming")
    if count == "半":
        if span != "year":
            return None
        number, span = 6, "month"
    else:
        number = int(count) if count.isdigit() else read_numeral(count) or read_english(count) or 0
    if not 0 < number <= COUNT_MAX:
        return None
    if ahead:
        return _period(found, today, _shift(today, span, number))
    return _period(found, _shift(today, span, -number) + timedelta(days=1), today)


def _absolute(found: re.Match[str], today: date) -> Period:  # noqa: ARG001 - as the others
    if found["year"]:
        return _period(found, *_part_of(found, int(found["year"])))
    if found["en_year"]:
        return _period(found, *_months(int(found["en_year"]), 1, 12))
    if found["q"]:
        return _period(found, *_months(int(found["q_year"]), 3 * int(found["q"]) - 2, 3))
    return _period(found, *_months(int(found["of_year"]), _MONTHS[found["en_month"][:3]], 1))


def _any_year(found: re.Match[str], today: date) -> Period:
    month = _MONTHS[found["en_month"][:3]] if found["en_month"] else _number(found["month"])
    return Period(today, today, "in", found.start(), found.end(), month)


def _period(found: re.Match[str], first: date, last: date) -> Period:
    groups = found.groupdict()
    before, behind = (groups.get("before") or "").strip().removesuffix(" the"), (groups.get("behind") or "").strip()
    side: Side = "in"
    if behind in ("以前", "之前") or before in ("before", "早于"):
        side = "before"
    elif behind in ("以来", "至今", "起") or before in ("since", "from", "自", "自从"):
        side = "since"
    elif behind in ("以后", "之后") or before in ("after", "晚于"):
        side = "after"
    elif before in ("until", "by"):
        side = "until"
    return Period(first, last, side, *found.span())


def _span_at(span: Span, shift: int, today: date) -> tuple[date, date]:
    """The whole day, week, month, quarter or year so many before or after the one of today."""
    match span:
        case "day":
            first = today + timedelta(days=shift)
            return first, first
        case "week":
            first = today - timedelta(days=today.weekday()) + timedelta(weeks=shift)
            return first, first + timedelta(days=6)
        case "month":
            return _months(today.year, today.month + shift, 1)
        case "quarter":
            return _months(today.year, today.month - (today.month - 1) % 3 + 3 * shift, 3)
        case _:
            return _months(today.year + shift, 1, 12)


def _months(year: int, month: int, count: int) -> tuple[date, date]:
    """So many months from one that may lie beyond the year."""
    return _first_of(year, month), _first_of(year, month + count) - timedelta(days=1)


def _first_of(year: int, month: int) -> date:
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)


def _part_of(found: re.Match[str], year: int) -> tuple[date, date]:
    """A half, a quarter or a month of a year, as far as the question says one."""
    if found["half"]:
        return _months(year, 1 if found["half"] == "上" else 7, 6)
    if found["quarter"]:
        return _months(year, 3 * _number(found["quarter"]) - 2, 3)
    return _months(year, _number(found["month"]), 1) if found["month"] else _months(year, 1, 12)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else read_numeral(text) or 0


def _shift(day: date, span: Span, count: int) -> date:
    """So many spans later; the last day of the month where it is shorter."""
    if span in ("day", "week"):
        return day + timedelta(days=count * (7 if span == "week" else 1))
    first = _first_of(day.year, day.month + count * {"month": 1, "quarter": 3, "year": 12}[span])
    last = _first_of(first.year, first.month + 1) - timedelta(days=1)
    return first.replace(day=min(day.day, last.day))
