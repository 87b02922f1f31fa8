"""What a question asks of a table: count, list, the largest, a sum, a comparison, or what stands in a row; and its conditions in numbers.

Everything reads folded questions. What was understood is blanked out by spaces of the same length, so that what is left over can be held
against the table: words that neither the question's form nor the table explains say that the table is not what is asked about.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, NamedTuple

from adapters.text.numerals import BELOW_TWENTY, ORDINALS, read_numeral
from domain.retrieval.tables.conditions import Condition, blank, blank_span, take_conditions
from domain.retrieval.tables.units import ASKED

Operation = Literal["lookup", "list", "count", "max", "min", "sum", "mean", "median", "compare", "beyond"]
Aggregate = Literal["", "sum", "mean", "count"]

TOP_MAX = 50
HIDDEN = "\ue000"  # stands for a letter of a column's name while the form is read; of private use, so no question has it
_NUMERALS = "一二三四五六七八九十两"
_SPELLED = "|".join(name for name, value in BELOW_TWENTY.items() if 1 <= value <= 10)  # noqa: PLR2004
_MEASURE = "个家种名位人项条台件款行间处座辆本门只份次类张套支部所场期块栋道笔班支颗棵匹头艘架届支副瓶盒箱包袋款"
_COUNT_NOUN = rf"[{_MEASURE}]"

# The property that a superlative measures, as far as its word says; "" for one that measures anything (highest, 最大).
_MOST = (
    ("price", r"最贵|最昂贵|价格?最高|\bmost expensive\b|\bpriciest\b|\bdearest\b|\bcostliest\b"),
    ("time", r"最晚|最迟|最新|最后|\blatest\b|\bnewest\b|\bmost recent\b|\bmost recently\b|\blast\b"),
    ("weight", r"最重|\bheaviest\b"),
    ("length", r"最长|最久|\blongest\b"),
    ("height", r"\btallest\b"),
    ("speed", r"最快|\bfastest\b|\bquickest\b"),
    (
        "",
        r"最[高大多强宽深厚远热]|最大值|最高值|排名?第一|\b(?:highest|largest|biggest|greatest|maximum|max|most|widest|deepest|top|strongest)\b",
    ),
)
_LEAST = (
    ("price", r"最便宜|最廉价|最实惠|\bcheapest\b|\bleast expensive\b"),
    ("time", r"最早|最先|最旧|最老|\bearliest\b|\boldest\b|\bfirst\b"),
    ("weight", r"最轻|\blightest\b"),
    ("length", r"最短|\bshortest\b"),
    ("speed", r"最慢|\bslowest\b"),
    ("", r"最[低小少弱窄浅薄近冷]|最小值|最低值|倒数第一|\b(?:lowest|smallest|least|minimum|min|fewest|narrowest)\b"),
)
_SUPERLATIVES: tuple[tuple[Literal["max", "min"], str, re.Pattern[str]], ...] = (
    *(("max", name, re.compile(pattern)) for name, pattern in _MOST),
    *(("min", name, re.compile(pattern)) for name, pattern in _LEAST),
)
_TOP = re.compile(
    rf"前(?P<zh>\d{{1,2}}|[{_NUMERALS}])(?!个?月|年|天|周|个?季|日|个?小时){_COUNT_NOUN}?|\btop (?P<en>\d{{1,2}}|{_SPELLED})\b"
    rf"|的(?P<zh_of>\d{{1,2}}|[二三四五六七八九十两]){_COUNT_NOUN}"
    rf"|(?<=\bthe )(?P<en_of>\d{{1,2}}|{_SPELLED})(?= (?:\w+ ){{0,2}}(?:most|least|highest|lowest|[\w\ue000]{{2,20}}est)\b)"
)
_HIGH, _LOW = "高大多贵重长快远强新晚", "低小少轻短慢近旧早"
_RANK = re.compile(
    rf"(?P<last>倒数)?第(?P<zh>\d{{1,2}}|[二三四五六七八九十])(?P<adjective>便宜|[{_HIGH}{_LOW}]|(?=名|位|的))"
    rf"|\b(?P<en>{'|'.join(ORDINALS)})[- ](?=(?:most|least|highest|lowest|[a-z]{{2,12}}est)\b)"
)
_LEADING = re.compile(r"前\S|\btop \S")
_MEAN = re.compile(r"平均(?:值|数)?(?:是|为)?|均值|\b(?:average|mean)\b")
_MEDIAN = re.compile(r"中位(?:数|值)(?:是|为)?|\bmedian\b")
# What is asked of tables and not worked out here.
_BEYOND = re.compile(
    r"同比|环比|增长率|增长了?(?:多少|几)|下降了?(?:多少|几)|增幅|涨幅|跌幅|趋势|相关性|标准差|方差|预测|占比|百分比|所占的?比例|占.{0,12}(?:多少|几成|百分之几)"
    r"|(?:[过于]|不到|不足|达到)(?:了)?(?:平均|均值|中位)"
    r"|\b(?:than|above|below|over|under|exceed(?:s|ing)?) (?:the )?(?:average|mean|median)\b"
    r"|\b(?:year[- ]on[- ]year|year[- ]over[- ]year|yoy|growth|correlat\w{1,5}|trend|forecast|standard deviation|variance)\b"
    r"|\bwhat (?:percentage|share|proportion|fraction)\b"
)
_SUM = re.compile(
    r"(?:总共|一共|总计|合计|共计|总和|总额|总量|总数|总的?|加起来|加在一起|累计)(?:是|为|有)?"
    r"|\b(?:total|sum|altogether|combined|overall|in all)\b"
)
_COUNT = re.compile(
    rf"(?:共|总共|一共|分别)?(?:有|是|设有?|包含|包括)?(?:着|了)?(?:多少|几)(?:{_COUNT_NOUN}(?!月|日)(?:不同的?)?|(?=[^\W\d_是为钱？?]{{2}}))"
    r"|数量是多少|\b(?:how many|number of|count(?: of| the)?)\b(?: (?:different|distinct|unique))?"
)
_ASKED_UNIT = re.compile(ASKED)
_NO_COUNT = re.compile(r"多少钱|多少[？?\s]*$|几[点月日号楼层时]|how many (?:hours|days|minutes|weeks|months|years|km|kilometres|kg)\b")
_LIST = re.compile(
    r"列出|列举|罗列|列一下|(?:都|分别)?有哪(?:些|几)[个家种名位项条台件款行间处座辆本门类]?|哪(?:些|几)[个家种名位项条台件款行间处座辆本门类]?|所有的?|全部的?|分别"
    r"|\b(?:list|name|enumerate|show)(?: me)?(?: all)?(?: of)?\b|\ball(?: of)?(?: the)?\b"
    r"|\bwhich (?=[\w\ue000]{1,30}s\b)"
    r"|\b(?:which|what) (?=(?:[\w\ue000]{1,30} ){0,3}(?:are|have|were|do|cost|support|include|use)\b)|\bwhat are\b|\bevery\b"
)
_COMPARE = re.compile(
    r"(?:相差|差距|差异|相比|差)(?:是|有)?(?:多少|几)?|(?:多|高|低|贵|便宜|少|大|小|长|短|重|轻|早|晚|快|慢)(?:了|出)?多少(?!钱)"
    r"|(?:哪个|哪家|哪种|谁|哪一个|哪台|哪款|哪座|哪间)的?(?P<zh>\w{0,6}?)(?:更|比较|较)[贵便宜高低大小多少长短重轻早晚快慢远近新旧]+"
    r"|(?:哪个|哪家|哪种|谁|哪一个|哪台|哪款|哪座|哪间)的?(?:便宜|[贵高低大小多少长短重轻早晚快慢远近新旧])(?:一?[些点])?(?=[？?\s]*$)"
    r"|(?<=\ue000)(?:便宜|[高低大小多少长短重轻早晚快慢])(?=[？?\s]*$)"
    r"|\bcompared?(?: to| with)?\b|\bversus\b|\bvs\b|\bdifference\b|\bhow much (?:more|less|higher|lower|cheaper|longer|heavier)\b"
    r"|\bwhich (?:[\w\ue000]{1,30} ){0,3}?(?:is|has|was) (?:more|less|the (?:higher|lower|larger|smaller)|\w{2,20}er)\b"
    r"|\b(?:more|less|\w{2,20}er) than\b(?! ?[$€£¥]?\d)"
)
_CHEAPER = re.compile(r"便宜|少|低|小|短|轻|早|慢|\b(?:less|lower|smaller|cheaper|shorter|lighter|earlier|slower|fewer)\b")
_PRICED = re.compile(r"贵|便宜|\b(?:cheaper|more expensive|pricier|dearer)\b")
_TIMED = re.compile(r"更早|更晚|\b(?:earlier|later|older|newer)\b")
# What an adjective measures, where a table has one such column and the question names none.
ADJECTIVES: dict[str, re.Pattern[str]] = {
    "height": re.compile(r"(?:[更最]|第\w{1,2})高|高多少|\b(?:high|tall)(?:er|est)\b"),
    "area": re.compile(r"(?:[更最]|第\w{1,2})[大小]|[大小]多少|\b(?:large|larger|largest|big|bigger|biggest|small|smaller|smallest)\b"),
    "length": re.compile(r"(?:[更最]|第\w{1,2})[长短]|\b(?:long|longer|longest|short|shorter|shortest)\b"),
    "weight": re.compile(r"(?:[更最]|第\w{1,2})[重轻]|\b(?:heavi|light)(?:er|est)\b"),
    "price": re.compile(r"(?:[更最]|第\w{1,2})(?:贵|便宜)|\b(?:expensive|cheap(?:er|est))\b"),
    "speed": re.compile(r"(?:[更最]|第\w{1,2})[快慢]|\b(?:fast|slow)(?:er|est)\b"),
    "distance": re.compile(r"(?:[更最]|第\w{1,2})[远近]|\b(?:far(?:ther|thest)|near(?:er|est))\b"),
    "time": re.compile(r"(?:[更最]|第\w{1,2})[早晚新旧]|\b(?:earli|lat|old|new)(?:er|est)\b"),
    "people": re.compile(r"人[更最]多|\bmost people\b"),
}
_EMPTY = re.compile(
    r"(?:是|为)空(?:白|值)?的?|空白的?|空着|(?:没有?|未|尚未|还没有?)(?:填写?|登记|记录|录入|写明?)|缺失|缺少|(?:没有|缺)(?=\ue000)"
    r"|\b(?:left )?(?:blank|empty|missing)\b|\bnot (?:filled in|recorded|given|known|entered)\b"
    r"|\b(?:no|without(?: an?| any)?|lacks?|lacking)(?: an?)? (?=\ue000)"
)
_NEGATED = re.compile(
    r"(?<![要是])不(?:能|可以?|会|用)?(?=\ue000|支持|含|包|提供|需|可|带|在|属)|非(?=\ue000)|没有|未|并非|(?<!是)不是|不带|不含"
    r"|\b(?:not|no|without|except(?: for)?|excluding|other than|apart from|outside(?: of)?|don't|doesn't|aren't|isn't|cannot|can't)\b"
)
_NEGATED_BEHIND = re.compile(r"(?:以外|之外|除外)的?")
_GROUPED = re.compile(r"(?:每|各)(?:个|家|种|类|位|名)?(?=[^\W\d_]{2}|\ue000)|\bper\b|\beach\b|\bby (?=[\w\ue000]{1,30}$)|\bfor every\b")

_FILLER = re.compile(
    r"不同的?|不重复的?|人数|个数|除了?|请问|请|告诉我?|帮我|给我|一下|我想知道|想知道|查询?一?查?|看看|算一?下?|统计|计算|表格?(?:里面?|中|内|上)?|数据|记录|信息|列表|名单|清单|一览"
    r"|其中|当中|里面|分别|各自|对应的?|条目|它们|他们|以及|并且|而且|同时|满足|符合|条件|数值|属于|位于|来自|具有|带有?|能够|可以|需要|应该"
    r"|[每各](?:个|家|种|类|位|名)?(?=\ue000)|[每各](?:个|家|种|类|位|名)"
    r"|保存|存放|放置|分布在?|处在"
    rf"|哪一?{_COUNT_NOUN}"
    r"|\b(?:per|each|every|comes?|came|goes|go|left|leaves?|fit|need|please|tell|give|show|find|me|us|table|sheet|list(?:s|ed|ing)?|records?|rows?|entr(?:y|ies)|data|according|value|there|any|each|does|did|has|have|"
    r"had|get|belong|located|based|whose|ones?|same|made|make|used?|offer(?:s|ed)?|provided?|named?|called|information|them|together|those|still|yet|different|distinct|unique)\b"
)


class Negation(NamedTuple):
    """Where a question says not: of what is said next, or, behind it (以外), of what was said last."""

    start: int
    end: int
    is_behind: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """``rest`` is the question without the words of its form; ``property`` what a superlative or comparison measures, "" for anything."""

    question: str
    rest: str
    operation: Operation
    property: str = ""
    lower: bool = False  # of a comparison: the smaller one is asked for
    top: int = 1
    conditions: tuple[Condition, ...] = ()
    is_grouped: bool = False
    counted: int = -1  # where what is counted is named, behind the words that ask how many; -1: nothing is
    asks_count: int = -1  # where these words begin
    negations: tuple[Negation, ...] = ()
    empty: int = -1  # where the question says that something is not filled in; -1: it does not
    rank: int = 1  # of a superlative: the second largest
    unit: str = ""  # in which a number is asked for
    aggregate: Aggregate = ""  # of a superlative: what is compared is worked out for each group


def read_question(folded: str, names: Iterable[str] = (), *, cells: Iterable[str] = (), today: date | None = None) -> Asked:
    """The form of a folded question. A question without a form of its own looks something up.

    ``names`` are those of the table's columns: a word of one, as in ``first lit``, is no word of the question's form; nor is one of
    ``cells``, as in 未付款. Relative dates count from ``today``; without it there are none.
    """
    hidden, columns = folded, tuple(names)
    for name in sorted({*columns, *cells}, key=len, reverse=True):
        if len(name) > 1:
            hidden = hidden.replace(name, HIDDEN * len(name))
    asked = _read_form(hidden, today, columns)
    rest = "".join(said if shown == HIDDEN else shown for said, shown in zip(folded, asked.rest, strict=True))
    return replace(asked, question=folded, rest=rest)


def _read_form(folded: str, today: date | None, names: Iterable[str]) -> Asked:
    beyond, bare = _BEYOND.search(folded) is not None, blank(_BEYOND, folded)
    conditions, rest = take_conditions(bare, today, names)
    empty = _EMPTY.search(rest)
    rest = rest if empty is None else blank(_EMPTY, rest)
    negations = tuple(
        Negation(found.start(), found.end(), is_behind)
        for pattern, is_behind in ((_NEGATED, False), (_NEGATED_BEHIND, True))
        for found in pattern.finditer(rest)
    )
    rest = blank(_NEGATED_BEHIND, blank(_NEGATED, rest))
    unit = _ASKED_UNIT.search(rest)
    asked = _read_operation(rest if unit is None else blank(_ASKED_UNIT, rest), beyond=beyond)
    grouped = asked.is_grouped or _GROUPED.search(rest) is not None
    return replace(
        asked,
        rest=_take_filler(asked.rest),
        conditions=conditions,
        negations=negations,
        is_grouped=grouped,
        empty=-1 if empty is None else empty.start(),
        unit="" if unit is None else unit["unit"] or unit["english"],
    )


def _read_operation(rest: str, *, beyond: bool) -> Asked:
    """What is to be done, and the text without the words that say so."""
    if beyond:
        return Asked("", blank(_LIST, blank(_COUNT, blank(_SUM, rest))), "beyond")
    compares = _COMPARE.search(rest)
    if compares is not None:
        name = "price" if _PRICED.search(compares.group()) else "time" if _TIMED.search(compares.group()) else ""
        return Asked("", blank(_COMPARE, rest), "compare", name, _CHEAPER.search(compares.group()) is not None)
    return _read_superlative(rest) or _read_sum(rest)


def _read_superlative(rest: str) -> Asked | None:
    rank, is_last, ranked = _take_rank(rest)
    top, bare = _take_top(ranked) if rank == 1 else (1, ranked)
    for extreme, name, pattern in _SUPERLATIVES:
        if pattern.search(bare):
            aggregate: Aggregate = "mean" if _MEAN.search(bare) else "sum" if _SUM.search(bare) else ""
            left = blank(_LIST, blank(_SUM, blank(_MEAN, blank(pattern, bare))) if aggregate else blank(pattern, bare))
            if is_last:
                extreme = "min" if extreme == "max" else "max"  # noqa: PLW2901 - the last but one of the largest
            return Asked("", left, extreme, name, extreme == "min", top, rank=rank, aggregate=aggregate)
    if (top > 1 and bare != ranked and _LEADING.search(ranked)) or rank > 1:  # the first five without a word for what is measured
        return Asked("", blank(_LIST, bare), "min" if is_last else "max", top=top, rank=rank)
    return None


def _read_sum(rest: str) -> Asked:
    counts = None if _NO_COUNT.search(rest) else _COUNT.search(rest)
    operation: Operation = "lookup"
    if _MEDIAN.search(rest):
        operation, rest = "median", blank(_MEDIAN, rest)
    elif _MEAN.search(rest):
        operation, rest = "mean", blank(_SUM, blank(_MEAN, rest))
    elif _SUM.search(rest) and not counts:
        operation, rest = "sum", blank(_SUM, rest)
    elif counts:
        operation, rest = "count", blank(_SUM, rest)
    elif _LIST.search(rest):
        operation = "list"
    rest = blank(_LIST, blank(_COUNT, rest) if counts else rest)
    return Asked("", rest, operation, counted=counts.end() if counts else -1, asks_count=counts.start() if counts else -1)


def _take_filler(text: str) -> str:
    return blank(_FILLER, text)


def _take_rank(text: str) -> tuple[int, bool, str]:
    """Which one of the largest is asked for, whether it is counted from the other end, and the text with a plain superlative for it."""
    found = _RANK.search(text)
    if found is None:
        return 1, False, text
    if found["en"]:
        return ORDINALS[found["en"]], False, blank_span(text, found.start(), found.end())
    rank = int(found["zh"]) if found["zh"].isdigit() else read_numeral(found["zh"]) or 1
    word = f"最{found['adjective']}" if found["adjective"] else ""
    size = found.end() - found.start()
    return max(1, min(rank, TOP_MAX)), bool(found["last"]), text[: found.start()] + word.rjust(size) + text[found.end() :]


def _take_top(text: str) -> tuple[int, str]:
    """How many are asked for, and the text without it."""
    found = _TOP.search(text)
    if found is None:
        return 1, text
    number = next(filter(None, found.groupdict().values()))
    value = int(number) if number.isdigit() else BELOW_TWENTY.get(number) or read_numeral(number) or 1
    return max(1, min(value, TOP_MAX)), blank_span(text, found.start(), found.end())
