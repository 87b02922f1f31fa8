"""Sentences as they can be quoted; an answer goes with its question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.models.grounding.statements import ANSWER_CHARS_MAX, ITEMS_MAX, read_statements


@pytest.mark.parametrize(
    ("passage", "statements"),
    [
        ("塔高九米。塔建于1932年。", [("塔高九米。", ""), ("塔建于1932年。", "")]),
        ("问：可以退货吗？\n答：可以。请带小票。\n\n塔高九米。", [("答：可以。请带小票。", "问：可以退货吗？"), ("塔高九米。", "")]),
        ("### Can I bring a dog?\n\nYes. On a lead.", [("Yes. On a lead.", "### Can I bring a dog?")]),
        ("几楼？四楼。谁？", [("四楼。", "几楼？"), ("谁？", "")]),
        ("谁？\n何时？\n九月。", [("谁？", ""), ("九月。", "何时？")]),
        ("何时？" + "好。" * 200, [("好。" * (ANSWER_CHARS_MAX // 2), "何时？"), *[("好。", "")] * (200 - ANSWER_CHARS_MAX // 2)]),
        ("“走吗？”他问。\n不走。", [("“走吗？”他问。", ""), ("不走。", "")]),
        ("", []),
    ],
)
def test_statements(passage: str, statements: list[tuple[str, str]]) -> None:
    assert [(each.text, each.question) for each in read_statements(passage)] == statements


@pytest.mark.parametrize(
    ("passage", "line", "items"),
    [
        ("随身携带：\n\n1. 身份证\n2. 药品\n\n其他物品托运。", "随身携带：", ("1. 身份证", "2. 药品")),
        ("# Tools\n\n* saw\n* plane\n# More\n* file", "# Tools", ("* saw", "* plane")),
        ("- 木工\n  - 锯\n  - 刨\n- 钳工\n  - 锉", "- 木工", ("- 锯", "- 刨")),
        ("要带哪些？\n（1）锯\n（2）刨", "要带哪些？", ("（1）锯", "（2）刨")),
        ("The shop closes.\n- saw", "The shop closes.", ()),
        ("随身携带：\n\n药品\n雨具\n\n其他", "随身携带：", ("药品", "雨具")),
        ("随身携带：\n药品", "随身携带：", ()),
        ("说明如下：\n\n先断电。\n再拆盖。", "说明如下：", ()),
        ("随身携带：3.5 千克", "随身携带：3.5 千克", ()),
    ],
)
def test_a_line_that_introduces_a_list_has_its_items(passage: str, line: str, items: tuple[str, ...]) -> None:
    assert next(each.items for each in read_statements(passage) if each.text == line) == items


def test_of_a_long_list_so_many_items_are_taken() -> None:
    passage = "Parts:\n" + "\n".join(f"- part {n}" for n in range(100))
    assert len(read_statements(passage)[0].items) == ITEMS_MAX


@given(st.text("问答ab？?。.\n ”", max_size=60))
def test_statements_are_literal_and_nothing_is_lost(passage: str) -> None:
    found = read_statements(passage)
    assert all(each.text in passage and each.question in passage for each in found)
    said = "".join(part for each in found for part in (each.question, each.text))
    assert sorted("".join(said.split())) == sorted("".join(passage.split()))
