"""Units: what they measure, and how they convert."""

from decimal import Decimal

import pytest

from domain.retrieval.tables.units import Unit, is_known, read_unit
from tests.support.read_tables import csv_table


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("kg", Unit("mass", Decimal(1000))),
        ("公斤", Unit("mass", Decimal(1000))),
        ("grams", Unit("mass", Decimal(1))),
        ("万元", Unit("money", Decimal(10_000))),
        ("千米", Unit("length", Decimal(1000))),
        ("thousand eur", Unit("eur", Decimal(1000))),
        ("元/公斤", Unit("money/公斤", Decimal(1))),
        ("per cent", Unit("ratio", Decimal("0.01"))),
        ("万人", Unit("人", Decimal(10_000))),
        ("颗", Unit("颗")),
        ("", Unit("")),
    ],
)
def test_units(text: str, unit: Unit) -> None:
    assert read_unit(text) == unit


def test_a_word_behind_a_number_is_no_unit_of_measurement() -> None:
    assert is_known(read_unit("元/公斤"))
    assert not is_known(read_unit("颗"))


def test_bare_numbers_are_of_the_columns_unit() -> None:
    table = csv_table("货物,重量（吨）,单价/元\n甲货,2,5\n乙货,800 公斤,7\n", "货物")
    weight, price = table.columns[1:]
    assert [table.value(row, weight) for row in (0, 1)] == [Decimal(2_000_000), Decimal(800_000)]
    assert table.unit_of(weight, (0, 1)) == "吨"
    assert price.unit == "元"


@pytest.mark.parametrize(
    ("cells", "units"),
    [
        (("2 kg", "800 g"), []),
        (("2 kg", "3 m"), ["kg", "m"]),
        (("2 kg", "800 g", "5"), ["", "g", "kg"]),
        (("4%", "0.05"), ["", "%"]),
        (("4 kg", "5"), []),
    ],
)
def test_units_that_do_not_measure_the_same_are_told(cells: tuple[str, ...], units: list[str]) -> None:
    lines = "\n".join(f"r{number}x,{cell}" for number, cell in enumerate(cells))
    table = csv_table(f"Item,Amount\n{lines}\n", "Items")
    assert table.mixed_units(table.columns[1], range(len(cells))) == units
