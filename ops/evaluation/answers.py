"""``claw eval answers DIR``: whether answers cite passages that answer the question, and whether unanswerable questions are refused.

Every set goes through the inbox into a knowledge base of its own, without the passages that its unanswerable questions need left out; every
question is asked in a conversation and its stream is read to the end, by whatever model is configured (the keyless one quotes sentences).

* precision: of all citations of answerable questions, the share that names a passage which answers the question;
* exact: answerable questions all of whose citations (at least one) do; contains: those whose text has one of the known answers;
* refused: unanswerable questions answered without a citation; false refusals: answerable ones.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from adapters.text.language import fold
from ops.evaluation.pipeline import Pipeline, PipelineReply, evaluate_in_stack, map_bounded
from ops.evaluation.questions import EvaluationQuestion, QuestionSet, sets_of
from schemas.settings import Settings

AT_ONCE = 8  # conversations; the keyless model is bound by CPU long before


class AnswerScores(Struct, frozen=True, kw_only=True):
    """One wording of one set, as shares; ``unanswerable`` questions are asked once per set, with the first wording."""

    set: str
    wording: str
    model: str
    answerable: int
    citations: int
    precision: float
    exact: float
    contains: float
    false_refusals: float
    unanswerable: int
    refused: float
    failed: int


def run(settings: Settings, folder: str, *, name: str, limit: int, as_json: bool) -> int:
    """Prints a table, or JSON; returns 1 when an answer failed. Raises ConfigurationError for a folder that cannot be used."""
    sets = sets_of(Path(folder), name=name, limit=limit)
    report = evaluate_in_stack(settings, lambda running: evaluate(running, sets, model=settings.model.provider, show=not as_json))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    return int(any(each.failed for each in report))


async def evaluate(running: Pipeline, sets: Iterable[QuestionSet], *, model: str, show: bool = False) -> list[AnswerScores]:
    """Every set, one after the other."""
    report: list[AnswerScores] = []
    if show:
        columns = ("precision", "exact", "contains", "false ref.")
        print(f"{'set':<16} {'wording':<14} {'n':>5} {' '.join(f'{each:>10}' for each in columns)}  unanswerable  refused", flush=True)
    for each in sets:
        corpus = await running.index_corpus(each.name, (text for text in each.corpus if text.id not in each.left_out))
        ask, unanswerable = partial(running.ask, corpus), each.unanswerable
        for wording, asked in wordings(each).items():
            replies = await map_bounded(ask, asked, AT_ONCE)
            refusals = await map_bounded(ask, unanswerable, AT_ONCE)
            answered = score_answers(each.name, wording, model, asked, replies, refusals)
            unanswerable = ()
            report.append(answered)
            if show:
                print(_format_row(answered), flush=True)
    return report


def wordings(questions: QuestionSet) -> dict[str, list[EvaluationQuestion]]:
    """The questions to ask: all whose source was not left out. A follow-up is asked only with its history: alone it is another question."""
    chosen = {name: asked for name, asked in questions.questions.items() if name != "question" or "with history" not in questions.questions}
    return {name: [each for each in asked if not each.gold & questions.left_out] for name, asked in chosen.items()}


def score_answers(
    name: str,
    wording: str,
    model: str,
    asked: Sequence[EvaluationQuestion],
    replies: Sequence[PipelineReply],
    refusals: Sequence[PipelineReply],
) -> AnswerScores:
    """The scores of the replies; failed answers count as neither right nor refused."""
    pairs = list(zip(asked, replies, strict=True))
    cited = [passage in each.gold for each, reply in pairs for passage in reply.cited]
    return AnswerScores(
        set=name,
        wording=wording,
        model=model,
        answerable=len(asked),
        citations=len(cited),
        precision=_share(sum(cited), len(cited)),
        exact=_share(sum(bool(reply.cited) and set(reply.cited) <= each.gold for each, reply in pairs), len(pairs)),
        contains=_share(sum(contains(reply.text, each.answers) for each, reply in pairs), len(pairs)),
        false_refusals=_share(sum(map(refuses, replies)), len(replies)),
        unanswerable=len(refusals),
        refused=_share(sum(map(refuses, refusals)), len(refusals)),
        failed=sum(reply.state != "completed" for reply in (*replies, *refusals)),
    )


def refuses(reply: PipelineReply) -> bool:
    """Whether a reply refuses: it is completed and cites nothing."""
    return reply.state == "completed" and not reply.cited


def contains(text: str, answers: Sequence[str]) -> bool:
    """Whether the text contains one of the known answers, white space, case and script aside."""
    squeezed = "".join(fold(text).split())
    return any(known in squeezed for known in ("".join(fold(answer).split()) for answer in answers) if known)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _format_row(answered: AnswerScores) -> str:
    shares = (answered.precision, answered.exact, answered.contains, answered.false_refusals)
    refused = f"{answered.unanswerable:>12} {answered.refused:>8.3f}" if answered.unanswerable else ""
    failed = f"  FAILED: {answered.failed}" if answered.failed else ""
    return (
        f"{answered.set:<16} {answered.wording:<14} {answered.answerable:>5} {' '.join(f'{each:>10.3f}' for each in shares)}  "
        f"{refused}{failed}"
    ).rstrip()
