"""What a question asks of a table, and under which conditions."""

from decimal import Decimal

import pytest

from adapters.text.language import fold
from domain.retrieval.tables.wording import read_question


@pytest.mark.parametrize(
    ("question", "operation"),
    [
        ("西芹的单价是多少？", "lookup"),
        ("F4几点开船？", "lookup"),
        ("一共有几家门店？", "count"),
        ("有多少个仓库在杭州？", "count"),
        ("How many lighthouses are on Farrow?", "count"),
        ("哪种蔬菜最贵？", "max"),
        ("面积最小的是哪个？", "min"),
        ("Which loaf is the heaviest?", "max"),
        ("Which is the cheapest station?", "min"),
        ("平均气温是多少？", "mean"),
        ("What is the average height?", "mean"),
        ("金额合计多少？", "sum"),
        ("the total amount of the bills", "sum"),
        ("列出所有会议室", "list"),
        ("哪些平台支持离线？", "list"),
        ("List all stations.", "list"),
        ("甲和乙相差多少？", "compare"),
        ("哪个更贵？", "compare"),
        ("Which is higher, A or B?", "compare"),
        ("What is the difference between A and B?", "compare"),
    ],
)
def test_operations(question: str, operation: str) -> None:
    assert read_question(fold(question)).operation == operation


@pytest.mark.parametrize(
    ("question", "conditions"),
    [
        ("面积超过100亩的", [(">", "100")]),
        ("不超过15元的班次", [("<=", "15")]),
        ("至少3层", [(">=", "3")]),
        ("20人以上的会议室", [(">=", "20")]),
        ("价格在10到20元之间的", [(">=", "10"), ("<=", "20")]),
        ("cost less than 4.50", [("<", "4.50")]),
        ("at least 30 seats", [(">=", "30")]),
        ("between 10 and 20 metres", [(">=", "10"), ("<=", "20")]),
        ("2万元以上", [(">=", "20000")]),
        ("单价是多少", []),
    ],
)
def test_comparisons_with_numbers(question: str, conditions: list[tuple[str, str]]) -> None:
    found = read_question(fold(question)).conditions
    assert [(each.comparison, each.value) for each in found] == [(sign, Decimal(value)) for sign, value in conditions]


def test_a_date_is_compared_as_a_day() -> None:
    (condition,) = read_question("2020年5月1日之后开业的有哪些").conditions
    assert condition.is_date
    assert condition.comparison == ">="


@pytest.mark.parametrize(
    ("question", "top"),
    [("最贵的三个产品", 3), ("销量前5名", 5), ("the top 3 stations", 3), ("the two cheapest stations", 2), ("最贵的产品", 1)],
)
def test_how_many_of_the_largest(question: str, top: int) -> None:
    assert read_question(fold(question)).top == top


def test_words_of_a_column_are_no_words_of_the_form() -> None:
    asked = read_question("which lighthouses were first lit before 1900?", ["first lit"])
    assert asked.operation == "list"
    assert "first lit" in asked.rest


def test_negation() -> None:
    assert read_question("哪些平台不支持离线").negations
    assert read_question("which loaves are not baked on sundays").negations
    assert read_question("北京以外的门店").negations[0].is_behind
    assert not read_question("是不是支持离线").negations
    assert not read_question("哪些账单未付款", cells=["未付款"]).negations


def test_a_question_keeps_its_places() -> None:
    asked = read_question("海拔超过800米的茶园有哪些")
    assert len(asked.rest) == len(asked.question)
    assert asked.rest.split() == ["海拔", "的茶园"]
