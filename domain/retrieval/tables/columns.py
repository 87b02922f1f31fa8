"""The columns that a question names: in the header's words, in part of them, or in other words for the same property."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from adapters.text.attributes import Property
from domain.retrieval.tables.conditions import blank_span
from domain.retrieval.tables.table import WORD, Column, Table, stem

PART_CHARS_MIN = 2  # of a Chinese name
WHOLE, PART, LEAF, SYNONYM = 1.0, 0.75, 0.6, 0.5  # strength of a mention
_ASCII = re.compile(r"[ -~]*")
NAMING = re.compile(
    r"序号|编号|编码|代码|号码|电话|手机|邮编|工号|学号|^no\.?$|^#$|\b(?:id|code|number|phone|zip|index)\b"
)  # numbers that name


def _property(asked: str, said: str) -> Property:
    """Of columns: ``said`` finds it in the folded name of one."""
    return Property(re.compile(asked), re.compile(said))


PROPERTIES: dict[str, Property] = {
    "price": _property(
        r"多少钱|几块钱?|几元|价格|价钱|单价|售价|报价|定价|费用|收费|花费|怎么卖"
        r"|\b(?:prices?|costs?|fees?|charges?|how much|expensive|cheap)\b",
        r"价|费|金额|元/|\b(?:price|cost|fee|rate|charge|amount|rent|fare)s?\b",
    ),
    "pay": _property(r"工资|薪[水资酬]|收入|\b(?:salar(?:y|ies)|wages?|pay|earns?)\b", r"月薪|年薪|工资|薪资|薪酬|\b(?:salary|wage|pay)\b"),
    "phone": _property(
        r"电话|手机|分机|联系方式|热线|\b(?:tele)?phones?\b|\btel\b|\bextension\b",
        r"电话|手机|分机|热线|\b(?:phone|tel|mobile|ext|extension)\b",
    ),
    "place": _property(
        r"哪里|哪儿|在哪|何处|什么地方|地址|地点|位置|\bwhere\b|\b(?:location|place|address)\b",
        r"地址|地点|位置|所在|城市|产地|楼层|存放|库位|\b(?:location|address|city|place|room|venue|shelf|site|floor|country|region)\b",
    ),
    "person": _property(
        r"谁|哪位|老师|何人|什么人|\bwho\b|\bwhose\b|\bteach(?:er|es)?\b|\bperson\b",
        r"负责人|责任人|联系人|经办|主管|经理|店长|馆长|教练|教师|老师|作者|讲师|导师|船长|管理员|姓名|\b(?:owner|manager|contact|lead|head|person|author|keeper|captain|coach|curator|instructor|teacher)\b",
    ),
    "time": _property(
        r"什么时候|何时|几点|几号|哪天|哪一天|时间|日期|哪年|哪一年|年份|\bwhen\b|\bwhat (?:time|date|year)\b|\bwhich year\b",
        r"时间|日期|时刻|年份|^年$|年度|到期|开馆|开业|建成|\b(?:time|date|year|day|opened|founded|built|deadline|due|departs?|departure|arrival|expiry|hours|since|updated)\b",
    ),
    "people": _property(
        r"多少人|几个人|几人|人数|\bhow many (?:people|persons|guests|employees|staff|seats|members|visitors)\b",
        r"人数|人员|员工|容纳|座位|客容量|\b(?:headcount|employees|staff|capacity|seats|people|guests|members|visitors)\b",
    ),
    "quantity": _property(
        r"数量|库存|存量|剩多少|还有多少|\bhow many\b|\b(?:quantity|stock)\b",
        r"数量|库存|存量|件数|\b(?:quantity|qty|stock|count|units|copies)\b",
    ),
    "weight": _property(r"多重|重量|\bweighs?\b|\bheavy\b|\bhow heavy\b", r"重量|净重|毛重|载重|\b(?:weight|mass)\b"),
    "area": _property(r"多大|面积|\bhow (?:big|large)\b", r"面积|\b(?:area|size)\b"),
    "height": _property(r"多高|\bhow (?:tall|high)\b", r"高度|身高|海拔|\b(?:height|elevation|altitude)\b"),
    "length": _property(r"多长|\bhow long\b", r"长度|里程|全长|时长|\b(?:length|distance|duration)\b"),
    "distance": _property(r"多远|\bhow far\b", r"距离|里程|航程|\b(?:distance|range)\b"),
    "duration": _property(
        r"多久|多长时间|几天|\bhow long\b|\bhow many (?:days|hours|weeks|months|years|minutes)\b",
        r"时长|天数|周期|期限|工期|质保|保修|\b(?:duration|days|period|lead time|warranty|term|hours|weeks|months)\b",
    ),
    "speed": _property(r"多快|\bhow fast\b", r"速度|时速|\bspeed\b"),
    "age": _property(r"多大年纪|年龄|几岁|\bhow old\b", r"年龄|\bage\b"),
    "name": _property(r"叫什么|什么名字|\bnames?\b", r"名称|姓名|品名|\b(?:name|title)\b"),
}


# Where a value may be in a column of either: the words around it in the question, the name of the column.
DIRECTIONS = (
    _property(r"\bfrom\b|\bleaves?\b|\bleft\b|从|自|出发|始发|离开", r"出发|起点|始发|发站|起始|来源|\b(?:origin|from|departure|source)\b"),
    _property(r"\bto\b|\barriv|\breach|到|至|往|去|抵", r"到达|终点|目的|到站|去向|\b(?:destination|to|arrival|target)\b"),
)


class Mention(NamedTuple):
    """A column that the question names; ``start == end`` when no words of the question are its own."""

    column: int
    strength: float
    start: int
    end: int


def find_columns(rest: str, question: str, table: Table) -> tuple[list[Mention], str]:
    """The columns named, strongest first, and ``rest`` without the words that name them.

    A longer name goes before one inside it. Other words for a property count where the question names no column in its own.
    """
    found = sorted(
        (each for column in table.columns if (each := _mention(rest, column, table))), key=lambda one: (-one.strength, one.start - one.end)
    )
    chosen: list[Mention] = []
    for mention in found:
        inside = any(other.start <= mention.start and mention.end <= other.end and other[2:] != mention[2:] for other in chosen)
        weaker = any(other[2:] == mention[2:] and other.strength > mention.strength for other in chosen)
        if not inside and not weaker:
            chosen.append(mention)
    return _add_synonyms(chosen, _blank_names(rest, chosen, table), question, table)


def _blank_names(rest: str, mentions: Sequence[Mention], table: Table) -> str:
    """``rest`` without the words that name columns, upper levels included."""
    for mention in mentions:
        rest = blank_span(rest, mention.start, mention.end)
        for level in table.columns[mention.column].levels[:-1]:
            if (at := _find_whole(rest, level)) >= 0:
                rest = blank_span(rest, at, at + len(level))
    return rest


def _add_synonyms(mentions: list[Mention], rest: str, question: str, table: Table) -> tuple[list[Mention], str]:
    """The mentions, with the columns that the question means by other words, and ``rest`` without those."""
    named = {mention.column for mention in mentions}
    found = list(mentions)
    for sought in PROPERTIES.values():
        if asked := sought.asked.search(question):
            meant = [column for column in table.columns if column.index not in named and _says(sought, column)]
            is_named = any(_says(sought, table.columns[mention.column]) for mention in mentions)
            if meant and not is_named:
                found += [Mention(column.index, SYNONYM, asked.start(), asked.start()) for column in meant]
            if meant or is_named:
                for at in sought.asked.finditer(question):
                    rest = blank_span(rest, at.start(), at.end())
    return found, rest


def columns_of(name: str, columns: Iterable[Column]) -> list[Column]:
    """The columns that hold a property."""
    return [column for column in columns if _says(PROPERTIES[name], column)]


def _says(each: Property, column: Column) -> bool:
    return any(each.said.search(level) for level in column.levels) or (
        each is PROPERTIES["price"] and column.unit.startswith(("元", "¥", "$", "€"))
    )


def _mention(rest: str, column: Column, table: Table) -> Mention | None:
    """How the question names a column; of a header with levels it has to name the upper one as well, where others share the lowest."""
    if not column.levels:
        return None
    last = _find_name(rest, column.folded)
    if last is None:
        return None
    upper = [_is_named(rest, level) for level in column.levels[:-1]]
    if all(upper):
        start, end, share = last
        return Mention(column.index, share + 0.1 * len(upper), start, end)
    shared = sum(other.folded == column.folded for other in table.columns) > 1
    return Mention(column.index, min(last[2], LEAF), last[0], last[1]) if not shared or not any(upper) else None


def _is_named(rest: str, level: str) -> bool:
    """Whether the question has all of an upper level: 上半年 is not 下半年, though they share most of their letters."""
    if _find_whole(rest, level) >= 0:
        return True
    found = _find_words(rest, level) if _ASCII.fullmatch(level) else None
    return found is not None and found[2] == WHOLE


def _find_name(rest: str, name: str) -> tuple[int, int, float] | None:
    """Where the question says a name, or enough of it, and how strong that is."""
    at = _find_whole(rest, name)
    if at >= 0:
        return at, at + len(name), WHOLE
    if _ASCII.fullmatch(name):
        return _find_words(rest, name)
    for size in range(len(name) - 1, PART_CHARS_MIN - 1, -1):
        for part in (name[-size:], name[:size]):  # the noun stands last: 出厂价格; else the first half: 库存数量
            at = rest.find(part)
            if at >= 0 and (part == name[-size:] or 2 * size >= len(name)):
                return at, at + size, PART
    return None


def _find_whole(rest: str, name: str) -> int:
    """A name in the question; letters and digits around it belong to other words."""
    if len(name) < PART_CHARS_MIN and not name.isalnum():
        return -1
    if len(name) == 1 and not name.isascii():
        return -1
    at = rest.find(name)
    while at >= 0:
        before, after = rest[max(0, at - 1) : at], rest[at + len(name) : at + len(name) + 1]
        if not (_touches(before, name[0]) or _touches(after, name[-1])):
            return at
        at = rest.find(name, at + 1)
    return -1


def _touches(outside: str, edge: str) -> bool:
    """Whether two characters belong to one word or number."""
    if not outside.isascii() or not outside.isalnum() or not edge.isascii() or not edge.isalnum():
        return False
    return outside.isdigit() == edge.isdigit() or outside.isalpha() == edge.isalpha()


def _find_words(rest: str, name: str) -> tuple[int, int, float] | None:
    """A name of several words, in any order and form; the last one, which is its noun, has to be there, or the only other."""
    wanted = [stem(word) for word in WORD.findall(name)]
    wanted = [word for word in wanted if word]
    if not wanted:
        return None
    places = {stem(word.group()): word.span() for word in WORD.finditer(rest)}
    held = [word for word in wanted if word in places]
    if not held or 2 * len(held) < len(wanted) or (len(held) < len(wanted) and wanted[-1] not in held and wanted[0] not in held):
        return None
    start = min(places[word][0] for word in held)
    end = max(places[word][1] for word in held)
    near = end - start <= sum(len(word) + 6 for word in held)
    if not near:
        start, end = places[held[-1]]
    return start, end, WHOLE if len(held) == len(wanted) else PART


def measured_columns(table: Table, columns: Sequence[int] | None = None) -> list[Column]:
    """The columns with an order, or those of them; numbers that only name something have none."""
    chosen = table.columns if columns is None else [table.columns[index] for index in columns]
    return [column for column in chosen if column.is_measured and not NAMING.search(" ".join(column.levels))]
