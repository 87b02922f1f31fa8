"""``claw eval tables``: whether questions on tables are answered with the right values and only those.

Every table is written as a file, uploaded to one knowledge base, and asked about in conversations, through the whole pipeline. An answer is
right when it cites and says everything expected, and names no row besides; every other one has to be refused, or marked as partial or
impossible. The tables of ``dev`` are those that table answers are developed on; those of ``held-out`` are only asked.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import aiohttp
import msgspec
from msgspec import Struct

from claw_client import Client
from ops.evaluation.pipeline import INDEXED_S_MAX, IndexedCorpus, Pipeline, evaluate_in_stack
from ops.evaluation.questions import EvaluationQuestion
from ops.evaluation.tables import dev, dev_ledgers, held_out, held_out_ledgers
from ops.evaluation.tables.case import TableCase, TableQuestion, is_honest, is_right
from ops.evaluation.tables.files import write_file
from schemas.settings import Settings

Part = Literal["dev", "held-out"]
CASES: dict[Part, tuple[TableCase, ...]] = {"dev": (*dev.CASES, *dev_ledgers.CASES), "held-out": (*held_out.CASES, *held_out_ledgers.CASES)}
RIGHT_MIN = 0.85


class AnswerVerdict(Struct, frozen=True, kw_only=True):
    """One answer. ``honest``: right, refused or marked."""

    part: Part
    table: str
    format: str
    kind: str
    question: str
    right: bool
    honest: bool
    text: str


class TablesReport(Struct, frozen=True, kw_only=True):
    """``right`` and ``questions`` are counts by part, and by kind of question."""

    verdicts: list[AnswerVerdict]
    right: dict[str, int]
    questions: dict[str, int]
    dishonest: int


def run(settings: Settings, *, part: str, as_json: bool) -> int:
    """Prints the answers that are not right, and counts; returns 1 below the bar. Raises ConfigurationError."""
    parts: list[Part] = [name for name in CASES if part in ("", name)]
    report = evaluate_in_stack(settings, lambda running: evaluate(running, parts, show=not as_json))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        for name, count in report.questions.items():
            print(f"{name:<12} {report.right[name]:>3} of {count:>3} right  {report.right[name] / count:.3f}")
        print(f"wrong and neither refused nor marked: {report.dishonest}")
    shares = [report.right[name] / report.questions[name] for name in parts]
    return int(report.dishonest > 0 or any(share < RIGHT_MIN for share in shares))


async def evaluate(running: Pipeline, parts: Sequence[Part], *, show: bool = False) -> TablesReport:
    """Every question of these parts, over all of their tables together."""
    verdicts: list[AnswerVerdict] = []
    today = datetime.now(UTC).date()
    for part in parts:
        cases = [case.at(today) for case in CASES[part]]
        corpus = await upload(running, part, cases)
        for case in cases:
            for question in case.questions:
                reply = await running.ask(corpus, EvaluationQuestion(text=question.text))
                verdict = judge(part, case, question, reply.text, cites=bool(reply.cited))
                verdicts.append(verdict)
                if show and not verdict.right:
                    print(
                        f"{'marked' if verdict.honest else 'WRONG':<6} {case.name} ({case.format}) {question.text}\n{_indent(reply.text)}",
                        flush=True,
                    )
    return summarise(verdicts)


async def upload(running: Pipeline, part: Part, cases: Sequence[TableCase]) -> IndexedCorpus:
    """A knowledge base with the files of these tables. Raises DocumentFailed."""
    base = await running.post("/api/v1/knowledge", {"name": f"tables {part}"})
    corpus = IndexedCorpus(str(base["id"]), {})
    client = Client(running.client.session, running.client.headers, corpus.knowledge_base)
    for case in cases:
        form = aiohttp.FormData()
        form.add_field("document_id", case.name)
        form.add_field("title", case.title)
        form.add_field("file", write_file(case), filename=f"{case.name}.{case.format}", content_type="application/octet-stream")
        async with client.session.post(f"{client.documents}/upload", data=form, headers=client.headers) as answer:
            answer.raise_for_status()
        corpus.passages[case.name] = case.name
    for name in corpus.passages:
        await client.wait_indexed(name, timeout_s=INDEXED_S_MAX)
    return corpus


def judge(part: Part, case: TableCase, question: TableQuestion, text: str, *, cites: bool) -> AnswerVerdict:
    """The verdict on one answer."""
    right = is_right(case, question, text, cites=cites)
    return AnswerVerdict(
        part=part,
        table=case.name,
        format=case.format,
        kind=question.kind,
        question=question.text,
        right=right,
        honest=right or is_honest(text, cites=cites),
        text=text,
    )


def summarise(verdicts: Sequence[AnswerVerdict]) -> TablesReport:
    """The counts of all verdicts."""
    names = [name for verdict in verdicts for name in (verdict.part, verdict.kind)]
    right = Counter(name for verdict in verdicts if verdict.right for name in (verdict.part, verdict.kind))
    questions = Counter(names)
    dishonest = sum(not verdict.honest for verdict in verdicts)
    return TablesReport(
        verdicts=list(verdicts), right={name: right[name] for name in questions}, questions=dict(questions), dishonest=dishonest
    )


def _indent(text: str) -> str:
    return "\n".join(f"       {line}" for line in text.splitlines())
