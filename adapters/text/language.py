"""Chinese and English as text: which one it is, its sentences, its terms for matching, how many tokens it costs.

Pure functions. Folding (traditional to simplified, full width to half width, case) is for matching only: what is shown is never folded.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from typing import Literal

import opencc

from adapters.text.identifiers import DASHES, split_codes

Language = Literal["zh", "en"]

HAN = "㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff"
_HAN_RUN = re.compile(f"[{HAN}]+")
_RUN = re.compile(f"[{HAN}]+|[^\\W_{HAN}]+")
_WORD = re.compile(f"[^\\W\\d_{HAN}]+")
_CODE = re.compile(f"[^\\W_{HAN}]++(?:[{DASHES}_./#][^\\W_{HAN}]++)*+")

# What a Chinese question is made of besides its subject; each becomes a break, so that no bigram spans it.
_ZH_FUNCTION = re.compile(
    "什[么麽](?:时[候间])?|多少|多[大长高久远]|[哪这那一][一几]?[个些里年月天种部座位项类家条艘]?|[找问]?谁|如[何果]|怎[么样]+|为何|为什么|何时|是否"
    "|第?几|可能|应该|吗|呢|请问|请|[的是在了有和与及或被中于以其之由从为将把也都才就而但并则所不能要会可上下]"
    "|(?<=[0-9〇零一二三四五六七八九十百千万两几哪某每去今明前后多少])年"  # not of a name: 年假
)
_EN_FUNCTION = frozenset(
    re.findall(
        r"\w+",
        "a an the of in on at to for from by with and or is are was were be been being do does did what which who whom whose when where why"
        " how many much that this these those it its as into than then there their his her he she they you your i we us our not no can"
        " could would should will may might have has had s t",
    )
)
_SUFFIXES = ("ies", "ing", "ed", "es", "s", "ly", "e")  # "rises" and "rise" are one word
_STEM_CHARS_MIN = 3
_SHORT_PAST = re.compile("[a-z][iuy]ed|used")  # "died" is "die"

_CLOSERS = "”’\"'」』）)】》*_"
_CLOSER = re.escape(_CLOSERS)
_NOTE = r"\[(?:\d{1,3}|[a-z]|note \d{1,3})\]"  # of an encyclopedia: "in 1911.[45][a] They"
_SENTENCE_END = re.compile(rf"(?:[。！？]++|…{{2,}}+|…(?=\s)|(?<![.!?])[.!?]++(?=[\s{_CLOSERS}]|$|{_NOTE}))[{_CLOSER}]*+(?:{_NOTE})*+")
_LINE_END = re.compile(r"\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Mt|vs|etc|e\.g|i\.e|cf|al|No|Fig|Inc|Ltd|Co|Corp|approx|ca|Gen|Lt|Col|Capt|Sgt|Gov|Sen|Rep|Rev|Hon"
    r"|Dept|Univ|Assn|Bros|viz|resp|Ph\.D|a\.m|p\.m)|\b[A-Z])\.$"
)
_NUMBERED = re.compile(  # what stands before a number: "vol. 3", "Jan. 5"
    r"\b(?:vols?|pp?|nos?|figs?|tabs?|chs?|sects?|secs?|arts?|eqs?|eds?|op|par|max|min|est|tel|ext|bd|nr|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.$",
    re.IGNORECASE,
)
_ABBREVIATION_CHARS_MAX = 12
_SAYS_ON = re.compile("[^，。！？；\\s]{0,6}[说问道喊答叫写]")  # “走吗？”他问。


def language_of(text: str) -> Language:
    """``zh`` when Chinese has at least the weight of the alphabetic words (two characters weigh one word), or neither has any.

    The letters of an identifier are no words: XK-200S的功率 is Chinese.
    """
    han = sum(len(run) for run in _HAN_RUN.findall(text))
    words = len(_WORD.findall(text))
    if 0 < han < 2 * words:
        words = len(_WORD.findall(_CODE.sub(_blank_identifier, text)))
    return "en" if han < 2 * words else "zh"


def _blank_identifier(found: re.Match[str]) -> str:
    text = found[0]
    return text if text.isalpha() or not any(map(str.isdigit, text)) else " "


def estimate_tokens(text: str) -> int:
    """Tokens of ``text`` for a typical model, on the high side: one per Chinese character, one per four letters."""
    wide = (len(text.encode("utf-8", "replace")) - len(text)) // 2
    return wide + (len(text) - wide + 3) // 4


def sentences(text: str) -> list[str]:
    """The sentences of ``text`` in order, each literally in it and without white space around it; a line break always ends one."""
    ends = sorted({*sentence_ends(text), *(line.end() for line in _LINE_END.finditer(text)), len(text)})
    found = [text[start:end].strip() for start, end in zip([0, *ends], ends, strict=False)]
    return [sentence for sentence in found if sentence]


def sentence_ends(text: str, start: int = 0, end: int | None = None) -> Iterator[int]:
    """The places in ``text[start:end]`` behind the end of a sentence, its closing quotes and its notes."""
    for stop in _SENTENCE_END.finditer(text, start, len(text) if end is None else end):
        if _ends_sentence(text, stop):
            yield stop.end()


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    """No end: after an abbreviation or an initial, before a small letter, inside ". . .", and where what was quoted is said by someone."""
    mark, following = stop.group(), text[stop.end() : stop.end() + 8]
    if mark[-1] in ".!?" and following and not following[0].isspace():  # the text goes on behind the part that is looked at
        return False
    if mark[0] in "。！？":
        return not (mark[0] != "。" and mark[-1] in "”」』" and _SAYS_ON.match(following))
    if (following.lstrip()[:1].islower() and (mark[0] in ".…" or mark[-1] in _CLOSERS)) or following.startswith((" . ", " .\n")):
        return False
    if mark != ".":
        return True
    before = text[max(0, stop.start() - _ABBREVIATION_CHARS_MAX) : stop.start() + 1]
    return not (_ABBREVIATION.search(before) or (following.lstrip()[:1].isdigit() and _NUMBERED.search(before)))


_HAYSTACKS_CACHED_MAX = 2_048  # texts that were found lately, about 20 MB with their words: the same ones are found again and again
_STEMS_CACHED_MAX = 65_536  # words of recent passages, about 10 MB


@cache
def _simplifier() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def simplify(text: str) -> str:
    """Traditional characters as simplified ones; length may change."""
    return str(_simplifier().convert(text))


def fold(text: str) -> str:
    """``text`` as it is compared: NFKC, simplified characters, case-folded. Line breaks stay where they are; length may change."""
    return simplify(unicodedata.normalize("NFKC", text)).casefold()


def terms(folded: str) -> frozenset[str]:
    """The content terms of a folded question: Chinese bigrams (a lone character stands for itself), stemmed words and numbers.

    Question words and function words are left out, unless there is nothing else.
    """
    return content_terms(folded) or frozenset(_terms(folded))


def content_terms(folded: str) -> frozenset[str]:
    """As ``terms``, and nothing for a text of function words alone."""
    return frozenset(_terms(_ZH_FUNCTION.sub(" ", folded)))


def content_runs(folded: str) -> list[str]:
    """What a folded question is made of besides function words, in order: Chinese between two of them, words and numbers; nothing stemmed.

    Of a text of function words alone, those.
    """
    return _runs(_ZH_FUNCTION.sub(" ", folded)) or _runs(folded)


def _runs(folded: str) -> list[str]:
    return [run for run in _RUN.findall(split_codes(folded)) if run not in _EN_FUNCTION]


def is_han(run: str) -> bool:
    """Whether a run begins with a Chinese character, and so consists of them."""
    return _HAN_RUN.match(run) is not None


def _terms(folded: str) -> list[str]:
    out: list[str] = []
    for run in _runs(folded):
        if _HAN_RUN.match(run):
            out += [run[i : i + 2] for i in range(max(1, len(run) - 1))]
        else:
            out.append(stem_word(run))
    return out


def phrases(text: str) -> list[str]:
    """What ``text`` is about, in order and as it was written: words and numbers, and Chinese between two function words."""
    folded = fold(text)
    shown = text if len(text) == len(folded) else folded
    breaks = _ZH_FUNCTION.sub(lambda found: " " * len(found.group()), folded)
    found = (run for run in _RUN.finditer(breaks) if run.group() not in _EN_FUNCTION)
    return [shown[run.start() : run.end()] for run in found if run.end() - run.start() > 1 or run.group().isdigit()]


def content_words(folded: str) -> list[list[str]]:
    """The alphabetic words and numbers of a folded text, stemmed, without function words; Chinese ends a list and begins the next."""
    found: list[list[str]] = [[]]
    for run in _RUN.findall(folded):
        if _HAN_RUN.match(run):
            found.append([])
        elif run not in _EN_FUNCTION:
            found[-1].append(stem_word(run))
    return found


@lru_cache(maxsize=_STEMS_CACHED_MAX)
def stem_word(word: str) -> str:
    """A folded word without its ending; words that differ by it alone are one term."""
    if _SHORT_PAST.fullmatch(word):
        return word[:-1]
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _STEM_CHARS_MIN:
            stem = word[: -len(suffix)]
            doubled = suffix in {"ing", "ed"} and stem[-1] == stem[-2] and stem[-1] not in "lsz" and len(stem) > _STEM_CHARS_MIN
            return stem[:-1] if doubled else stem  # "stopped" is "stop"
    return word


class Haystack:
    """A folded text with an index of its terms."""

    __slots__ = ("_pairs", "_words", "folded")

    def __init__(self, folded: str) -> None:
        self.folded = folded
        self._words: frozenset[str] | None = None
        self._pairs: frozenset[str] | None = None

    @property
    def pairs(self) -> frozenset[str]:
        """Every two characters that stand beside each other: to look for thousands of them in the text itself takes its length each."""
        if self._pairs is None:
            self._pairs = frozenset(map("".join, pairwise(self.folded)))
        return self._pairs

    def contains(self, term: str) -> bool:
        """Chinese terms anywhere in the text, others as whole words (stemmed)."""
        if _HAN_RUN.match(term):
            return term in self.pairs if len(term) == 2 else term in self.folded  # noqa: PLR2004
        if self._words is None:
            self._words = frozenset(
                stem_word(run) for run in _RUN.findall(split_codes(self.folded)) if run.isascii() or not _HAN_RUN.match(run)
            )
        return term in self._words


@lru_cache(maxsize=_HAYSTACKS_CACHED_MAX)
def haystack_of(text: str) -> Haystack:
    """The haystack of a text that is not folded yet."""
    return Haystack(fold(text))
