"""Serial numbers of sheets as dates, times and durations, in the order and with the letters of a number format."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

SERIAL_MAX = 2_958_466  # the end of the year 9999
LEAP_SERIAL = 60  # the 29th of February 1900, which Excel has and the calendar has not
_SECONDS = 86_400
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_HALVES = ("am/pm", "a/p", "上午/下午")
_BUDDHIST = 543
_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_CHINESE_MONTHS = "一 二 三 四 五 六 七 八 九 十 十一 十二".split()
_CHINESE_DAYS = "一二三四五六日"


@dataclass(frozen=True, slots=True)
class Moment:
    """``units`` are the seconds since the epoch in units of ``scale`` per second, as exact as the format shows them."""

    at: datetime
    units: int
    scale: int
    negative: bool = False


def is_date_code(symbols: Sequence[str]) -> bool:
    """Whether a section shows its number as a date or a time: letters of either, outside quotes."""
    return any(
        symbol[0] in "yYmMdDhHsS" or _ELAPSED.fullmatch(symbol) or symbol.lower() in _HALVES or _is_weekday(symbol) for symbol in symbols
    )


def moment_of(value: float, symbols: Sequence[str], *, epoch_1904: bool) -> Moment | None:
    """None when the number is no date: negative ones are durations or nothing."""
    elapsed = any(_ELAPSED.fullmatch(symbol) for symbol in symbols)
    if not -SERIAL_MAX < value < SERIAL_MAX or (value < 0 and not elapsed):
        return None
    digits = max((len(symbol.partition(".")[2]) for symbol in symbols if symbol[0] in "sS"), default=0)
    scale = 10 ** min(digits, 6)
    units = round(abs(value) * _SECONDS * scale)
    whole, rest = divmod(units, _SECONDS * scale)
    if whole >= SERIAL_MAX:
        return None
    base = datetime(1904, 1, 1) if epoch_1904 else datetime(1899, 12, 31 if whole < LEAP_SERIAL else 30)  # noqa: DTZ001  sheets know no zones
    try:
        at = base + timedelta(days=whole, microseconds=rest * 1_000_000 // scale)
    except OverflowError:
        return None
    return Moment(at, units, scale, value < 0)


def format_moment(moment: Moment, symbols: Sequence[str], literal: Callable[[str], str], *, chinese: bool) -> str:
    """The moment in the format's letters; an ``m`` behind hours or before seconds is minutes."""
    halves = any(symbol.lower() in _HALVES for symbol in symbols)
    letters = [
        (at, (_ELAPSED.fullmatch(symbol) or [symbol, symbol])[1][0].lower()) for at, symbol in enumerate(symbols) if _is_letter(symbol)
    ]
    minutes = {
        at
        for index, (at, letter) in enumerate(letters)
        if letter == "m" and ((index and letters[index - 1][1] == "h") or (index + 1 < len(letters) and letters[index + 1][1] == "s"))
    }
    pieces = ["-"] if moment.negative else []
    for at, symbol in enumerate(symbols):
        if match := _ELAPSED.fullmatch(symbol):
            unit = {"h": 3600, "m": 60, "s": 1}[match[1][0].lower()]
            pieces.append(f"{moment.units // moment.scale // unit:0{len(match[1])}}")
        elif symbol.lower() in _HALVES:
            pieces.append(_half(moment.at, symbol, chinese=chinese))
        elif _is_letter(symbol):
            pieces.append(_letter(moment, symbol.lower(), minutes=at in minutes, halves=halves, chinese=chinese))
        elif symbol not in ("0", "#", "?"):
            pieces.append(literal(symbol))
    return "".join(pieces)


def _is_letter(symbol: str) -> bool:
    return symbol[0] in "yYmMdDhHsSeEbB" or _is_weekday(symbol) or _ELAPSED.fullmatch(symbol) is not None


def _is_weekday(symbol: str) -> bool:
    return len(symbol) > 2 and symbol.strip("aA") == ""  # noqa: PLR2004  aaa, aaaa


def _half(at: datetime, symbol: str, *, chinese: bool) -> str:
    if chinese or symbol == "上午/下午":
        return "下午" if at.hour >= 12 else "上午"  # noqa: PLR2004
    first, _, second = symbol.partition("/")
    return second if at.hour >= 12 else first  # noqa: PLR2004


def _letter(moment: Moment, symbol: str, *, minutes: bool, halves: bool, chinese: bool) -> str:  # noqa: PLR0911 - one line per letter
    at, width = moment.at, len(symbol)
    match symbol[0]:
        case "y" | "e":
            return f"{at.year % 100:02}" if width < 3 and symbol[0] == "y" else f"{at.year:04}"  # noqa: PLR2004
        case "b":
            return str(at.year + _BUDDHIST)
        case "a":
            return ("星期" if width > 3 else "周") + _CHINESE_DAYS[at.weekday()]  # noqa: PLR2004
        case "h":
            return f"{(at.hour + 11) % 12 + 1 if halves else at.hour:0{min(width, 2)}}"
        case "s":
            whole, _, places = symbol.partition(".")
            part = f".{moment.units % moment.scale:0{len(str(moment.scale)) - 1}}" if places else ""
            return f"{at.second:0{min(len(whole), 2)}}{part}"
        case "m" if minutes:
            return f"{at.minute:0{min(width, 2)}}"
        case "m":
            return _month(at.month, width, chinese=chinese)
        case _:
            return _day(at, width, chinese=chinese)


def _month(month: int, width: int, *, chinese: bool) -> str:
    if width < 3:  # noqa: PLR2004
        return f"{month:0{width}}"
    if chinese:
        return f"{month}月" if width == 3 else _CHINESE_MONTHS[month - 1] + "月"  # noqa: PLR2004
    name = _MONTHS[month - 1]
    return {3: name[:3], 5: name[:1]}.get(width, name)


def _day(at: datetime, width: int, *, chinese: bool) -> str:
    if width < 3:  # noqa: PLR2004
        return f"{at.day:0{width}}"
    if chinese:
        return ("周" if width == 3 else "星期") + _CHINESE_DAYS[at.weekday()]  # noqa: PLR2004
    return _DAYS[at.weekday()][:3] if width == 3 else _DAYS[at.weekday()]  # noqa: PLR2004
