"""The threshold on real questions, behind a plain BM25 (needs --data)."""

import json
import math
import random
from collections import Counter, defaultdict
from heapq import nlargest
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.models.grounding.answerability import is_answerable
from adapters.text.language import _terms, estimate_tokens, fold, sentences
from schemas.chats import Passage
from tests.support.model_samples import passage

QUESTIONS = 600
PASSAGES = 6
HITS = 12
CHUNK_TOKENS = 320


class Bm25:
    """Brute force, k1 = 1.2, b = 0.75, over chunks of whole sentences with their title."""

    def __init__(self, corpus: list[dict[str, Any]]) -> None:
        self.chunks = [chunk for document in corpus for chunk in _chunks(document)]
        counts = [Counter(_terms(fold(f"{chunk.title}\n{chunk.text}"))) for chunk in self.chunks]
        mean = sum(count.total() for count in counts) / len(counts)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for i, count in enumerate(counts):
            bend = 1.2 * (0.25 + 0.75 * count.total() / mean)
            for term, n in count.items():
                self._postings[term].append((i, n * 2.2 / (n + bend)))

    def best(self, question: str, left_out: str = "") -> tuple[list[Passage], list[float]]:
        scores: dict[int, float] = defaultdict(float)
        for term in set(_terms(fold(question))):
            postings = self._postings.get(term, [])
            idf = math.log(1 + (len(self.chunks) - len(postings) + 0.5) / (len(postings) + 0.5))
            for i, share in postings:
                scores[i] += idf * share
        kept = (i for i in scores if self.chunks[i].document_id != left_out)
        best = nlargest(HITS, kept, key=scores.__getitem__)
        return [self.chunks[i] for i in best[:PASSAGES]], [scores[i] for i in best]


def _chunks(document: dict[str, Any]) -> list[Passage]:
    texts = [""]
    for sentence in sentences(document["text"]):
        if texts[-1] and estimate_tokens(texts[-1]) + estimate_tokens(sentence) > CHUNK_TOKENS:
            texts.append("")
        texts[-1] += sentence + " "
    return [msgspec.structs.replace(passage(1, text, document["title"]), document_id=document["id"]) for text in texts]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("name", "refused_min", "false_max"), [("zh_cmrc2018", 0.80, 0.05), ("zh_tw_drcd", 0.70, 0.10), ("en_squad", 0.30, 0.06)]
)
def test_refuses_what_has_no_source_and_little_else(data: Path, name: str, refused_min: float, false_max: float) -> None:
    folder = data / "retrieval" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    index = Bm25(_lines(folder / "corpus.jsonl"))
    asked = random.Random(7).sample(_lines(folder / "questions.jsonl"), QUESTIONS)
    given = folder / "unanswerable_if_left_out.jsonl"
    sourceless = _lines(given) if given.exists() else asked[: QUESTIONS // 2]
    refused = [
        not is_answerable(q["question"], index.best(q["question"], q.get("left_out_doc_id") or q["gold_doc_id"])[0]) for q in sourceless
    ]
    false = [not is_answerable(q["question"], index.best(q["question"])[0]) for q in asked]
    assert sum(refused) / len(refused) >= refused_min
    assert sum(false) / len(false) <= false_max


@pytest.mark.parametrize(
    ("name", "refused_min"), [("zh_cmrc2018", 0.72), ("zh_tw_drcd", 0.60), ("xling_xquad_zh", 0.58), ("en_squad", 0.24)]
)
def test_with_the_scores_of_the_hits_hardly_anything_is_refused_that_has_a_source(data: Path, name: str, refused_min: float) -> None:
    """In every set; and of what has none, more than coverage could at the same price."""
    folder = data / "retrieval" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    index = Bm25(_lines(folder / "corpus.jsonl"))
    asked = random.Random(7).sample(_lines(folder / "questions.jsonl"), QUESTIONS)
    given = folder / "unanswerable_if_left_out.jsonl"
    sourceless = _lines(given) if given.exists() else asked[: QUESTIONS // 2]
    found = [index.best(q["question"], q.get("left_out_doc_id") or q["gold_doc_id"]) for q in sourceless]
    refused = [not is_answerable(q["question"], *each) for q, each in zip(sourceless, found, strict=True)]
    false = [not is_answerable(q["question"], *index.best(q["question"])) for q in asked]
    assert sum(refused) / len(refused) >= refused_min
    assert sum(false) / len(false) <= 0.055
