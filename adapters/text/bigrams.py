"""Neighbouring words and characters as terms of their own, so that a phrase counts for more than its parts.

A segmenter cuts a name differently inside a question and inside a passage, and a bag of words does not know that two of them stood
together. Pairs of adjacent Chinese characters mend the first, pairs of adjacent content words (stemmed) both. A pair's weight saturates
faster than a word's: its presence is nearly all the information. Measured with BM25 alone over 1,000 questions each (780 of XQuAD), hit@1;
the gain is alike in both halves of each set:

    set                 words   words and pairs
    CMRC 2018 (zh)      .974    .978
    DRCD (zh-Hant)      .900    .926
    XQuAD (zh)          .922    .927
    SQuAD (en)          .837    .861
"""

from collections import Counter
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from adapters.text.language import content_words

K, B = 0.6, 0.5  # of BM25
BIGRAMS_MEAN = 256  # of a passage, as the engine's encoder takes it for words
_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))
_MIX, _MIX_AGAIN = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)


def document_bigrams(folded: str) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Term ids, ascending, and saturated frequencies."""
    ids, counts = _count_bigrams(folded)
    length = K * (1 - B + B * counts.sum() / BIGRAMS_MEAN)
    return ids, (counts * (K + 1) / (counts + length)).astype(np.float32)


def question_bigrams(folded: str) -> NDArray[np.uint32]:
    """Each distinct pair once."""
    return _count_bigrams(folded)[0]


def _count_bigrams(folded: str) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    words = _word_bigrams(folded)
    ids = np.concatenate((_character_bigrams(folded), np.fromiter(words, np.uint32, len(words))))
    repeats = np.concatenate((np.ones(len(ids) - len(words), np.int64), np.fromiter(words.values(), np.int64, len(words))))
    distinct, place = np.unique(ids, return_inverse=True)
    return distinct, np.bincount(place, weights=repeats, minlength=len(distinct)).astype(np.int64)


def _character_bigrams(folded: str) -> NDArray[np.uint32]:
    """One id per two Chinese characters that stand together."""
    codes = np.frombuffer(folded.encode("utf-32-le", "replace"), np.uint32)
    if len(codes) < 2 or folded.isascii():  # noqa: PLR2004 - a pair
        return np.empty(0, np.uint32)
    han = np.zeros(len(codes), np.bool_)
    for first, last in _HAN:
        han |= (codes >= first) & (codes <= last)
    at = np.flatnonzero(han[:-1] & han[1:])
    mixed = (codes[at].astype(np.uint64) << np.uint64(32) | codes[at + 1]) * _MIX
    mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX_AGAIN
    return (mixed >> np.uint64(32)).astype(np.uint32)


def _word_bigrams(folded: str) -> Counter[int]:
    return Counter(crc32(f"{one} {other}".encode()) for run in content_words(folded) for one, other in pairwise(run))
