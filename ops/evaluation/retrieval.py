"""``claw eval retrieval DIR``: whether the passage that answers a question is found first, through the whole pipeline.

Every set goes through the inbox into a knowledge base of its own, or all of them into one, whatever their languages. The fused ranking is
that of the search endpoint, timed one question at a time; then the stack is stopped, and each leg is searched alone on the index that it
filled. A hit is a passage of the set; its rank is that of the best of its chunks.
"""

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from math import log2
from pathlib import Path

import msgspec
import uvloop
from msgspec import Struct

from ops.evaluation.legs import Legs, legs
from ops.evaluation.pipeline import IndexedCorpus, Pipeline, pipeline, temporary_home
from ops.evaluation.questions import EvaluationQuestion, QuestionSet, join_sets, sets_of
from ops.processes import logs
from schemas.settings import Settings

LEGS = ("bm25", "dense", "fused")
RANK_MAX = 10  # of MRR@10
GAIN_RANK_MAX = 5  # of nDCG@5


class Quality(Struct, frozen=True, kw_only=True):
    """The quality of one ranking: shares of questions, the mean of 1 / rank up to rank 10, and nDCG@5 with all passages that answer."""

    hit1: float
    hit5: float
    mrr10: float
    ndcg5: float


class RetrievalScores(Struct, frozen=True, kw_only=True):
    """The scores of one wording of one set. ``best``: fused is at least as good at the first place as each leg alone."""

    set: str
    wording: str
    questions: int
    legs: dict[str, Quality]
    best: bool
    p50_ms: float
    p99_ms: float


def run(settings: Settings, folder: str, *, name: str, limit: int, together: bool, as_json: bool) -> int:
    """Prints a table, or JSON; ``together``: all sets are in one knowledge base. Raises ConfigurationError for an unusable folder."""
    logs.configure(msgspec.structs.replace(settings.node, log_level="error"), "eval")  # the table is the output
    sets = sets_of(Path(folder), name=name, limit=limit)
    if together:
        sets = [join_sets(sets)]
    report = uvloop.run(_evaluate_in_stack(settings, sets, show=not as_json))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    return 0


async def _evaluate_in_stack(settings: Settings, sets: Sequence[QuestionSet], *, show: bool) -> list[RetrievalScores]:
    with temporary_home(settings) as home:
        async with pipeline(home) as running:
            fused = [each async for each in _run_fused(running, sets, show=show)]
        async with legs(settings, home) as alone:
            return [await _score(alone, each, show=show) for each in fused]


@dataclass(frozen=True, slots=True)
class _FusedRun:
    """The results of the endpoint for one wording of one set: passages and a time for each question."""

    name: str
    wording: str
    corpus: IndexedCorpus
    asked: Sequence[EvaluationQuestion]
    found: list[list[str]] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)


async def _run_fused(running: Pipeline, sets: Iterable[QuestionSet], *, show: bool) -> AsyncIterator[_FusedRun]:
    corpora = [(each, await running.index_corpus(each.name, each.corpus)) for each in sets]  # all first: they determine term rarity
    await running.wait_encoded()
    for each, corpus in corpora:
        for wording, asked in each.questions.items():
            measured = _FusedRun(each.name, wording, corpus, asked)
            await running.search(corpus, asked[0], RANK_MAX)  # the first search warms up caches for all later ones
            for one in asked:
                began = time.perf_counter()
                hits = await running.search(corpus, one, RANK_MAX)
                measured.took_ms.append((time.perf_counter() - began) * 1000)
                measured.found.append(corpus.passages_of(hit["document_id"] for hit in hits))
            if show:
                print(f"{each.name}, {wording}: {len(asked)} questions searched for in {len(each.corpus)} passages", flush=True)
            yield measured


async def _score(alone: Legs, fused: _FusedRun, *, show: bool) -> RetrievalScores:
    found = [(one, await alone.search_each(fused.corpus, one, RANK_MAX)) for one in fused.asked]
    by_leg = {leg: [each[at] for _, each in found] for at, leg in enumerate(LEGS[:2])} | {"fused": fused.found}
    golds = [one.gold for one in fused.asked]
    qualities = {leg: quality(each, golds) for leg, each in by_leg.items()}
    measured = RetrievalScores(
        set=fused.name,
        wording=fused.wording,
        questions=len(fused.asked),
        legs=qualities,
        best=qualities["fused"].hit1 >= max(qualities[leg].hit1 for leg in LEGS[:2]),
        p50_ms=round(percentile(fused.took_ms, 0.50), 2),
        p99_ms=round(percentile(fused.took_ms, 0.99), 2),
    )
    if show:
        print(_format_scores(measured), flush=True)
    return measured


def rank_of(found: Sequence[str], gold: frozenset[str]) -> int:
    """The rank from 1; 0 when none of ``gold`` is among the first ten."""
    return next((rank for rank, passage in enumerate(found[:RANK_MAX], 1) if passage in gold), 0)


def gain_of(found: Sequence[str], gold: frozenset[str]) -> float:
    """nDCG@5 of one question: what was found of ``gold`` (not empty) among the first five, discounted by rank, of what could be."""
    gained = sum(1 / log2(rank + 1) for rank, passage in enumerate(found[:GAIN_RANK_MAX], 1) if passage in gold)
    return gained / sum(1 / log2(rank + 1) for rank in range(1, min(len(gold), GAIN_RANK_MAX) + 1))


def quality(found: Sequence[Sequence[str]], golds: Sequence[frozenset[str]]) -> Quality:
    """The quality of one ranking over all questions, at least one: the passages found for each, best first, and those that answer it."""
    pairs = list(zip(found, golds, strict=True))
    ranks = [rank_of(*pair) for pair in pairs]
    return Quality(
        hit1=round(sum(rank == 1 for rank in ranks) / len(ranks), 4),
        hit5=round(sum(1 <= rank <= 5 for rank in ranks) / len(ranks), 4),  # noqa: PLR2004 - hit@5
        mrr10=round(sum(1 / rank for rank in ranks if rank) / len(ranks), 4),
        ndcg5=round(sum(gain_of(*pair) for pair in pairs) / len(ranks), 4),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The percentile by nearest rank; ``share`` in 0..1, at least one value."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def _format_scores(measured: RetrievalScores) -> str:
    lines = [
        f"\n{'set':<16} {'wording':<26} {'n':>5}  {'ranking':<7} {'hit@1':>6} {'hit@5':>6} {'MRR@10':>6} {'nDCG@5':>6}   p50 ms  p99 ms"
    ]
    for leg in LEGS:
        each, fused = measured.legs[leg], leg == "fused"
        head = f"{measured.set:<16} {measured.wording:<26} {measured.questions:>5}" if leg == LEGS[0] else " " * 49
        took = f" {measured.p50_ms:>7.1f} {measured.p99_ms:>7.1f}" if fused else ""
        worse = "  WORSE than its best leg" if fused and not measured.best else ""
        lines.append(f"{head}  {leg:<7} {each.hit1:>6.3f} {each.hit5:>6.3f} {each.mrr10:>6.3f} {each.ndcg5:>6.3f} {took}{worse}".rstrip())
    return "\n".join(lines)
