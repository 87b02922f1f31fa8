"""Soft line breaks: a wrapped sentence is one line, what was broken on purpose stays broken."""

import pytest

from adapters.parsing.markup.markdown import parse_markdown


@pytest.mark.parametrize(
    "text",
    [
        "单位：远帆船务\n负责人：秦工\n电话：5501-7788\n结算：月结三十天",
        "单位:远帆船务\n负责人:秦工\n办公时间:9:00-18:00",
        "**单位**：远帆船务\n**电话：** 5501-7788",
        "Company: Farsail Shipping\nContact: Q. Sample\nPayment terms: net 45",
        "Farsail Shipping Ltd\n7 Quay Street\nOldport OP1 2AB",
        "远帆船务有限公司\n海港市滨江路七号\n邮编 300001",
        "江上渔舟一点灯，\n秋风吹老岸边藤。\n夜来潮水无声息，\n月照空船不见人。",
        (
            "The boats lie still beneath the silver moon and wait for the tide,\n"
            "The lamps go out along the harbour, one by one in the night,\n"
            "And nobody is there to count them in the morning on the quay."
        ),
        "第一行有两个空格  \n第二行在硬换行之后，句子到这里结束。",
        "远帆船务的联系方式见下，请在工作日九点到十八点之间联系我们的客服人员\n电话：5501-7788",
    ],
)
def test_lines_that_were_ended_on_purpose_stay(text: str) -> None:
    assert parse_markdown(text).text.split("\n") == text.split("\n")


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        (
            "渡轮在三号泊位停靠，乘客凭票从东侧通道上船，行李放在\n下层舱室，航程约四十分钟。",
            "渡轮在三号泊位停靠，乘客凭票从东侧通道上船，行李放在下层舱室，航程约四十分钟。",
        ),
        ("渡轮每天\n八点发船。", "渡轮每天八点发船。"),
        ("The ferry leaves\nat eight.", "The ferry leaves at eight."),
        (
            "The ferry leaves berth three at eight in the morning and returns to\nOldport before noon; see the board for changes.",
            "The ferry leaves berth three at eight in the morning and returns to Oldport before noon; see the board for changes.",
        ),
    ],
)
def test_a_wrapped_sentence_is_joined(text: str, joined: str) -> None:
    assert parse_markdown(text).text == joined


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "A line that ends with a backslash and is long enough to be full\\\nand goes on behind a hard break.",
            "A line that ends with a backslash and is long enough to be full\nand goes on behind a hard break.",
        ),
        ("泊位：三号<br>票价：9元<BR />备注：无", "泊位：三号  \n票价：9元  \n备注：无"),
        ("- berth three<br/>\n  at eight\n- berth four", "- berth three  \n  at eight\n- berth four"),
        ("| a | b |\n|---|---|\n| x<br>y | z |", "| a | b |\n|---|---|\n| x y | z |"),
        ("Write `<br>` where a line ends.<br>\n", "Write `<br>` where a line ends."),
        ("<br>", "<br>"),
    ],
)
def test_a_hard_break_is_a_line_break(text: str, lines: str) -> None:
    assert parse_markdown(text).text.strip() == lines
