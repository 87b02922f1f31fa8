"""``claw eval dialogues``: whether the turns of a conversation are answered, also one that points back to those before.

A set is a folder with ``corpus.jsonl`` (as for the other evaluations) and ``dialogues.jsonl``: {id, turns: [{kind, question, gold_doc_id,
answers, never}]}. Without a folder the project's own sets are used, Chinese and English, made for this. Every dialogue is one conversation,
and its turns are asked one after the other, each with the replies before it as history.

A turn with a ``gold_doc_id`` is right when the reply's first citation is of that document, its text has one of the ``answers`` and nothing
of ``never`` (what the passages say of something else, or the opposite). A turn without one is right when nothing is cited.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal
from zlib import crc32

import msgspec
from msgspec import Meta, Struct

from ops.evaluation.answers import contains, refuses
from ops.evaluation.pipeline import IndexedCorpus, Pipeline, PipelineReply, evaluate_in_stack, map_bounded
from ops.evaluation.questions import CORPUS, Text, read_lines
from schemas.errors import ConfigurationError
from schemas.settings import Settings

DIALOGUES = "dialogues.jsonl"
OWN_SETS = Path(__file__).parent / "data" / "dialogues"
AT_ONCE = 8  # conversations
SHOWN_CHARS = 160  # of a reply

Half = Literal["dev", "held-out", "all"]
Kind = Literal["opening", "ellipsis", "what-about", "pronoun", "place", "switch", "return", "correction", "negation", "courtesy", "absent"]


class DialogueTurn(Struct, frozen=True, kw_only=True):
    """One question: what makes it depend on those before it, and what answers it. Without ``gold_doc_id`` nothing does."""

    kind: Kind
    question: Annotated[str, Meta(min_length=1)]
    gold_doc_id: str = ""
    answers: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


class Dialogue(Struct, frozen=True, kw_only=True):
    """The turns of one conversation."""

    id: Annotated[str, Meta(min_length=1)]
    turns: Annotated[tuple[DialogueTurn, ...], Meta(min_length=1)]


class DialogueSet(Struct, frozen=True, kw_only=True):
    """Dialogues about one corpus."""

    name: str
    corpus: tuple[Text, ...]
    dialogues: tuple[Dialogue, ...]


class JudgedTurn(Struct, frozen=True, kw_only=True):
    """One turn with its reply. ``wrong`` is empty when it is right."""

    dialogue: str
    turn: int
    kind: str
    question: str
    text: str
    cited: tuple[str, ...]
    wrong: str


class DialogueScores(Struct, frozen=True, kw_only=True):
    """One half of one set: right turns and all turns, also by kind."""

    set: str
    half: str
    dialogues: int
    turns: int
    right: int
    kinds: dict[str, tuple[int, int]]
    wrong: tuple[JudgedTurn, ...]

    @property
    def share(self) -> float:
        """Right turns of all."""
        return self.right / self.turns


def run(settings: Settings, folder: str, *, half: Half, as_json: bool) -> int:
    """Prints a table and the wrong turns, or JSON. Raises ConfigurationError for a folder that cannot be used."""
    sets = dialogue_sets_of(Path(folder) if folder else OWN_SETS)
    report = evaluate_in_stack(settings, lambda running: _evaluate_all(running, sets, half))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        print("\n\n".join(map(format_scores, report)))
    return 0


async def _evaluate_all(running: Pipeline, sets: Sequence[DialogueSet], half: Half) -> list[DialogueScores]:
    return [scores for each in sets for scores in await evaluate(running, each, half)]


async def evaluate(running: Pipeline, dialogues: DialogueSet, half: Half) -> list[DialogueScores]:
    """The scores of one set: one for each half that has dialogues."""
    corpus = await running.index_corpus(dialogues.name, dialogues.corpus)
    chosen = [each for each in dialogues.dialogues if half in {"all", half_of(each.id)}]
    judged_turns = await map_bounded(partial(_hold_dialogue, running, corpus), chosen, AT_ONCE)
    held = list(zip(chosen, judged_turns, strict=True))
    halves = {name: [judged for each, judged in held if half_of(each.id) == name] for name in ("dev", "held-out")}
    return [score_dialogues(dialogues.name, name, judged) for name, judged in halves.items() if judged]


async def _hold_dialogue(running: Pipeline, corpus: IndexedCorpus, dialogue: Dialogue) -> list[JudgedTurn]:
    replies = await running.converse(corpus, [turn.question for turn in dialogue.turns])
    return [judge(dialogue.id, number, *pair) for number, pair in enumerate(zip(dialogue.turns, replies, strict=True), 1)]


def judge(dialogue: str, number: int, turn: DialogueTurn, reply: PipelineReply) -> JudgedTurn:
    """The reply to turn ``number`` (from 1), and what is wrong with it."""
    return JudgedTurn(
        dialogue=dialogue,
        turn=number,
        kind=turn.kind,
        question=turn.question,
        text=reply.text,
        cited=reply.cited,
        wrong=_find_fault(turn, reply),
    )


def _find_fault(turn: DialogueTurn, reply: PipelineReply) -> str:
    if reply.state != "completed":
        return reply.state
    if not turn.gold_doc_id:
        return "" if refuses(reply) else f"answered from {reply.cited[0]}"
    if not reply.cited:
        return "refused"
    if reply.cited[0] != turn.gold_doc_id:
        return f"answered from {reply.cited[0]}, not {turn.gold_doc_id}"
    if not contains(reply.text, turn.answers):
        return f"does not say {' or '.join(turn.answers)}"
    return f"says one of {', '.join(turn.never)}" if contains(reply.text, turn.never) else ""


def score_dialogues(name: str, half: str, judged: Sequence[Sequence[JudgedTurn]]) -> DialogueScores:
    """The scores of judged dialogues, at least one."""
    turns = [turn for dialogue in judged for turn in dialogue]
    kinds = {kind: [turn for turn in turns if turn.kind == kind] for kind in dict.fromkeys(turn.kind for turn in turns)}
    return DialogueScores(
        set=name,
        half=half,
        dialogues=len(judged),
        turns=len(turns),
        right=sum(not turn.wrong for turn in turns),
        kinds={kind: (sum(not turn.wrong for turn in same), len(same)) for kind, same in kinds.items()},
        wrong=tuple(turn for turn in turns if turn.wrong),
    )


def half_of(dialogue: str) -> Half:
    """The half that a dialogue belongs to, by its id: rules are made on ``dev`` and reported on ``held-out``."""
    return "dev" if crc32(dialogue.encode()) % 2 else "held-out"


def dialogue_sets_of(folder: Path) -> list[DialogueSet]:
    """The set in a folder, or all sets in its folders. Raises ConfigurationError for a folder that cannot be used."""
    folders = [folder] if (folder / DIALOGUES).is_file() else sorted(path.parent for path in folder.glob(f"*/{DIALOGUES}"))
    if not folders:
        raise ConfigurationError(f"{folder} has no {DIALOGUES}, nor has a folder in it")
    return [_read_set(each) for each in folders]


def _read_set(folder: Path) -> DialogueSet:
    corpus, dialogues = tuple(read_lines(folder / CORPUS, Text)), tuple(read_lines(folder / DIALOGUES, Dialogue))
    known = {text.id for text in corpus}
    for dialogue in dialogues:
        unknown = [turn.gold_doc_id for turn in dialogue.turns if turn.gold_doc_id and turn.gold_doc_id not in known]
        if unknown:
            raise ConfigurationError(f"{folder / DIALOGUES}, dialogue {dialogue.id}: {unknown[0]} is not in {CORPUS}")
    return DialogueSet(name=folder.name, corpus=corpus, dialogues=dialogues)


def format_scores(scores: DialogueScores) -> str:
    """The table of one half, and every wrong turn."""
    head = f"{scores.set}, {scores.half}: {scores.right} of {scores.turns} turns right ({scores.share:.3f}), {scores.dialogues} dialogues"
    kinds = [f"  {kind:<12} {right:>3} of {turns:>3}  {right / turns:.3f}" for kind, (right, turns) in sorted(scores.kinds.items())]
    wrong = [
        f"  {each.dialogue}.{each.turn} {each.kind}: {each.question}\n      {each.wrong}: {_shorten(each.text)}" for each in scores.wrong
    ]
    return "\n".join((head, *kinds, *wrong))


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else f"{line[:SHOWN_CHARS]}…"
