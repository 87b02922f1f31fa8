"""Conditions as questions say them."""

from datetime import date
from decimal import Decimal

import pytest

from adapters.text.language import fold
from domain.retrieval.tables.conditions import take_conditions

TODAY = date(2026, 2, 14)


@pytest.mark.parametrize(
    ("question", "conditions"),
    [
        ("超过三百的", [(">", "300", "")]),
        ("more than three hundred euros", [(">", "300", "euros")]),
        ("两千以上", [(">=", "2000", "")]),
        ("货值不到两万元的", [("<", "20000", "元")]),
        ("重量不低于1.5公斤", [(">=", "1.5", "公斤")]),
        ("损耗率高于百分之五", [(">", "5", "%")]),
        ("at least ten percent", [(">=", "10", "percent")]),
        ("价格没有超过300元的", [("<=", "300", "元")]),
        ("does not cost more than 40", [("<=", "40", "")]),
        ("在两千到三千之间", [(">=", "2000", ""), ("<=", "3000", "")]),
        ("10到20公斤之间", [(">=", "10", "公斤"), ("<=", "20", "公斤")]),
        ("under an hour", [("<", "1", "hour")]),
        ("over 300 pumps", [(">", "300", "")]),
        ("亏损的月份", [("<", "0", "")]),
        ("negative balance", [("<", "0", "")]),
        ("我们一起看看", []),
        ("before a while", []),
    ],
)
def test_comparisons_with_their_units(question: str, conditions: list[tuple[str, str, str]]) -> None:
    found, _ = take_conditions(fold(question), None)
    assert [(each.comparison, each.value, each.unit) for each in found] == [
        (sign, Decimal(value), unit) for sign, value, unit in conditions
    ]


def test_a_period_is_two_conditions_and_says_its_days() -> None:
    found, rest = take_conditions("上个月签订的合同", TODAY)
    assert [(each.comparison, date.fromordinal(int(each.value)).isoformat()) for each in found] == [
        (">=", "2026-01-01"),
        ("<=", "2026-01-31"),
    ]
    assert found[0].told == "2026-01-01 – 2026-01-31"
    assert rest.split() == ["签订的合同"]


def test_the_names_of_columns_are_no_periods() -> None:
    assert take_conditions("2025年的销量", TODAY, ["2025年"])[0] == ()
    assert len(take_conditions("2025年的销量", TODAY)[0]) == 2


def test_a_month_ends_on_its_last_day() -> None:
    (found,), _ = take_conditions("不超过2025年2月", TODAY)
    assert date.fromordinal(int(found.value)) == date(2025, 2, 28)


def test_without_a_calendar_there_are_no_periods() -> None:
    assert take_conditions("上个月签订的合同", None) == ((), "上个月签订的合同")
