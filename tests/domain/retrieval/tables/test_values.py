"""Cells as numbers, dates, times, yes and no."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text.language import fold
from adapters.text.numerals import read_numeral
from domain.retrieval.tables.values import kind_of, read_date, read_flag, read_number, read_time


@pytest.mark.parametrize(
    ("cell", "value", "unit"),
    [
        ("1,234.50", "1234.50", ""),
        ("￥1,280", "1280", "元"),
        ("$9.99", "9.99", "usd"),
        ("12.5 kg", "12.5", "kg"),
        ("35％", "35", "%"),
        ("1.2万", "12000", ""),
        ("3亿元", "300000000", "元"),
        ("-7℃", "-7", "°c"),
        ("(1,200)", "-1200", ""),
        ("约300人", "300", "人"),
        ("三百二十件", "320", "件"),
        ("8.60元/斤", "8.60", "元/斤"),
    ],
)
def test_numbers(cell: str, value: str, unit: str) -> None:
    quantity = read_number(fold(cell))
    assert quantity is not None
    assert (quantity.value, quantity.unit) == (Decimal(value), unit)


@pytest.mark.parametrize(
    "cell",
    [
        "010",
        "",
        "北京",
        "3-5天",
        "1,23",
        "A12",
        "1.2.3",
        "12345678901234567890",
        "x" * 100,
        "面议",
        "2024-05-01",
        "3号厅",
        "二期",
        "十二楼",
    ],
)
def test_what_is_no_number(cell: str) -> None:
    assert read_number(fold(cell)) is None


@given(st.integers(-(10**12), 10**12))
def test_every_integer_with_separators_is_read(number: int) -> None:
    quantity = read_number(f"{number:,}")
    assert quantity is not None
    assert quantity.value == number


@pytest.mark.parametrize(
    ("text", "value"),
    [("十", 10), ("十二", 12), ("二十", 20), ("三百零五", 305), ("两万三千", 23_000), ("一亿", 100_000_000), ("万一", None)],
)
def test_numerals(text: str, value: int | None) -> None:
    assert read_numeral(text) == value


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("2024-05-01", date(2024, 5, 1)),
        ("2024/5/1", date(2024, 5, 1)),
        ("2024年5月1日", date(2024, 5, 1)),
        ("2024年5月", date(2024, 5, 1)),
        ("5 May 2024", date(2024, 5, 5)),
        ("May 5, 2024", date(2024, 5, 5)),
        ("2024-13-40", None),
        ("1,234", None),
        ("2024", None),
    ],
)
def test_dates(cell: str, day: date | None) -> None:
    assert read_date(fold(cell)) == day


@pytest.mark.parametrize(
    ("cell", "minutes"), [("08:30", 510), ("8:05 pm", 1205), ("17点45分", 1065), ("12 am", 0), ("12", None), ("25:00", None)]
)
def test_times(cell: str, minutes: int | None) -> None:
    assert read_time(fold(cell)) == minutes


def test_yes_and_no() -> None:
    assert [read_flag(fold(cell)) for cell in ("是", "不支持", "√", "Yes", "maybe")] == [True, False, True, True, None]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (("1", "2", "-"), "number"),
        (("是", "否"), "flag"),
        (("2024-01-01", "2023-05-06"), "date"),
        (("08:30", "09:10"), "time"),
        (("1", "two", "three"), "text"),
        ((), "text"),
        (("010", "021"), "text"),
    ],
)
def test_kinds_of_columns(cells: tuple[str, ...], kind: str) -> None:
    assert kind_of(cells) == kind
