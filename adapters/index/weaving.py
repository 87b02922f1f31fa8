"""One ranking of two: hits in the question's own language and hits in another.

Their scores do not compare. Passages of the own language share words with the question whether they answer it or not, and cosines across
languages are lower (XQuAD, question and its passage: .57 in one language, .39 across; question and any passage: .15 to .23, and .12).
Each ranking is good by itself, so it keeps its order, and only the places are shared out.

The *evidence* that a language holds the answer is in units of cosine: its best cosine, how far that stands out from the cosines behind the
tenth, and ``WORDS`` times how much of the question its best lexical hits cover times how far the best BM25 score stands out. The
other language gets ``across`` on top, the measured distance of its cosines. The difference says by a logistic curve how likely each
language holds the answer, and places go by likelihood / rank ** ``STEEPNESS``: a language that is ten times as likely has the first four
places, two that are equally likely take turns.

``WORDS``, ``SLOPE`` and ``across`` are from a logistic regression (is the answer in the other language?) on the even-numbered questions of
the dev sets, each pair of languages with equal weight, and paraphrases; they are no fine tuning. Means over thirteen kinds of questions in
four mixed bases, hit@1 / hit@5 where the answer is in the question's own language and where it is in the other, and hit@5 of paraphrases:

    across   WORDS   SLOPE       own language   across        paraphrases
    interleaved 1:1, before      .919 / .976    .099 / .678   .765
    .14      .4      8           .907 / .977    .434 / .725   .882
    .15      .5      8           .912 / .977    .426 / .717   .897
    .16      .5      6           .909 / .977    .432 / .733   .853
    .16      .5      10          .909 / .976    .432 / .708   .882
    .18      .5      8           .905 / .977    .449 / .729   .882
    the language known           .920 / .978    .590 / .836   .941

Without what stands out, at the same own hit@1, .05 less is found across. A distance for each language changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp

WORDS = 0.5  # of cosine, for words that are all there in one passage alone
SLOPE = 8.0  # of the logistic curve, per unit of cosine
STEEPNESS = 1.5  # from 1 to 2 changes hit@5 by .02; the first place not at all

FRONT = 10  # the best of a ranking; what is behind them is its background
BACKGROUND = 20  # hits of a whole background; fewer say less
NEUTRAL_COSINE = 0.13  # how far the best stands out where there is no background to tell
NEUTRAL_BM25 = 0.5

Ranking = Sequence[tuple[str, float]]  # keys with scores, best first


@dataclass(frozen=True, slots=True)
class Evidence:
    """That one language holds the answer: the scores of its hits above zero, and the coverage of the question by the best of them."""

    bm25: Sequence[float]
    cosines: Sequence[float]
    coverage: float

    def total(self, across: float = 0.0) -> float:
        """In units of cosine; ``across`` is added to the cosines, if there are any."""
        words = WORDS * self.coverage * _stand_out(self.bm25, NEUTRAL_BM25, relative=True) if self.bm25 else 0.0
        meaning = across + max(self.cosines) + _stand_out(self.cosines, NEUTRAL_COSINE) if self.cosines else 0.0
        return words + meaning


def weave(own: Ranking, foreign: Ranking, evidence: Evidence, foreign_evidence: Evidence, *, across: float) -> list[tuple[str, float]]:
    """Both rankings in one, each in its order; scores in (0, 1] only order.

    A higher score of one of the ``FRONT`` best hits of its language, with the coverage as it is, never moves that hit down.
    """
    likely = 1 / (1 + exp(-SLOPE * (foreign_evidence.total(across) - evidence.total())))
    woven = [*_share_places(own, 1 - likely), *_share_places(foreign, likely)]
    return sorted(woven, key=lambda hit: -hit[1])  # stable: of equal ones the own language comes first


def _share_places(ranking: Ranking, likely: float) -> Iterator[tuple[str, float]]:
    return ((key, likely / rank**STEEPNESS) for rank, (key, _) in enumerate(ranking, 1))


def _stand_out(scores: Sequence[float], neutral: float, *, relative: bool = False) -> float:
    """How far the best of the scores, at least one, is above their background, as a share of it where ``relative``."""
    ordered = sorted(scores, reverse=True)
    background = ordered[FRONT : FRONT + BACKGROUND]
    if not background:
        return neutral
    distance = ordered[0] - sum(background) / len(background)
    return neutral + ((distance / ordered[0] if relative else distance) - neutral) * len(background) / BACKGROUND
