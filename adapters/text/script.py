"""Simplified and traditional characters: which of them a Chinese text is written in, and our own sentences in either.

Only sentences of the product are converted. What documents say is quoted as it stands there.
"""

from functools import cache, lru_cache

import opencc

SENTENCES_CACHED_MAX = 256  # of the product's own, which are few
CHARS_MAX = 2_000  # of a text; its beginning shows how it is written


@cache
def _converter(configuration: str) -> opencc.OpenCC:
    return opencc.OpenCC(configuration)


def is_traditional(text: str) -> bool:
    """Whether more characters of ``text`` are traditional only than simplified only; False for a text without either."""
    text = text[:CHARS_MAX]
    if text.isascii():
        return False
    return _count_changes(text, "t2s") > _count_changes(text, "s2t")


def follow_script(sentence: str, question: str) -> str:
    """A sentence of ours, written in simplified characters, in those of the question."""
    return _to_traditional(sentence) if is_traditional(question) else sentence


def _count_changes(text: str, configuration: str) -> int:
    """Characters that a conversion changes; words that become longer or shorter count by the difference."""
    converted = str(_converter(configuration).convert(text))
    return sum(one != other for one, other in zip(text, converted, strict=False)) + abs(len(text) - len(converted))


@lru_cache(maxsize=SENTENCES_CACHED_MAX)
def _to_traditional(sentence: str) -> str:
    return str(_converter("s2tw").convert(sentence))
