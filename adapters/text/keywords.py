"""Keywords: what a question is about, in the words of whoever asked, for readers and for the questions that follow it."""

import re
from collections.abc import Iterator

from adapters.text.identifiers import DASHES
from adapters.text.language import fold
from adapters.text.segments import segment

KEYWORD_CHARS_MAX = 8  # a longer run of Chinese content words is shown as its words
QUESTION_CHARS_MAX = 2_000  # keywords come from the first part of a longer question

_HAN = "㐀-䶿一-鿿豈-﫿"
_RUN = re.compile(
    rf"(?P<han>[{_HAN}]+)|"
    rf"(?P<word>[^\W_{_HAN}]+(?:[._'’@/+{DASHES}][^\W_{_HAN}]+)*)"
)
_NUMBER = "[几两半每第各多一二三四五六七八九十百千]|多少|有?多|哪一?|何"
_COUNTED = "点钟?|[天个年月日号层楼次元块岁人位折种名条项级周斤吨米里户家台只张本份栋座所款些儿时地处]|星期|时间|地方|东西"
AMOUNT = re.compile(f"(?:{_NUMBER})+(?:{_COUNTED})?|有?多[少大长高久远深宽重快厚]")  # 几天, 哪一年, 有多深
UNIT = re.compile(_COUNTED)

_HAN_STOP = frozenset(
    "的 了 是 在 和 与 及 或 而 并 且 也 都 又 就 才 还 很 更 最 太 被 把 将 让 给 向 对 对于 关于 从 由 自 到 至 于 以 为 因 "
    "因为 所以 由于 如果 若 则 但 但是 不过 然而 虽然 我 你 您 他 她 它 我们 你们 他们 它们 自己 这 那 这个 那个 这些 那些 "
    "这样 那样 这里 那里 此 该 其 之 所 者 吗 呢 吧 啊 呀 哦 嘛 么 有 没有 没 不 不是 无 会 能 能够 可以 可 应 应该 要 需要 "
    "想 想要 请 请问 告诉 一下 一个 一种 一些 个 种 些 什么 甚么 哪 哪个 哪些 哪里 哪儿 哪位 哪一 谁 谁的 怎 怎么 怎样 怎么样 "
    "如何 为何 为什么 多少 多 几 几个 何 何时 何地 何处 何种 是否 时候 叫 叫做 称 称为 指 来 去 上 下 中 里 时 后 前 等 等等 "
    "第 得 地 着 过 使 用 做 吧 呗 即 只 只有 所有 进行".split()
)
_INSIDE = frozenset("若之来去上下中里时后前为而以于会能可应将向过得着等即使用做无自由")  # between lone characters, part of a name: 林若川
_LATIN_STOP = frozenset(
    "a an and are as at be been but by can could did do does for from had has have how i if in into is it its me my of on or "
    "our shall should so some such than that the their them then there these they this those to was we were what when where "
    "which who whom whose why will with would you your please tell about".split()
)


def find_keywords(question: str, limit: int) -> tuple[str, ...]:
    """At most ``limit`` content words in order of appearance, as they were written.

    Chinese words between two stop words are one keyword (the segmenter is fine-grained: 数据 + 库 + 连接 + 池).
    """
    question = question[:QUESTION_CHARS_MAX]
    folded = fold(question)
    shown = question if len(question) == len(folded) else folded
    found: dict[str, str] = {}
    for run in _RUN.finditer(folded):
        if run["word"]:
            word = run["word"]
            if word not in _LATIN_STOP and (len(word) > 1 or word.isdigit()):
                found.setdefault(word, shown[run.start() : run.end()])
        else:
            for start, end in _content_spans(run["han"]):
                found.setdefault(run["han"][start:end], shown[run.start() + start : run.start() + end])
        if len(found) >= limit:
            break
    return tuple(found.values())[:limit]


def _content_spans(run: str) -> list[tuple[int, int]]:
    """Spans of consecutive content words of a run of Chinese characters."""
    spans: list[tuple[int, int]] = []
    words: list[tuple[int, int]] = []

    def close() -> None:
        if words and words[-1][1] - words[0][0] <= KEYWORD_CHARS_MAX:
            spans.append((words[0][0], words[-1][1]))
        else:
            spans.extend(words)
        words.clear()

    at = 0
    for before, word, behind in _with_neighbours(segment(run)):
        if (word in _HAN_STOP or AMOUNT.fullmatch(word)) and not (word in _INSIDE and len(before) == len(behind) == 1):
            close()
        else:
            words.append((at, at + len(word)))
        at += len(word)
    close()
    return [(start, end) for start, end in spans if end - start > 1 or len(run) == 1]


def _with_neighbours(words: list[str]) -> Iterator[tuple[str, str, str]]:
    """Each word with the one before and the one behind it; "" for a stop word, and where there is none."""
    content = ["", *("" if word in _HAN_STOP else word for word in words), ""]
    return zip(content, words, content[2:], strict=False)
