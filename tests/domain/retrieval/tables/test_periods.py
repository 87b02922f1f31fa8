"""Spans of time as questions name them, on a calendar that the test holds."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text.language import fold
from domain.retrieval.tables.periods import find_periods

NEIGHBOURS = (("上周", "本周", "下周"), ("上个月", "本月", "下个月"), ("上季度", "本季度", "下季度"), ("去年", "今年", "明年"))
TODAY = date(2026, 2, 14)  # a Saturday


@pytest.mark.parametrize(
    ("question", "first", "last", "side"),
    [
        ("本月入库的货物", "2026-02-01", "2026-02-28", "in"),
        ("上个月", "2026-01-01", "2026-01-31", "in"),
        ("上上个月的订单", "2025-12-01", "2025-12-31", "in"),
        ("去年签的合同", "2025-01-01", "2025-12-31", "in"),
        ("去年3月", "2025-03-01", "2025-03-31", "in"),
        ("今年上半年", "2026-01-01", "2026-06-30", "in"),
        ("上季度", "2025-10-01", "2025-12-31", "in"),
        ("本周到期", "2026-02-09", "2026-02-15", "in"),
        ("昨天", "2026-02-13", "2026-02-13", "in"),
        ("最近30天", "2026-01-16", "2026-02-14", "in"),
        ("未来两周", "2026-02-14", "2026-02-28", "in"),
        ("2025年以前", "2025-01-01", "2025-12-31", "before"),
        ("2024年第三季度", "2024-07-01", "2024-09-30", "in"),
        ("issued last month", "2026-01-01", "2026-01-31", "in"),
        ("in the last quarter", "2025-10-01", "2025-12-31", "in"),
        ("due next week", "2026-02-16", "2026-02-22", "in"),
        ("in the past six months", "2025-08-15", "2026-02-14", "in"),
        ("in March 2025", "2025-03-01", "2025-03-31", "in"),
        ("opened in 2024", "2024-01-01", "2024-12-31", "in"),
        ("since last year", "2025-01-01", "2025-12-31", "since"),
        ("before this month", "2026-02-01", "2026-02-28", "before"),
    ],
)
def test_periods(question: str, first: str, last: str, side: str) -> None:
    (found,) = find_periods(fold(question), TODAY)
    assert (str(found.first), str(found.last), found.side) == (first, last, side)


@pytest.mark.parametrize("question", ["单价是多少", "5个月的保修", "over 2000 units", "may I ask", "第三季", "去看看"])
def test_what_is_no_period(question: str) -> None:
    assert list(find_periods(fold(question), TODAY)) == []


def test_a_month_without_a_year_is_one_of_any() -> None:
    (found,) = find_periods("三月份入库的货物", TODAY)
    assert found.month == 3


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)))
def test_periods_meet_without_a_gap(today: date) -> None:
    for before, this, after in NEIGHBOURS:
        spans = [next(find_periods(said, today)) for said in (before, this, after)]
        assert spans[1].first <= today <= spans[1].last
        assert spans[0].last + timedelta(days=1) == spans[1].first
        assert spans[1].last + timedelta(days=1) == spans[2].first
