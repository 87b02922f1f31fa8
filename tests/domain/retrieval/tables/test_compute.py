"""Answers computed from tables: the right rows and values, and a plain word where there is none."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.parsing.markup.markdown import parse_markdown
from domain.retrieval.tables.compute import Finding, answer_question
from domain.retrieval.tables.table import Table
from tests.support.read_tables import csv_table, hits_of, read_whole, table_of

HOTELS = csv_table(
    """客栈,所在古镇,房间数,平日价（元）,周末价（元）,可带宠物,开业日期
听雨楼,乌石镇,12,260,320,是,2015-03-01
望江阁,乌石镇,30,420,560,否,2009-10-12
半山居,枫林镇,8,380,450,是,2021-05-20
石桥小筑,枫林镇,16,198,240,否,2018-07-07
老茶馆,清源镇,21,300,300,否,2012-11-30
""",
    "古镇客栈",
)
PUMPS = csv_table(
    """Model,Series,Flow (l/min),Weight,Price
AX-10,Alpha,40,4.5 kg,120
AX-20,Alpha,75,6.8 kg,"1,150"
BX-10,Beta,40,5.1 kg,180
BX-30,Beta,120,11.0 kg,640
""",
    "Pump catalogue",
)


def found(question: str, table: Table) -> Finding:
    finding = answer_question(question, table)
    assert finding is not None, question
    return finding


def names(finding: Finding, table: Table) -> list[str]:
    return [table.cell(row, 0) for row in finding.rows]


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("半山居的周末价是多少？", ["半山居"]),
        ("石桥小筑什么时候开业的？", ["石桥小筑"]),
        ("老茶馆在哪个古镇？", ["老茶馆"]),
        ("介绍一下望江阁", ["望江阁"]),
        ("枫林镇有哪些客栈？", ["半山居", "石桥小筑"]),
        ("可带宠物的客栈有哪些？", ["听雨楼", "半山居"]),
        ("哪些客栈不可带宠物？", ["望江阁", "石桥小筑", "老茶馆"]),
        ("房间数不少于16的客栈有哪些？", ["望江阁", "石桥小筑", "老茶馆"]),
        ("平日价低于300元的客栈", ["听雨楼", "石桥小筑"]),
        ("2016年1月1日之后开业的客栈有哪些", ["半山居", "石桥小筑"]),
        ("乌石镇可带宠物的客栈有哪些", ["听雨楼"]),
        ("房间数最多的客栈是哪家？", ["望江阁"]),
        ("枫林镇周末价最高的客栈是哪家？", ["半山居"]),
        ("房间数最多的两家客栈", ["望江阁", "老茶馆"]),
        ("最早开业的是哪家客栈？", ["望江阁"]),
    ],
)
def test_rows_of_chinese_questions(question: str, rows: list[str]) -> None:
    assert names(found(question, HOTELS), HOTELS) == rows


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("What is the price of AX-20?", ["AX-20"]),
        ("How heavy is the BX 30?", ["BX-30"]),
        ("Which models belong to the Beta series?", ["BX-10", "BX-30"]),
        ("List all pumps with a flow over 50.", ["AX-20", "BX-30"]),
        ("Which model is the lightest?", ["AX-10"]),
        ("Which Alpha model is the most expensive?", ["AX-20"]),
        ("Which pumps cost less than 200?", ["AX-10", "BX-10"]),
        ("top 2 models by flow", ["BX-30", "AX-20"]),
    ],
)
def test_rows_of_english_questions(question: str, rows: list[str]) -> None:
    assert names(found(question, PUMPS), PUMPS) == rows


@pytest.mark.parametrize(
    ("question", "table", "says"),
    [
        ("一共有几家客栈？", HOTELS, "5"),
        ("乌石镇有多少家客栈？", HOTELS, "共 2 行"),
        ("客栈分布在几个古镇？", HOTELS, "3 个不同的值"),
        ("所有客栈一共有多少房间？", HOTELS, "87"),
        ("平日价的平均是多少？", HOTELS, "311.6"),
        ("听雨楼和望江阁的周末价相差多少？", HOTELS, "240"),
        ("每个古镇有几家客栈？", HOTELS, "枫林镇：2"),
        ("How many models does the Beta series have?", PUMPS, "2 of 4"),
        ("What is the total price of all pumps?", PUMPS, "2,090"),
        ("What is the difference in weight between AX-10 and BX-10?", PUMPS, "0.6 kg"),
    ],
)
def test_numbers(question: str, table: Table, says: str) -> None:
    assert says in found(question, table).statement


@pytest.mark.parametrize(
    ("question", "table", "says"),
    [
        ("哪家客栈的价格最高？", HOTELS, "没有说明是哪一列（“平日价（元）”、“周末价（元）”）"),
        ("半山居的老板是谁？", HOTELS, "没有问题所问的那一列"),
        ("Who built the AX-10?", PUMPS, "no column"),
    ],
)
def test_what_cannot_be_computed_is_said(question: str, table: Table, says: str) -> None:
    finding = found(question, table)
    assert says in finding.statement
    assert not finding.is_computed


@pytest.mark.parametrize(
    ("question", "table"),
    [
        ("长城有多长？", HOTELS),
        ("清风楼的周末价是多少？", HOTELS),
        ("公司的年假有几天？", HOTELS),
        ("哪些员工可以申请补贴？", HOTELS),
        ("What is the price of CX-99?", PUMPS),
        ("How many moons does Jupiter have?", PUMPS),
        ("Which employees work in Berlin?", PUMPS),
        ("你好", HOTELS),
    ],
)
def test_a_question_about_something_else_is_not_answered(question: str, table: Table) -> None:
    assert answer_question(question, table) is None


def test_a_cell_that_begins_with_the_name_of_a_column_is_a_cell() -> None:
    table = csv_table("订单号,产品,数量\nD1,产品17,2\nD2,产品3,17\nD3,产品17,5\n", "订单")
    assert names(found("产品17有多少个订单？", table), table) == ["D1", "D3"]
    assert names(found("数量为17的订单有哪些？", table), table) == ["D2"]


def test_levels_of_a_header_that_share_letters_are_told_apart() -> None:
    table = table_of(("门店", "前三月 / 客流", "后三月 / 客流"), [("东门店", "10", "40"), ("西门店", "30", "20")], "门店客流")
    assert names(found("前三月客流最大的门店是哪个？", table), table) == ["西门店"]
    assert "60" in found("后三月的客流一共是多少？", table).statement


def test_every_in_a_cell_asks_for_no_groups() -> None:
    table = csv_table("鱼缸,换水,容积（升）\n甲缸,每周,60\n乙缸,每月,90\n丙缸,每周,30\n", "鱼缸")
    assert names(found("哪些鱼缸是每周换水的？", table), table) == ["甲缸", "丙缸"]
    assert "共 2 行" in found("每周换水的鱼缸有几个？", table).statement


def test_different_units_are_not_added_or_compared() -> None:
    table = csv_table("货物,规格量\n木箱,12 kg\n绳子,800 m\n", "货物清单")
    finding = found("规格量最大的是哪种货物？", table)
    assert not finding.is_computed
    assert "kg" in finding.statement


STAFF = csv_table(
    """姓名,部门,城市,月薪（元）,入职日期,学历,绩效
赵一鸣,研发部,北京,"18,500",2019-03-11,硕士,A
钱小雨,研发部,上海,"21,000",2021-07-01,博士,B
孙立,市场部,北京,"12,000",2025-02-17,本科,
李梅,市场部,广州,"9,800",2026-10-08,本科,C
周涛,行政部,上海,"8,600",2018-11-23,大专,B
吴迪,研发部,广州,"16,200",2026-11-03,硕士,A
""",
    "员工花名册",
)
SALES = csv_table(
    """Region,Product,Units,Revenue ($ thousand),Closed on
North,Kettle,120,45.2,2026-11-14
North,Lamp,80,30,2026-10-05
South,Kettle,200,77.5,2026-07-30
South,Desk,15,(4.1),2025-12-12
East,Lamp,60,22.75,2025-06-01
East,Desk,40,61,
""",
    "Regional sales",
)


@pytest.mark.parametrize(
    ("question", "table", "rows"),
    [
        ("月薪第二高的是谁？", STAFF, [0]),
        ("研发部不在北京的员工有哪些？", STAFF, [1, 5]),
        ("北京和上海以外的员工有哪些？", STAFF, [3, 5]),
        ("除了研发部以外的员工有哪些？", STAFF, [2, 3, 4]),
        ("月薪超过一万五的有谁？", STAFF, [0, 1, 5]),
        ("上个月入职的是谁？", STAFF, [3]),
        ("11月入职的员工有哪些？", STAFF, [4, 5]),
        ("2020年以前入职的员工有哪些？", STAFF, [0, 4]),
        ("绩效为空的员工是谁？", STAFF, [2]),
        ("哪些员工没有绩效？", STAFF, [2]),
        ("Which sales are not in the North?", SALES, [2, 3, 4, 5]),
        ("Which sales have a revenue over fifty thousand dollars?", SALES, [2, 5]),
        ("Which sales closed last quarter?", SALES, [2]),
        ("Which sales closed in December 2025?", SALES, [3]),
        ("Which sale had the third lowest units?", SALES, [4]),
    ],
)
def test_rows_by_rank_negation_period_and_gap(question: str, table: Table, rows: list[int]) -> None:
    finding = answer_question(question, table, date(2026, 11, 30))
    assert finding is not None
    assert finding.is_computed
    assert list(finding.rows) == rows


@pytest.mark.parametrize(
    ("question", "table", "says"),
    [
        ("学历有几种？", STAFF, "4 个不同的值"),
        ("How many distinct products are there?", SALES, "3 different values"),
        ("哪个部门的人数最多？", STAFF, "研发部（3）"),
        ("哪个部门的平均月薪最高？", STAFF, "研发部（18,566.67元）"),
        ("Which region has the highest total revenue?", SALES, "East (83.75 ($ thousand))"),
        ("月薪总额是多少万元？", STAFF, "8.61万元"),
        ("月薪的中位数是多少？", STAFF, "14,100元"),
        ("上个月入职的是谁？", STAFF, "上个月 = 2026-10-01 – 2026-10-31"),
    ],
)
def test_groups_and_what_was_understood(question: str, table: Table, says: str) -> None:
    finding = answer_question(question, table, date(2026, 11, 30))
    assert finding is not None
    assert says in finding.statement


@pytest.mark.parametrize(
    ("question", "table"),
    [
        ("研发部占总人数的百分之几？", STAFF),
        ("月薪低于平均值的员工有哪些？", STAFF),
        ("入职超过五年的员工有哪些？", STAFF),
        ("What is the growth of the units?", SALES),
    ],
)
def test_what_is_not_worked_out_is_said(question: str, table: Table) -> None:
    finding = answer_question(question, table, date(2026, 11, 30))
    assert finding is not None
    assert not finding.is_computed


def test_two_rows_are_compared_by_all_that_names_them() -> None:
    """North is a region of two rows: without its product nobody knows which is meant."""
    said = found("Compare the units of the North Lamp and the East Lamp", SALES)
    assert set(said.rows) == {1, 4}
    assert "North is 20 more than East" in said.statement


def test_units_of_one_measure_are_converted() -> None:
    table = csv_table("货物,重量\n木箱,1.2 kg\n纸箱,800 g\n铁箱,950 g\n", "货物清单")
    assert names(found("哪种货物最重？", table), table) == ["木箱"]
    assert "2,950 g" in found("重量一共是多少？", table).statement
    assert "2.95公斤" in found("重量一共是多少公斤？", table).statement


def test_rows_without_a_value_are_counted_apart() -> None:
    table = csv_table("站点,客流\n南湖,120\n北湖,暂无\n东湖,80\n", "站点客流")
    assert "2 行相加，另有 1 行没有数值" in found("客流合计是多少？", table).statement


def test_a_table_of_which_a_part_is_missing_is_not_computed() -> None:
    rows = [(f"站{n}", str(n)) for n in range(400)]
    table = table_of(("站名", "客流"), rows, "客流表", 64)
    whole = found("客流最大的站是哪个？", table)
    assert names(whole, table) == ["站399"]
    part = Table(table.columns, table.rows[:300], table.chunks, table.part, table.total, table.context, table.folds[:300])
    finding = found("客流最大的站是哪个？", part)
    assert not finding.is_computed
    assert "400 行" in finding.statement
    assert "300 行" in finding.statement


def test_a_long_list_says_how_much_of_it_is_shown() -> None:
    table = table_of(("展品", "展厅"), [(f"展品{n}", "一号厅" if n % 2 else "二号厅") for n in range(100)], "展品目录")
    finding = found("列出一号厅的所有展品", table)
    assert len(finding.rows) == 30
    assert "共 50 行" in finding.statement
    assert "30" in finding.statement
    assert "部分" in finding.statement


def test_nothing_matches() -> None:
    finding = found("平日价低于100元的客栈有几家？", HOTELS)
    assert finding.rows == ()
    assert "0 行" in finding.statement


def test_a_list_is_answered_by_its_items() -> None:
    table = read_whole(hits_of(parse_markdown("# 夜巡须带的物品\n\n- 手电\n- 对讲机\n- 雨衣\n"), "巡查手册"))
    finding = found("夜巡须带的物品有哪些？请列出", table)
    assert [table.cell(row, 0) for row in finding.rows] == ["手电", "对讲机", "雨衣"]
    assert answer_question("禁止吸烟的区域有哪些？", table) is None
    assert answer_question("手电放在哪里？", table) is None


COLUMNS = st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=40)


@given(COLUMNS)
def test_extremes_and_sums_agree_with_arithmetic(numbers: list[int]) -> None:
    table = table_of(("编组", "载客量"), [(f"列车{n}x", f"{number:,}") for n, number in enumerate(numbers)], "列车表")
    most = found("载客量最大的列车是哪个？", table)
    assert {numbers[row] for row in most.rows} == {max(numbers)}
    least = found("载客量最小的列车是哪个？", table)
    assert {numbers[row] for row in least.rows} == {min(numbers)}
    assert f"{Decimal(sum(numbers)):,}" in found("载客量的总和是多少？", table).statement


@given(COLUMNS, st.integers(-(10**6), 10**6))
def test_filters_agree_with_arithmetic(numbers: list[int], bound: int) -> None:
    if bound < 0:
        bound = -bound
    table = table_of(("编组", "载客量"), [(f"列车{n}x", str(number)) for n, number in enumerate(numbers)], "列车表")
    finding = found(f"载客量超过{bound}的列车有几个？", table)
    assert f"{sum(number > bound for number in numbers)} 行" in finding.statement
