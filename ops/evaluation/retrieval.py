"""``claw eval retrieval DIR``: whether the passage that answers a question is found first, through the whole pipeline.

Every set goes through the inbox into a knowledge base of its own. The fused ranking is that of the search endpoint, timed one question at a
time; what each leg would have said alone is read from the scores that the same endpoint gives for a deeper search, so that the three are
compared on the same index in the same run. A hit is a passage of the set; its rank is that of the best of its chunks.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from msgspec import Struct

from ops import logs
from ops.evaluation.pipeline import Pipeline, Shelved, pipeline
from ops.evaluation.questions import Asked, QuestionSet, sets_of
from schemas.settings import Settings

LEGS = ("bm25", "dense", "fused")
RANK_MAX = 10  # of MRR@10
DEEP = 50  # hits from which each leg's own first ten are read; the endpoint's most


class Quality(Struct, frozen=True, kw_only=True):
    """Of one ranking: shares of questions, and the mean of 1 / rank up to rank 10."""

    hit1: float
    hit5: float
    mrr10: float


class Measured(Struct, frozen=True, kw_only=True):
    """One wording of one set. ``best`` says that fused is at least as good at the first place as each leg alone."""

    set: str
    wording: str
    questions: int
    legs: dict[str, Quality]
    best: bool
    p50_ms: float
    p99_ms: float


def run(settings: Settings, folder: str, *, name: str, limit: int, as_json: bool) -> int:
    """Prints a table, or JSON. Raises ConfigurationError for a folder that cannot be used."""
    logs.configure(msgspec.structs.replace(settings.node, log_level="error"), "eval")  # the table says it all
    sets = sets_of(Path(folder), name=name, limit=limit)
    report = uvloop.run(_evaluated(settings, sets, show=not as_json))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    return 0


async def _evaluated(settings: Settings, sets: Iterable[QuestionSet], *, show: bool) -> list[Measured]:
    async with pipeline(settings) as running:
        return await evaluate(running, sets, show=show)


async def evaluate(running: Pipeline, sets: Iterable[QuestionSet], *, show: bool = False) -> list[Measured]:
    """Every set, one after the other."""
    report: list[Measured] = []
    if show:
        print(f"{'set':<16} {'wording':<14} {'n':>5}  {'ranking':<6} {'hit@1':>6} {'hit@5':>6} {'MRR@10':>6}   p50 ms  p99 ms", flush=True)
    for each in sets:
        shelved = await running.shelve(each.name, each.corpus)
        for wording, asked in each.questions.items():
            measured = await _measured(running, shelved, each.name, wording, asked)
            report.append(measured)
            if show:
                print(_shown(measured), flush=True)
    return report


async def _measured(running: Pipeline, shelved: Shelved, name: str, wording: str, asked: Sequence[Asked]) -> Measured:
    ranks: dict[str, list[int]] = {leg: [] for leg in LEGS}
    took_ms: list[float] = []
    await running.search(shelved, asked[0], RANK_MAX)  # the first one warms up caches that every later one finds warm
    for each in asked:
        began = time.perf_counter()
        hits = await running.search(shelved, each, RANK_MAX)
        took_ms.append((time.perf_counter() - began) * 1000)
        ranks["fused"].append(rank_of(documents(hits, shelved), each.gold))
        deep = await running.search(shelved, each, DEEP)
        for leg in ("bm25", "dense"):
            ranks[leg].append(rank_of(documents(alone(deep, leg), shelved), each.gold))
    legs = {leg: quality(ranks[leg]) for leg in LEGS}
    return Measured(
        set=name,
        wording=wording,
        questions=len(asked),
        legs=legs,
        best=legs["fused"].hit1 >= max(legs["bm25"].hit1, legs["dense"].hit1),
        p50_ms=round(percentile(took_ms, 0.50), 2),
        p99_ms=round(percentile(took_ms, 0.99), 2),
    )


def alone(hits: Sequence[dict[str, Any]], leg: str) -> list[dict[str, Any]]:
    """The hits that one leg found, in its own order, at most ten."""
    return sorted((hit for hit in hits if hit[leg] > 0), key=lambda hit: -hit[leg])[:RANK_MAX]


def documents(hits: Sequence[dict[str, Any]], shelved: Shelved) -> list[str]:
    """The passages of the set that the hits are of, best first, each once."""
    return list(dict.fromkeys(shelved.passages[hit["document_id"]] for hit in hits))


def rank_of(found: Sequence[str], gold: frozenset[str]) -> int:
    """From 1; 0 when none of ``gold`` is among the first ten."""
    return next((rank for rank, passage in enumerate(found[:RANK_MAX], 1) if passage in gold), 0)


def quality(ranks: Sequence[int]) -> Quality:
    """Of one ranking over all questions; ``ranks`` as ``rank_of`` gives them, at least one."""
    count = len(ranks)
    return Quality(
        hit1=round(sum(rank == 1 for rank in ranks) / count, 4),
        hit5=round(sum(1 <= rank <= 5 for rank in ranks) / count, 4),  # noqa: PLR2004 - hit@5
        mrr10=round(sum(1 / rank for rank in ranks if rank) / count, 4),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank; ``share`` in 0..1, at least one value."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def _shown(measured: Measured) -> str:
    lines = []
    for leg in LEGS:
        each, fused = measured.legs[leg], leg == "fused"
        head = f"{measured.set:<16} {measured.wording:<14} {measured.questions:>5}" if leg == LEGS[0] else " " * 37
        took = f" {measured.p50_ms:>7.1f} {measured.p99_ms:>7.1f}" if fused else ""
        worse = "  WORSE than its best leg" if fused and not measured.best else ""
        lines.append(f"{head}  {leg:<6} {each.hit1:>6.3f} {each.hit5:>6.3f} {each.mrr10:>6.3f} {took}{worse}".rstrip())
    return "\n".join(lines)
