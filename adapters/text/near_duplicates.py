"""Near duplicates: texts that differ in small changes, such as a copy, another edition, a page with another footer.

A sketch is a sample of the hashes of all runs of eight characters, letters and digits only, folded: the same run is in the sample or not
wherever it stands. Two texts are alike when nearly all of the shorter one's sketch is in the other's. Exact enough for passages: about 60
samples stand for 250 characters.

Forms and tickets are alike but for what matters in them: a text with another identifier or number in it is no copy, however much else it
shares.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.text.language import fold

RUN_CHARS = 8
SAMPLE_EVERY = 4  # one of so many runs is sampled
SIMILARITY_MIN = 0.85  # of the shorter sketch: one changed word in a hundred spoils some eight runs around it
CHARS_MAX = 8_000  # of a text that are compared; chunks are far shorter
SKETCHES_CACHED_MAX = 2_048  # of chunks that were found lately, about 10 MB with their texts: the same ones are found again and again
# Numbers in figures and in Chinese, and what is written together with them: PPR-9087, 3.5, GB/T 19001, 第三条.
_FIGURES = re.compile(r"[a-z]{1,12}[0-9][a-z0-9]*|[0-9]++[a-z][a-z0-9]*|[0-9]+|[〇零一二三四五六七八九十百千万亿]+")
_BASE = np.uint64(0x100000001B3)
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Sketch(NamedTuple):
    """``hashes`` of the sampled runs: distinct, ascending, read-only. ``figures``: the numbers and identifiers of the text."""

    hashes: NDArray[np.uint64]
    figures: frozenset[str]


@lru_cache(maxsize=SKETCHES_CACHED_MAX)
def sketch(text: str) -> Sketch:
    """The sketch of a text; all its runs when it is too short for a sample."""
    folded = fold(text[:CHARS_MAX])
    plain = "".join(filter(str.isalnum, folded))
    codes = np.frombuffer(plain.encode("utf-32-le", "replace"), np.uint32).astype(np.uint64)
    if len(codes) < RUN_CHARS:
        codes = np.pad(codes, (0, RUN_CHARS - len(codes)))
    count = len(codes) - RUN_CHARS + 1
    runs = np.zeros(count, np.uint64)
    for at in range(RUN_CHARS):
        runs = runs * _BASE + codes[at : at + count]
    runs *= _MIX
    runs ^= runs >> np.uint64(31)
    sampled = runs[runs % np.uint64(SAMPLE_EVERY) == 0]
    hashes = np.unique(sampled if count >= SAMPLE_EVERY * RUN_CHARS else runs)
    hashes.setflags(write=False)
    return Sketch(hashes, frozenset(_FIGURES.findall(folded)))


def is_near_duplicate(one: Sketch, other: Sketch) -> bool:
    """Whether one of two sketched texts adds hardly anything to the other. A much shorter one is a part, not a copy."""
    shorter, longer = sorted((len(one.hashes), len(other.hashes)))
    if not shorter or longer > 2 * shorter or one.figures != other.figures:
        return False
    return len(np.intersect1d(one.hashes, other.hashes, assume_unique=True)) >= SIMILARITY_MIN * shorter
