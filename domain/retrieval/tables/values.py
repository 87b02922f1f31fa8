"""Cells as values: numbers with their units, dates, times, yes and no. Everything here reads folded text (``language.fold``)."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from adapters.text.numerals import read_numeral

Kind = Literal["number", "date", "time", "flag", "text"]

CELL_CHARS_MAX = 48  # a longer cell is text
DIGITS_MAX = 15  # a longer run of digits is a name
KIND_SHARE = 0.8  # of a column's cells that make its kind

SCALES = {"": 1, "千": 1_000, "万": 10_000, "百万": 1_000_000, "千万": 10_000_000, "亿": 100_000_000}
SCALES |= {"k": 1_000, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "bn": 1_000_000_000}
_CURRENCIES = {"¥": "元", "rmb": "元", "cny": "元", "人民币": "元", "$": "usd", "us$": "usd", "€": "eur", "£": "gbp"}
NUMBER = (
    r"(?P<minus>-)?(?P<currency>us\$|[¥$€£]|rmb|cny|usd|eur|gbp|人民币)?\s?(?P<sign>[-+])?"
    r"(?P<digits>\d{1,3}(?:,\d{3}){1,5}|\d{1,16})(?P<fraction>\.\d{1,10})?"
    r"\s?(?P<scale>千万|百万|[千万亿]|(?:k|thousand|million|billion|bn)(?![a-z]))?"
)
_NUMBER = re.compile(rf"(?:约|≈|~)?{NUMBER}\s?(?P<unit>[^\d\s,.][^\d]{{0,15}})?")
_NUMERAL = re.compile(r"(?P<numeral>[零〇一二两三四五六七八九十百千万亿]{1,12})(?P<unit>[^\d零〇一二两三四五六七八九十百千万亿]{0,4})")
FIRST_HAN = "\u3400"
_UNITS = frozenset(
    "元块角分厘钱斤两公千克毫吨米里丈尺寸升方平亩顷度瓦伏安人名位个件台套本张只条间次天日年月周季小时秒岁页集篇首盒箱包瓶袋罐桶支根把户家辆艘架匹头棵株朵粒片层册份笔单项种类步字"
)  # first letters
# 2 hours 30 minutes: one value in minutes
_DURATION = re.compile(r"(?P<hours>\d{1,4})\s?(?:h|hrs?|hours?|个?小时)\s?(?P<minutes>\d{1,2})\s?(?:m|min|mins|minutes?|分钟?)")
_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
DATE = (
    r"(?P<year>(?:19|20)\d{2})\s?(?:[-/.年]\s?(?P<month>\d{1,2})(?!\d)\s?(?:[-/.月]\s?(?P<day>\d{1,2})(?!\d)\s?日?|月)?|年)"
    r"|(?P<day_first>\d{1,2})(?:st|nd|rd|th)?\s(?P<month_name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?,?\s(?P<year_last>(?:19|20)\d{2})"
    r"|(?P<name_first>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?\s(?:(?P<day_second>\d{1,2})(?:st|nd|rd|th)?,?\s)?(?P<year_end>(?:19|20)\d{2})"
)
_DATE = re.compile(DATE)
_TIME = re.compile(r"(?P<hour>[01]?\d|2[0-4])\s?(?:[:点时]\s?(?P<minute>[0-5]\d)?\s?分?(?::[0-5]\d)?\s?)?(?P<half>[ap]\.?m\.?)?")
YES = frozenset("是 有 支持 √ ✓ ✔ 可 可以 能 对 含 包含 已 开 yes y true included available on enabled".split())
NO = frozenset("否 无 不支持 × ✗ ✘ 不可 不可以 不能 不 没有 不含 未 关 no n false none off disabled unavailable".split())
NOTHING = frozenset(("", "-", "--", "—", "——", "/", "n/a", "na", "无数据", "暂无", "未知", "待定", "tbd", "null", "nil"))


class Quantity(NamedTuple):
    """A number and the unit that stands with it; "" for none. Scales (万, 亿) are multiplied in."""

    value: Decimal
    unit: str = ""


def read_number(cell: str) -> Quantity | None:
    """A cell that is one number, with or without thousands separators, currency, scale and unit. A code such as 010 is none."""
    text = cell.strip()
    if not text or len(text) > CELL_CHARS_MAX:
        return None
    if text[0] == "(" and text[-1] == ")":  # bookkeeping's minus
        inner = read_number(text[1:-1])
        return None if inner is None else Quantity(-inner.value, inner.unit)
    duration = _DURATION.fullmatch(text)
    if duration is not None:
        return Quantity(Decimal(60 * int(duration["hours"]) + int(duration["minutes"])), "min")
    found = _NUMBER.fullmatch(text)
    if found is None:
        numeral = _NUMERAL.fullmatch(text)
        value = read_numeral(numeral["numeral"]) if numeral and _is_unit(numeral["unit"]) else None
        return None if numeral is None or value is None else Quantity(Decimal(value), numeral["unit"].strip())
    return quantity_of(found.groupdict()) if _is_unit(found["unit"] or "") else None


def _is_unit(text: str) -> bool:
    """Whether what stands behind a number measures or counts: 3件 is a number, 3号厅 and 二车间 are names."""
    return not text or text[0] < FIRST_HAN or text[0] in _UNITS


def quantity_of(found: Mapping[str, str | None]) -> Quantity | None:
    """The number of the groups of ``NUMBER`` and a group ``unit``."""
    digits = (found["digits"] or "").replace(",", "")
    if len(digits) > DIGITS_MAX or (len(digits) > 1 and digits[0] == "0" and not found["fraction"]):
        return None
    value = Decimal(digits + (found["fraction"] or "")) * SCALES[found["scale"] or ""]
    unit = (found["unit"] or "").strip()
    currency = _CURRENCIES.get(found["currency"] or "", found["currency"] or "")
    return Quantity(-value if "-" in (found["sign"], found.get("minus")) else value, unit or currency)


def read_date(cell: str) -> date | None:
    """A cell that is one date; a month or a year begins with its first day."""
    text = cell.strip()
    found = _DATE.fullmatch(text) if len(text) <= CELL_CHARS_MAX else None
    return None if found is None else date_of(found.groupdict())


def date_of(found: Mapping[str, str | None]) -> date | None:
    """The date of the groups of ``DATE``; None for one that no calendar has."""
    year = found["year"] or found["year_last"] or found["year_end"]
    name = found["month_name"] or found["name_first"]
    month = _MONTHS[name] if name else int(found["month"] or 1)
    day = int(found["day"] or found["day_first"] or found["day_second"] or 1)
    try:
        return date(int(year or 0), month, day)
    except ValueError:
        return None


def last_date_of(found: Mapping[str, str | None]) -> date | None:
    """The last day of the groups of ``DATE``: of the month or year where that is all they say."""
    day = date_of(found)
    if day is None or found["day"] or found["day_first"] or found["day_second"]:
        return day
    if found["month"] or found["month_name"] or found["name_first"]:
        return date(day.year + day.month // 12, day.month % 12 + 1, 1) - timedelta(days=1)
    return date(day.year, 12, 31)


def read_time(cell: str) -> int | None:
    """A cell that is one time of the day, in minutes."""
    text = cell.strip()
    found = _TIME.fullmatch(text) if len(text) <= CELL_CHARS_MAX else None
    if found is None or (found["minute"] is None and "点" not in text and "时" not in text and not found["half"]):
        return None
    hour = int(found["hour"])
    if found["half"]:
        hour = hour % 12 + (12 if found["half"][0] == "p" else 0)
    return 60 * hour + int(found["minute"] or 0)


def read_flag(cell: str) -> bool | None:
    """Yes or no; None for anything else."""
    text = cell.strip()
    return True if text in YES else False if text in NO else None


def measure(cell: str, kind: Kind) -> Decimal | None:
    """A cell as a number that orders cells of this kind; None for one that has no such value."""
    if kind == "number":
        quantity = read_number(cell)
        return None if quantity is None else quantity.value
    if kind == "date":
        day = read_date(cell)
        return None if day is None else Decimal(day.toordinal())
    minutes = read_time(cell) if kind == "time" else None
    return None if minutes is None else Decimal(minutes)


def kind_of(cells: Iterable[str]) -> Kind:
    """What a column holds: what most of the cells that say something are."""
    known = [cell for cell in cells if cell not in NOTHING]
    least = KIND_SHARE * len(known)
    if not known:
        return "text"
    if sum(read_flag(cell) is not None for cell in known) == len(known):
        return "flag"
    if sum(read_date(cell) is not None for cell in known) >= least:
        return "date"
    if sum(read_number(cell) is not None for cell in known) >= least:
        return "number"
    return "time" if sum(read_time(cell) is not None for cell in known) >= least else "text"
