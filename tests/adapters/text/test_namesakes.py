"""Names that end alike are told apart."""

import pytest

from adapters.text.namesakes import find_names, is_namesake


@pytest.mark.parametrize(
    ("question", "cells"),
    [
        ("陈晓东的分机号？", ("张晓东", "市场", "6602")),
        ("What is the extension of John Smith?", ("Jane Smith", "Sales", "6602")),
        ("豆浆拿铁多少钱？", ("燕麦拿铁", "33")),
    ],
)
def test_a_row_of_a_namesake(question: str, cells: tuple[str, ...]) -> None:
    assert is_namesake(cells, find_names(question))


@pytest.mark.parametrize(
    ("question", "cells"),
    [
        ("张晓东的分机号？", ("张晓东", "市场", "6602")),
        ("市场部张晓东的分机号？", ("张晓东", "市场", "6602")),
        ("晓东的分机号？", ("张晓东", "市场", "6602")),
        ("拿铁多少钱？", ("冰拿铁", "30")),
        ("研发部的电话？", ("研发中心", "6604")),
        ("What is the extension of Jane Smith?", ("Jane Smith", "Sales", "6602")),
        ("Who is Smith?", ("Jane Smith", "Sales")),
        ("多少钱？", ("燕麦拿铁", "33")),
    ],
)
def test_a_row_that_may_answer(question: str, cells: tuple[str, ...]) -> None:
    assert not is_namesake(cells, find_names(question))
