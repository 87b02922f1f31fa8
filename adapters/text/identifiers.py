"""Identifiers: names made of letters and digits (``PPR-9087``, ``GB/T 19001``, ``v2.3.1``), and numbers.

People write the same one with any dash, with a space, or with nothing between its parts, and the engine's tokenizer drops what is only
digits. So identifiers are terms of their own: whole and joined, every two neighbouring parts joined, and each number. A question that
names one asks about that one alone: a passage about its neighbour is no answer, however alike the two are.
"""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

K = 0.6  # of BM25; how long the passage is says nothing about a name in it
PARTS_MAX = 12  # a longer run of letters and digits is data
CHARS_MAX = 64
NAMED_MAX = 8  # of one question

DASHES = "\\-\u00ad\u058a\u1806\u2010-\u2015\u2043\u2212\u2e3a\u2e3b\u30fb\u30fc\ufe58\ufe63\uff0d"
_LINK = f"[{DASHES}_./#]"
_RUN = re.compile(rf"[a-z0-9]+(?:{_LINK}[a-z0-9]+){{0,{PARTS_MAX}}}")
_DIGIT = re.compile(r"[0-9]")
_PART = re.compile(r"[a-z]+|[0-9]+")
_NUMBER = re.compile(r"(?<![0-9])[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?")
_LETTER_DIGITS = re.compile(r"(?<=[a-z])(?=[0-9]{2})|(?<=[0-9]{2})(?=[a-z])")

# A number is a name where it is called one: 订单 20240517, 9087号, No. 9087, ticket #9087.
_CALLED = re.compile(
    r"(?:工单|订单|单号|编号|票号|号码|案号|合同号|批号|代码|编码|序号|#|\bno\.?|\bnumber|\bticket|\border|\binvoice|\bcase|\bissue|\bid)"
    r"[\s:：#是为号]{0,3}(?P<after>[0-9]{3,})(?![0-9.,年月日元万亿人个%])|(?<![0-9.,])(?P<before>[0-9]{3,})号(?!线|楼|院)"
)
# Letters and a number with a space between them are a name where the letters are capitals (PPR 9087), and the number alone is one where
# Chinese goes on behind it, or nothing does (ppr 9087的原因).
_SPACED_CAPITALS = re.compile(r"(?<![\w.])(?P<letters>[A-Z]{2,8})[ \u00a0](?P<digits>[0-9]{3,12})(?![A-Za-z0-9_%])(?![.,:][0-9])")
_SPACED = re.compile(
    r"(?<![\w.])[a-z]{2,8}[ \u00a0](?P<digits>[0-9]{3,12})(?=[\u3400-\u9fff])(?![年月日元万亿人个])"
    r"|\A\s*[a-z]{2,8}[ \u00a0](?P<all>[0-9]{3,12})[\s?？!.。]*\Z"
)
_SHOUTED_WORDS_MIN = 4  # in capitals: then capitals tell nothing
_CAPITALS = re.compile(r"[A-Z]{2,}")
_YEAR = re.compile(r"1[5-9][0-9]{2}|20[0-9]{2}")
_NO_NAME = frozenset(
    "post pre mid non sub top under over since circa in of on by to year years age aged page pages day days week weeks hour hours "
    "early late level grade http https www".split()
)
_LONG_DIGITS = 6  # in one part: HT20260315A may be written HT2026-0315-A
_DIGITS_MIN = 2  # of a name: 5G, H2O and MP3 are words


def split_codes(folded: str) -> str:
    """Letters and two or more digits that stand together, parted: ``ppr9087`` has the words of ``ppr-9087``."""
    return _LETTER_DIGITS.sub(" ", folded) if _DIGIT.search(folded) else folded


def identifier_terms(folded: str) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Term ids, ascending, and how often each is there."""
    if _DIGIT.search(folded) is None:
        return np.empty(0, np.uint32), np.empty(0, np.int64)
    counts: Counter[str] = Counter()
    for run in _RUN.finditer(folded):
        if _DIGIT.search(run.group()) is None:
            continue  # words, as nearly all runs
        parts = _PART.findall(run.group())
        if 1 < len(parts) <= PARTS_MAX and len(run.group()) <= CHARS_MAX and not (_is_word(parts) or _is_number(parts)):
            joined = ["".join(parts[at : at + 2]) for at in range(len(parts) - 1) if not _is_word(parts[at : at + 2])]
            counts.update({*joined, "".join(parts)})
    counts.update(number.group().replace(",", "") for number in _NUMBER.finditer(folded))
    ids: Counter[int] = Counter()
    for term, count in counts.items():
        ids[crc32(f"={term}".encode())] += count
    order = sorted(ids)
    return np.array(order, np.uint32), np.array([ids[each] for each in order], np.int64)


def document_identifiers(folded: str) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Term ids, ascending, and saturated frequencies."""
    ids, counts = identifier_terms(folded)
    return ids, (counts * (K + 1) / (counts + K)).astype(np.float32)


def named_identifiers(folded: str, written: str = "") -> tuple[str, ...]:
    """The identifiers that a folded question names, each as its parts with spaces between them.

    ``written`` is the same question before folding: its capitals tell ``PPR 9087`` from "gate 9087". A number that may be a year is none.
    """
    names: dict[str, None] = {}
    for run in _RUN.finditer(folded):
        parts = _PART.findall(run.group())
        if len(parts) <= PARTS_MAX and _is_name(run.group(), parts):
            names[" ".join(parts)] = None
    names.update(dict.fromkeys(_spaced_names(folded, unicodedata.normalize("NFKC", written))))
    parts_named = {part for name in names for part in name.split()}
    for called in _CALLED.finditer(folded):
        number = called["after"] or called["before"]
        if number not in parts_named:  # AB-123号机 is one name
            names[number] = None
    return tuple(names)[:NAMED_MAX]


def _spaced_names(folded: str, written: str) -> list[str]:
    """Names of letters, a space and a number: both where the letters are capitals, else the number."""
    shouted = len(_CAPITALS.findall(written)) >= _SHOUTED_WORDS_MIN and not any(map(str.islower, written))
    found = {} if shouted else {each["digits"]: each["letters"].lower() for each in _SPACED_CAPITALS.finditer(written)}
    for each in _SPACED.finditer(folded):
        found.setdefault(each["digits"] or each["all"], "")
    return [f"{letters} {digits}".lstrip() for digits, letters in found.items() if not _YEAR.fullmatch(digits)]


def holds_identifier(folded: str, name: str) -> bool:
    """Whether a folded text has the identifier, in whatever spelling."""
    return _pattern(name).search(folded) is not None


@lru_cache(maxsize=1_024)
def _pattern(name: str) -> re.Pattern[str]:
    if name.isdigit():  # whatever letters it is written with: 9087 is PPR9087, and not 19087
        return re.compile(rf"(?<![0-9]){name}(?![0-9])")
    between = rf"(?:{_LINK}|\s){{0,3}}"
    parts = [f"{_LINK}?".join(part) if part.isdigit() and len(part) >= _LONG_DIGITS else part for part in name.split()]
    return re.compile(rf"(?<![a-z0-9]){between.join(parts)}(?![a-z0-9])")


def _is_name(run: str, parts: list[str]) -> bool:
    """Letters first, then enough digits; a number with its unit (``100mg``) or a year (``post-1945``) names nothing."""
    if not parts[0].isalpha() or parts[0] in _NO_NAME or len(run) > CHARS_MAX:
        return False
    return sum(len(part) for part in parts if part.isdigit()) >= _DIGITS_MIN


def _is_word(parts: list[str]) -> bool:
    return all(part.isalpha() for part in parts)


def _is_number(parts: list[str]) -> bool:
    return all(part.isdigit() for part in parts)
