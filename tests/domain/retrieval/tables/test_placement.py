"""Conditions on the right column, in its unit; undecided where the table leaves it open."""

import pytest

from domain.retrieval.tables.compute import answer_question
from domain.retrieval.tables.table import Table
from tests.support.read_tables import csv_table

GOODS = csv_table(
    """货物,毛重,货值（万元）,破损率,利润（元）
甲货,850 克,3.2,4%,"1,200"
乙货,2.4 公斤,0.8,9%,(300)
丙货,1.1 公斤,12,2%,90
""",
    "货物台账",
)
FRACTIONS = csv_table("Account,Return rate,Fee\nAlder,0.04,5\nBirch,0.11,20\nCedar,0.2,400\n", "Accounts")
TWO = csv_table("货物,甲,乙\nx1,3,4\nx2,5,6\n", "货物")
MIXED = csv_table("Van,Load\nOx,1.2 t\nMule,900 kg\nWren,450 kg\n", "Vans")


def rows_of(question: str, table: Table) -> list[str]:
    finding = answer_question(question, table)
    assert finding is not None
    assert finding.is_computed, finding.statement
    return [table.cell(row, 0) for row in finding.rows]


@pytest.mark.parametrize(
    ("question", "table", "rows"),
    [
        ("毛重超过1公斤的货物有哪些？", GOODS, ["乙货", "丙货"]),
        ("毛重超过900克的货物有哪些？", GOODS, ["乙货", "丙货"]),
        ("货值超过三万元的货物有哪些？", GOODS, ["甲货", "丙货"]),
        ("货值超过3万的货物有哪些？", GOODS, ["甲货", "丙货"]),
        ("货值超过3的货物有哪些？", GOODS, ["甲货", "丙货"]),
        ("货值低于10000元的货物有哪些？", GOODS, ["乙货"]),
        ("破损率超过百分之三的货物有哪些？", GOODS, ["甲货", "乙货"]),
        ("破损率超过0.03的货物有哪些？", GOODS, ["甲货", "乙货"]),
        ("哪些货物亏损？", GOODS, ["乙货"]),
        ("Which accounts have a return rate above 10%?", FRACTIONS, ["Birch", "Cedar"]),
        ("Which accounts have a return rate above 0.1?", FRACTIONS, ["Birch", "Cedar"]),
        ("Which vans have a load of at least 0.9 t?", MIXED, ["Ox", "Mule"]),
    ],
)
def test_conditions_in_other_units_than_the_column(question: str, table: Table, rows: list[str]) -> None:
    assert rows_of(question, table) == rows


def test_how_a_fraction_was_understood_is_said() -> None:
    finding = answer_question("破损率超过0.03的货物有哪些？", GOODS)
    assert finding is not None
    assert "超过0.03 = 3%" in finding.statement


@pytest.mark.parametrize(
    ("question", "table"),
    [
        ("Which vans have a load of more than 800?", MIXED),
        ("哪些货物超过1千克或者3万？", TWO),
    ],
)
def test_what_nobody_can_decide_is_said(question: str, table: Table) -> None:
    finding = answer_question(question, table)
    assert finding is None or not finding.is_computed
