"""Sets of questions with known sources: a folder with ``corpus.jsonl`` and ``questions.jsonl``, or a folder of such folders.

``corpus.jsonl``: {id, title, text}. ``questions.jsonl``: {id, question, answers, gold_doc_id or gold_doc_ids}, and optional fields:
``history``, ``answerability``, the same question in other words (``question_hans``, ``question_en``). ``unanswerable.jsonl`` are
questions that no passage answers; ``unanswerable_if_left_out.jsonl`` those that none answers once the passages ``left_out_doc_id`` are out.
``parallel_en_doc_id`` names the passage of another set that says the same in another language.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from schemas.chats import Role, Turn
from schemas.errors import ConfigurationError

CORPUS, QUESTIONS = "corpus.jsonl", "questions.jsonl"
UNANSWERABLE, IF_LEFT_OUT = "unanswerable.jsonl", "unanswerable_if_left_out.jsonl"
TURNS_MAX = 40  # of a history; the newest count

T = TypeVar("T")


class Text(Struct, frozen=True, kw_only=True):
    """A passage of a set; each is submitted as a document of its own."""

    id: Annotated[str, Meta(min_length=1)]
    title: str = ""
    text: Annotated[str, Meta(min_length=1)]


class EvaluationQuestion(Struct, frozen=True, kw_only=True):
    """A question and the passages that answer it: none when nothing does."""

    text: str
    gold: frozenset[str] = frozenset()
    answers: tuple[str, ...] = ()
    history: tuple[Turn, ...] = ()


class QuestionSet(Struct, frozen=True, kw_only=True):
    """One set. ``questions`` by the wording they are asked in; those of a wording all have a source.

    ``unanswerable`` have none once the passages ``left_out`` are. ``translated`` are passages of other sets that this one has in
    another language.
    """

    name: str
    corpus: tuple[Text, ...]
    questions: dict[str, tuple[EvaluationQuestion, ...]]
    unanswerable: tuple[EvaluationQuestion, ...] = ()
    left_out: frozenset[str] = frozenset()
    translated: frozenset[str] = frozenset()


class _Turn(Struct, frozen=True, kw_only=True):
    role: Role
    text: str


class _QuestionRow(Struct, frozen=True, kw_only=True):
    question: str
    answers: tuple[str, ...] = ()
    gold_doc_id: str | None = None
    gold_doc_ids: tuple[str, ...] | None = None
    history: tuple[_Turn, ...] = ()
    answerability: str = ""
    question_hans: str = ""
    question_en: str = ""
    left_out_doc_id: str = ""
    parallel_en_doc_id: str = ""

    @property
    def gold(self) -> frozenset[str]:
        """All passages that answer the question."""
        return frozenset(filter(None, (self.gold_doc_id,) if self.gold_doc_ids is None else self.gold_doc_ids))

    def as_question(self, text: str, *, alone: bool = False) -> EvaluationQuestion:
        """The question in one wording; ``alone``: without its history."""
        history = () if alone else tuple(Turn(turn.role, turn.text) for turn in self.history[-TURNS_MAX:])
        return EvaluationQuestion(text=text, gold=self.gold, answers=self.answers, history=history)


def sets_of(folder: Path, *, name: str = "", limit: int = 0) -> list[QuestionSet]:
    """All sets of a folder, or the one called ``name``; of each wording the first ``limit`` questions (0: all), of the corpus everything.

    Raises ConfigurationError for a folder that cannot be used.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder")
    inside = folder / "retrieval" if (folder / "retrieval").is_dir() else folder
    folders = [inside] if (inside / CORPUS).is_file() else sorted(path.parent for path in inside.glob(f"*/{CORPUS}"))
    chosen = [path for path in folders if not name or path.name == name]
    if not chosen:
        known = f": there are {', '.join(path.name for path in folders)}" if folders else f" with {CORPUS} in it"
        raise ConfigurationError(f"{folder} has no set{f' called {name}' if name else ''}{known}")
    return [_read_set(path, limit) for path in chosen]


def _read_set(folder: Path, limit: int) -> QuestionSet:
    rows = read_lines(folder / QUESTIONS, _QuestionRow)
    answerable = [row for row in rows if row.gold]
    conversing = any(row.history for row in rows)
    wordings: dict[str, Sequence[EvaluationQuestion]] = {"question": [row.as_question(row.question, alone=True) for row in answerable]}
    wordings["question_hans"] = [row.as_question(row.question_hans) for row in answerable if row.question_hans]
    wordings["question_en"] = [row.as_question(row.question_en) for row in answerable if row.question_en]
    wordings["with history"] = [row.as_question(row.question) for row in answerable] if conversing else []
    left_out = read_lines(folder / IF_LEFT_OUT, _QuestionRow) if (folder / IF_LEFT_OUT).is_file() else []
    others = read_lines(folder / UNANSWERABLE, _QuestionRow) if (folder / UNANSWERABLE).is_file() else []
    others += [row for row in rows if not row.gold and row.answerability == "UNANSWERABLE"]
    return QuestionSet(
        name=folder.name,
        corpus=tuple(read_lines(folder / CORPUS, Text)),
        questions={name: tuple(_first(asked, limit)) for name, asked in wordings.items() if asked},
        unanswerable=tuple(_first([row.as_question(row.question) for row in (*left_out, *others)], limit)),
        left_out=frozenset(row.left_out_doc_id for row in left_out),
        translated=frozenset(row.parallel_en_doc_id for row in rows if row.parallel_en_doc_id),
    )


def join_sets(sets: Sequence[QuestionSet]) -> QuestionSet:
    """All sets as one, of which each wording of each set is one wording.

    Without the passages that another set has in translation, and the questions that only they answer: a question would have two sources.
    Raises ConfigurationError when two sets have a passage of the same id.
    """
    translated = frozenset(passage for each in sets for passage in each.translated)
    corpus = tuple(text for each in sets for text in each.corpus if text.id not in translated)
    if len({text.id for text in corpus}) < len(corpus):
        raise ConfigurationError("two of the sets have a passage of the same id: they cannot be in one knowledge base")
    wordings = {f"{each.name} {wording}": asked for each in sets for wording, asked in each.questions.items()}
    kept = {name: tuple(one for one in asked if one.gold - translated) for name, asked in wordings.items()}
    return QuestionSet(name="together", corpus=corpus, questions={name: asked for name, asked in kept.items() if asked})


def _first(values: Sequence[T], limit: int) -> Sequence[T]:
    return values[:limit] if limit else values


def read_lines(path: Path, kind: type[T]) -> list[T]:
    """Every line of a JSONL file; raises ConfigurationError that names the one that cannot be read."""
    return list(_decode_lines(path, kind))


def _decode_lines(path: Path, kind: type[T]) -> Iterator[T]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    for number, line in enumerate(content.splitlines(), 1):
        try:
            yield msgspec.json.decode(line, type=kind)
        except msgspec.MsgspecError as error:
            raise ConfigurationError(f"{path}, line {number}: {error}") from error
