"""``claw eval paraphrases``: whether a question that shares no word with its passage finds it, in one language and across two.

The pairs are the project's own (``data/paraphrases.jsonl``): a passage, a question in each language, and the words that answer both. They
stand among others that share the words of the questions and do not answer them: in a knowledge base of each language, and in one of both,
where every second place of a ranking is the other language's.

* found: the passage is among the first five of the search endpoint; first: it is the very first;
* quoted: the answer contains the words that answer the question; refused: it cites nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from adapters.text.language import Language, language_of
from ops.evaluation.answers import contains, refuses
from ops.evaluation.pipeline import IndexedCorpus, Pipeline, PipelineReply, evaluate_in_stack, map_bounded
from ops.evaluation.questions import EvaluationQuestion, Text
from ops.evaluation.retrieval import rank_of
from schemas.settings import Settings

DATA = Path(__file__).parent / "data" / "paraphrases.jsonl"
LANGUAGES: tuple[Language, ...] = ("zh", "en")
FOUND_RANK_MAX = 5
SEARCHED = 10
AT_ONCE = 4


class ParaphrasedPassage(Struct, frozen=True, kw_only=True):
    """A passage with a question in each language; without questions it only stands in the way. ``id`` begins with its language."""

    id: str
    text: str
    answer: str = ""
    zh: str = ""
    en: str = ""

    def questions(self) -> Iterator[tuple[Language, str]]:
        """Each question with its language."""
        yield from ((language, text) for language, text in zip(LANGUAGES, (self.zh, self.en), strict=True) if text)


@dataclass(frozen=True, slots=True)
class Paraphrase:
    """A question and its passage. ``kind``: their languages, the question's first, such as ``en-zh``."""

    kind: str
    question: EvaluationQuestion


Tried = tuple[Paraphrase, int, PipelineReply]  # a question, the rank of its passage (0: not found), the reply


class ParaphraseScores(Struct, frozen=True, kw_only=True):
    """The scores of one kind in a base of its passages' language (``one``) or of ``both``, as shares of its questions."""

    base: Literal["one", "both"]
    kind: str
    questions: int
    first: float
    found: float
    quoted: float
    refused: float
    failed: int


def read_passages(path: Path = DATA) -> list[ParaphrasedPassage]:
    """The passages of the data file."""
    return [msgspec.json.decode(line, type=ParaphrasedPassage) for line in path.read_bytes().splitlines()]


def paraphrases_of(passages: Sequence[ParaphrasedPassage]) -> list[Paraphrase]:
    """Every question, as it is asked."""
    return [
        Paraphrase(f"{language}-{each.id[:2]}", EvaluationQuestion(text=text, gold=frozenset((each.id,)), answers=(each.answer,)))
        for each in passages
        for language, text in each.questions()
    ]


def run(settings: Settings, *, as_json: bool) -> int:
    """Prints a table, or JSON; returns 1 when an answer failed."""
    report = evaluate_in_stack(settings, lambda running: evaluate(running, read_passages()))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        print("\n".join(_format_table(report)))
    return int(any(each.failed for each in report))


async def evaluate(running: Pipeline, passages: Sequence[ParaphrasedPassage]) -> list[ParaphraseScores]:
    """Every question, searched for and asked in both kinds of bases; the scores of each kind, and of all."""
    alone = [await _try_base(running, [each for each in passages if language_of(each.text) == language]) for language in LANGUAGES]
    return [*_score_all("one", [one for tried in alone for one in tried]), *_score_all("both", await _try_base(running, passages))]


async def _try_base(running: Pipeline, passages: Sequence[ParaphrasedPassage]) -> list[Tried]:
    """The questions on these passages, in a knowledge base of these."""
    corpus = await running.index_corpus("paraphrases", (Text(id=each.id, text=each.text) for each in passages))

    async def one(each: Paraphrase) -> Tried:
        return each, await _rank(running, corpus, each.question), await running.ask(corpus, each.question)

    return await map_bounded(one, paraphrases_of(passages), AT_ONCE)


def _score_all(base: Literal["one", "both"], tried: Sequence[Tried]) -> list[ParaphraseScores]:
    kinds = list(dict.fromkeys(each.kind for each, _, _ in tried))
    return [*(score(base, kind, [each for each in tried if each[0].kind == kind]) for kind in kinds), score(base, "all", tried)]


async def _rank(running: Pipeline, corpus: IndexedCorpus, asked: EvaluationQuestion) -> int:
    hits = await running.search(corpus, asked, SEARCHED)
    return rank_of(corpus.passages_of(hit["document_id"] for hit in hits), asked.gold)


def score(base: Literal["one", "both"], kind: str, tried: Sequence[Tried]) -> ParaphraseScores:
    """The scores of questions with the rank of their passage (0: not found) and their reply."""

    def share(count: int) -> float:
        return round(count / len(tried), 4)

    return ParaphraseScores(
        base=base,
        kind=kind,
        questions=len(tried),
        first=share(sum(rank == 1 for _, rank, _ in tried)),
        found=share(sum(1 <= rank <= FOUND_RANK_MAX for _, rank, _ in tried)),
        quoted=share(sum(contains(reply.text, each.question.answers) for each, _, reply in tried)),
        refused=share(sum(refuses(reply) for _, _, reply in tried)),
        failed=sum(reply.state != "completed" for _, _, reply in tried),
    )


def _format_table(report: Sequence[ParaphraseScores]) -> Iterator[str]:
    columns = ("first", "found", "quoted", "refused")
    yield f"{'base':<5} {'question-passage':<18} {'n':>4} {' '.join(f'{each:>8}' for each in columns)}"
    for each in report:
        shares = (each.first, each.found, each.quoted, each.refused)
        failed = f"  FAILED: {each.failed}" if each.failed else ""
        yield f"{each.base:<5} {each.kind:<18} {each.questions:>4} {' '.join(f'{share:>8.3f}' for share in shares)}{failed}"
