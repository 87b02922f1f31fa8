"""Fusion of a lexical and a dense ranking.

Each leg's scores are divided by its best, then added with a weight for the dense leg. Unlike reciprocal ranks (.766 where BM25 alone
has .974) this keeps *how much* better a hit is: BM25's best usually stands far above its second and then no dense score can overturn
it; where BM25 hesitates, the dense leg decides.

How much the dense leg may say depends on how much of the question BM25 has found: on its *coverage*, the greatest share of the question's
content words that one of its best hits holds. A question whose words are all there is BM25's to answer; one whose words are nowhere,
because they are other words or another language, is the dense leg's. Measured with 30 candidates a leg, hit@1 / hit@5:

    set                        questions   BM25 with pairs   static dense    fused
    CMRC 2018 (zh)             1,000       .980 / .998       .756 / .906     .982 / .998
    DRCD (zh-Hant)             1,000       .929 / .989       .609 / .838     .925 / .993
    XQuAD (zh)                 780         .932 / .991       .787 / .959     .940 / .991
    SQuAD (en)                 1,000       .860 / .953       .635 / .866     .873 / .959
    XQuAD, English on Chinese  780         .437 / .832       .659 / .922     .681 / .936

Hits in another language than the question's are ranked among themselves, and the two rankings are woven into one (``weaving.py``).

The least weight is .05 because SQuAD loses with more: .875, .872, .870 with .05, .1, .2. MTRAG with history has .912 with .1 and .2 instead
of .904; that is one question of 136.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from adapters.index.weaving import Evidence, weave
from adapters.text.language import Language, haystack_of, language_of

COVERING_HITS = 3  # the best lexical ones, whose texts are compared with the question
SAMPLE_CHARS = 400  # of a text, for its language
SAMPLES_CACHED_MAX = 2_048  # about 2 MB; without them the languages of the hits cost a millisecond a question


@dataclass(frozen=True, slots=True)
class DenseWeight:
    """The weight of the dense leg: ``least`` when BM25 covers the question, ``least + rise`` when it has none of its words.

    ``across`` is how far the cosines of passages in another language than the question's lie below those in its own.
    """

    least: float
    rise: float
    across: float = 0.0

    def at(self, coverage: float) -> float:
        return self.least + self.rise * (1 - coverage) ** 2


MULTILINGUAL = DenseWeight(0.05, 4.0, across=0.15)  # of the table; without the .05 what BM25 does not find has no order
PROVIDER = DenseWeight(0.5, 4.0)
ENGLISH = DenseWeight(0.5, 0.0)  # of ``wordllama`` for a question in English
LEXICAL = DenseWeight(0.0, 0.0)  # and in Chinese: even 0.01 cost first places


@dataclass(frozen=True, slots=True)
class RankedQuestion:
    """What a ranking needs to know of a question: its content terms (``language.terms``), its language, the weight of the dense leg."""

    terms: frozenset[str] = frozenset()
    language: Language | None = None  # None: hits are not told apart
    dense_weight: DenseWeight = ENGLISH


UNKNOWN = RankedQuestion()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A hit of either leg: its text, the title and headings above it, and the legs' own scores, 0 where one did not find it."""

    key: str
    heading: str
    text: str
    bm25: float
    dense: float


def rank(candidates: Sequence[Candidate], question: RankedQuestion) -> list[tuple[str, float]]:
    """Keys with scores that only order, best first."""
    own: list[Candidate] = []
    foreign: list[Candidate] = []
    for each in candidates:
        (foreign if question.language and passage_language(each.text) not in {"", question.language} else own).append(each)
    if not foreign or not own:
        return _rank_group(candidates, question)[0]
    (first, evidence), (second, foreign_evidence) = _rank_group(own, question), _rank_group(foreign, question)
    return weave(first, second, evidence, foreign_evidence, across=question.dense_weight.across)


def fuse(lexical: Mapping[str, float], dense: Mapping[str, float], *, dense_weight: float) -> list[tuple[str, float]]:
    """Ids with fused scores, best first; ties go to the better lexical score, then to the smaller id.

    ``lexical`` and ``dense`` are id -> score of the best candidates of each leg. A candidate that one leg did not return counts there as
    the worst that it did return (dense; it cannot be better), or as no match at all (lexical). With no lexical match the dense leg
    stands alone. Scores at or below zero say nothing and are left out. Result lies in ``(0, 1 + dense_weight]``.
    """
    lexical = {key: score for key, score in lexical.items() if score > 0}
    dense = {key: score for key, score in dense.items() if score > 0}
    if not lexical:
        fused = _shares(dense)
    else:
        fused = _shares(lexical)
        shares = _shares(dense)
        floor = min(shares.values(), default=0.0)
        for key in lexical.keys() | dense.keys():
            fused[key] = fused.get(key, 0.0) + dense_weight * shares.get(key, floor)
    return sorted(fused.items(), key=lambda item: (-item[1], -lexical.get(item[0], 0.0), item[0]))


def coverage_of(terms: frozenset[str], texts: Iterable[str]) -> float:
    """The greatest share, 0 to 1, of the terms that one of the texts holds; 1 without terms, which nothing can lack."""
    if not terms:
        return 1.0
    return max((sum(map(haystack_of(text).contains, terms)) / len(terms) for text in texts), default=0.0)


def passage_language(text: str) -> Language | Literal[""]:
    """The language of a passage by its beginning; "" for one of numbers and signs, which is in none."""
    return _sample_language(text[:SAMPLE_CHARS])


@lru_cache(maxsize=SAMPLES_CACHED_MAX)
def _sample_language(sample: str) -> Language | Literal[""]:
    if not any(map(str.isalpha, sample)):
        return ""
    return "en" if sample.isascii() else language_of(sample)


def _rank_group(candidates: Sequence[Candidate], question: RankedQuestion) -> tuple[list[tuple[str, float]], Evidence]:
    """The fused ranking of hits in one language, and the evidence that it holds the answer."""
    lexical = sorted((each for each in candidates if each.bm25 > 0), key=lambda each: (-each.bm25, each.key))
    coverage = coverage_of(question.terms, (f"{each.heading}\n{each.text}" for each in lexical[:COVERING_HITS])) if lexical else 0.0
    cosines = {each.key: each.dense for each in candidates if each.dense > 0}
    ranking = fuse({each.key: each.bm25 for each in lexical}, cosines, dense_weight=question.dense_weight.at(coverage))
    return ranking, Evidence([each.bm25 for each in lexical], list(cosines.values()), coverage)


def _shares(scores: Mapping[str, float]) -> dict[str, float]:
    best = max(scores.values(), default=1.0)
    return {key: score / best for key, score in scores.items()}
