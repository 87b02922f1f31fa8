"""Numbers of an answer that stand in none of the passages that it cites: the mistakes of a model that readers miss most easily.

Written differently they are the same number: ``12,000``, ``12000``, ``1.2万`` and ``一万二千``; ``05`` and ``5``; a number in words.
Numbers of the question are the asker's own, markers and the numbers of list items are none. A number that a model computed is marked, too:
it stands in no passage. One that was computed from a table stands in the passage of its rows.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from adapters.models.grounding.citations import MARKER
from adapters.text.language import Language, fold, language_of
from adapters.text.numerals import BELOW_TWENTY, DIGITS, POWERS, TENS
from adapters.text.script import follow_script
from schemas.chats import Citation, Passage, UnsupportedNumber

NUMBERS_MAX = 50  # marked in one answer
DIGITS_MAX = 30  # of a number; a longer run of digits is data

_DIGITS = "0-9\uff10-\uff19"
_SCALE = r"[ \u00a0]?(?P<scale>百万|千万|十万|[百千万亿萬億]|(?:thousand|million|billion|trillion)\b)"
_NUMBER = re.compile(
    rf"(?<![{_DIGITS}])(?P<digits>[{_DIGITS}]++(?:[,，][{_DIGITS}]{{3}}(?![{_DIGITS}]))*+(?:[.．][{_DIGITS}]++)?)(?:{_SCALE})?"
)
_ITEM = re.compile(rf"^[ \t#>*-]{{0,8}}[(（]?[{_DIGITS}]{{1,3}}[.)）、](?![{_DIGITS}])", re.MULTILINE)
_CHINESE = re.compile("[零〇一二两三四五六七八九十百千万亿]{1,16}")
_WORDS = re.compile(r"\b[a-z]{3,9}(?:[ -][a-z]{3,9})?\b")
_SCALES = {
    "百": 100,
    "千": 1_000,
    "万": 10_000,
    "萬": 10_000,
    "十万": 100_000,
    "百万": 1_000_000,
    "千万": 10_000_000,
    "亿": 10**8,
    "億": 10**8,
    "thousand": 1_000,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_HUNDRED = 100
_ENGLISH = {**BELOW_TWENTY, **TENS, "hundred": _HUNDRED}

_NOTE: dict[Language, str] = {
    "zh": "（请核对：所引原文中没有出现 {}。）",
    "en": "(Please check: the cited passages do not contain {}.)",
}


def find_unsupported_numbers(
    text: str, citations: Iterable[Citation], passages: Sequence[Passage], question: str
) -> tuple[UnsupportedNumber, ...]:
    """The numbers of ``text`` that neither the question nor a passage that it cites has; of an answer without citations, no passage.

    Without passages there is nothing to compare with, and nothing is marked.
    """
    if not passages:
        return ()
    cited = {citation.passage for citation in citations}
    sources = [passage for passage in passages if passage.marker in cited] or passages
    known = set(_values_of(question))
    for passage in sources:
        columns = (name for part in passage.tables for name in part.columns)
        told = (passage.title, passage.locator, *passage.headings, passage.text, passage.computed, *columns)
        known.update(_values_of("\n".join(told)))
    ignored = [found.span() for pattern in (MARKER, _ITEM) for found in pattern.finditer(text)]
    marked: list[UnsupportedNumber] = []
    for number in _NUMBER.finditer(text):
        start, end = number.span("digits")
        if not known.isdisjoint(_readings(number)) or any(first <= start < last for first, last in ignored):
            continue
        marked.append(UnsupportedNumber(text=text[start:end], start_index=start, end_index=end))
        if len(marked) == NUMBERS_MAX:
            break
    return tuple(marked)


def note_on(numbers: Sequence[UnsupportedNumber], question: str) -> str:
    """A sentence for readers that names the numbers, in the language of the question; "" for none."""
    if not numbers:
        return ""
    named = ("、" if language_of(question) == "zh" else ", ").join(dict.fromkeys(number.text for number in numbers))
    return "\n\n" + follow_script(_NOTE[language_of(question)], question).format(named)


def _values_of(text: str) -> Iterator[Decimal]:
    """Every value that a number in the text may stand for."""
    folded = fold(text)
    for number in _NUMBER.finditer(folded):
        yield from _readings(number)
    for chinese in _CHINESE.finditer(folded):
        yield from _read_chinese(chinese.group())
    for words in _WORDS.finditer(folded):
        parts = re.split("[ -]", words.group())
        values = [_ENGLISH[part] for part in parts if part in _ENGLISH]
        yield from map(Decimal, values)
        if len(values) == len(parts) == 2:  # noqa: PLR2004 - twenty-five, three hundred
            yield Decimal(values[0] * values[1] if values[1] == _HUNDRED else sum(values))


def _readings(number: re.Match[str]) -> list[Decimal]:
    """The number alone, and with the scale behind it."""
    digits = fold(number["digits"]).replace(",", "")
    if len(digits) > DIGITS_MAX:
        return []
    value = Decimal(digits)
    scale = number["scale"]
    return [value, value * _SCALES[scale]] if scale else [value]


def _read_chinese(text: str) -> list[Decimal]:
    """``二十五`` is 25, ``一万二千`` 12,000, ``二〇三一`` 2031; each digit of a run that is no number is one itself."""
    digits = [DIGITS[each] for each in text if each in DIGITS]
    if len(digits) == len(text):
        return [Decimal("".join(map(str, digits))), *map(Decimal, digits)]
    total = section = digit = 0
    for each in text:
        if each in DIGITS:
            digit = DIGITS[each]
        elif each in POWERS:
            section, digit = section + (digit or 1) * POWERS[each], 0
        else:
            before = total if each == "亿" else 0
            total, section, digit = total - before + (before + section + digit or 1) * _SCALES[each], 0, 0
    return [Decimal(total + section + digit)]
