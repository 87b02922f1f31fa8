"""Words for the same property of a thing: 多少钱 asks for what a column calls 单价, "phone" for what a card calls "Tel".

A small fold for the coverage measure (``models.grounding.answerability``) alone. A property that the text speaks of in any of these words
is no evidence either way: whose property it is has to be in the text. One that it does not speak of is missing like any other word.
"""

import re
from typing import NamedTuple

_UNIT = "(?:(?:一|每|/)?(?:斤|公斤|千克|克|吨|升|米|平米|平方米|件|个|只|瓶|盒|箱|包|袋|本|张|次|天|晚|人|位|套|台|份|小时|年|月))?"


class Property(NamedTuple):
    """``asked`` finds it in a folded question, ``said`` in a folded text."""

    asked: re.Pattern[str]
    said: re.Pattern[str]


_PROPERTIES = (
    Property(  # price and amount
        re.compile(
            rf"(?:多少|几块?|什么)(?:钱|价钱?){_UNIT}|几[块元]{_UNIT}|怎么卖|卖多少|价钱|价格|单价|售价|定价|报价|价位|费用|收费|资费|金额"
            r"|\b(?:prices?|costs?|fees?|charges?|amounts?)\b"
        ),
        re.compile(
            r"价钱|价格|单价|售价|定价|报价|价位|价目|票价|费用|收费|资费|金额|费[:：\t]|[0-9](?:\.[0-9]+)?\s?(?:元|块|美元|欧元|rmb|cny|usd|eur)"
            r"|[¥$€£]\s?[0-9]|\b(?:prices?|costs?|fees?|charges?|rates?|amounts?)\b"
        ),
    ),
    Property(  # telephone
        re.compile(r"(?:联系)?电话(?:号码)?|手机号码?|手机|座机|热线|联系方式|\b(?:(?:tele)?phones?(?: numbers?)?|tel|mobile|hotline)\b"),
        re.compile(
            r"电话|手机|座机|分机|热线|联系方式|(?<![0-9])(?:1[3-9][0-9]{9}|0[0-9]{2,3}-?[0-9]{7,8})(?![0-9])|phone|\b(?:tel|mobile|hotline|ext)\b"
        ),
    ),
    Property(  # address
        re.compile(r"地址|住址|位置|地点|\b(?:address(?:es)?|location)\b"),
        re.compile(
            r"地址|住址|位置|地点|位于|坐落|[路街巷道][0-9一二三四五六七八九十百]+号|\b(?:address(?:es)?|located|location|street|road|avenue)\b"
        ),
    ),
    Property(  # time of the day or the year
        re.compile(r"几点钟?|什么时间|时间|日期|\b(?:times?|dates?|hours|schedule)\b"),
        re.compile(
            r"时间|日期|[0-9一二三四五六七八九十]点|(?<![0-9])[0-9]{1,2}:[0-9]{2}|[0-9一二三四五六七八九十][月日时]|\b(?:times?|dates?|hours|[ap]m|schedule)\b"
        ),
    ),
)


def take_properties(folded: str) -> tuple[str, tuple[tuple[Property, str], ...]]:
    """A folded question without the properties it asks for, and those, each with the words that asked."""
    found: list[tuple[Property, str]] = []
    for each in _PROPERTIES:
        if asked := each.asked.search(folded):
            found.append((each, asked.group()))
            folded = each.asked.sub(" ", folded)
    return folded, tuple(found)
