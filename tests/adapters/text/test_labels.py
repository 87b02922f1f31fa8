"""Forms are told from tables, and their values with their labels."""

import pytest

from adapters.text.labels import is_form, is_label, tell_pairs

FORMS = [
    [("Applicant:", "Ada Byron"), ("Amount:", "1,250.00"), ("Paid:", "☑ yes")],
    [("姓名", "陆一鸣", "性别", "男"), ("部门", "质检部", "电话", "6612"), ("入职日期", "2024-03-01")],
    [("名称", "离心泵"), ("型号", "LX-40"), ("出厂日期", "2025年1月"), ("备注", "备用")],
    [("Name", "Ada Byron"), ("Phone", "555 0100"), ("Address", "12 Mill Lane")],
    [("联系人：", "高远"), ("电话：", "")],
]
TABLES = [
    [("姓名", "电话"), ("陆一鸣", "6612"), ("高远", "6613")],
    [("Name", "Phone"), ("Ada", "555")],
    [("名称", "2024年"), ("金额", "55"), ("数量", "6")],
    [("型号", "功率"), ("LX-40", "4 kW")],
    [("项目", "内容"), ("联系人", "高远"), ("电话", "6613")],
    [("金额", "北京", "上海"), ("数量", "3", "4"), ("单价", "5", "6")],
    [("姓名", "陆一鸣")],
    [("", "一季度"), ("金额：", "3")],
]


@pytest.mark.parametrize("rows", FORMS)
def test_a_form_has_labels_in_its_first_row_too(rows: list[tuple[str, ...]]) -> None:
    assert is_form(rows)


@pytest.mark.parametrize("rows", TABLES)
def test_a_table_has_names_above_its_values(rows: list[tuple[str, ...]]) -> None:
    assert not is_form(rows)


def test_a_label_says_what_stands_beside_it() -> None:
    assert all(map(is_label, ("电话", "联系电话", "Order no.", "Cost centre:", "E-mail", "订单编号", "工号", "车牌号")))
    assert not any(map(is_label, ("", "6620", "张三", "3号", "12号楼", "Ada Byron", "x" * 50 + ":")))


def test_values_are_told_with_their_labels() -> None:
    assert tell_pairs(("姓名", "陆一鸣", "", "性别", "男"), "zh") == ["姓名：陆一鸣", "性别：男"]
    assert tell_pairs(("Cost centre:", "CC-1"), "en") == ["Cost centre: CC-1"]
    assert tell_pairs(("总部", "苏州"), "zh") == ["总部：苏州"]
    assert tell_pairs(("Name:", "Phone:", "555"), "en") == ["Name:", "Phone: 555"]
    assert tell_pairs(("3", "4", "5"), "en") == ["3", "4", "5"]
