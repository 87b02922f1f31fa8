"""``claw eval dialogues``: reading sets, judging turns, the project's own sets, and once the real thing on a tiny set."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ops.evaluation.dialogues import (
    OWN_SETS,
    DialogueTurn,
    dialogue_sets_of,
    format_scores,
    half_of,
    judge,
    score_dialogues,
)
from ops.evaluation.pipeline import PipelineReply
from schemas.errors import ConfigurationError

ROOT = Path(__file__).parents[3]
TURN = DialogueTurn(kind="what-about", question="那船呢？", gold_doc_id="boat", answers=("八点", "8点"), never=("九点",))
CORPUS = [
    {"id": "boat", "title": "渡轮", "text": "渡轮早上八点开船，船票十二元。"},
    {"id": "cable", "title": "缆车", "text": "缆车早上九点开始运行，票价四十元。"},
]
DIALOGUE = {
    "id": "one",
    "turns": [
        {"kind": "opening", "question": "缆车早上几点开始运行？", "gold_doc_id": "cable", "answers": ["九点"]},
        {"kind": "courtesy", "question": "谢谢"},
        {"kind": "what-about", "question": "那渡轮呢？", "gold_doc_id": "boat", "answers": ["八点"]},
    ],
}


def reply(text: str, *cited: str, state: str = "completed") -> PipelineReply:
    return PipelineReply(state, text, cited)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (reply("早上八点 [1]。", "boat"), ""),
        (reply("早上 8 点 [1]。", "boat", "cable"), ""),
        (reply("早上八点 [1]。", "cable", "boat"), "answered from cable, not boat"),
        (reply("不知道"), "refused"),
        (reply("十点", "boat"), "does not say 八点 or 8点"),
        (reply("八点，缆车九点", "boat"), "says one of 九点"),
        (reply("", state="failed"), "failed"),
    ],
)
def test_a_turn_with_an_answer(given: PipelineReply, wrong: str) -> None:
    assert judge("d", 1, TURN, given).wrong == wrong


def test_a_turn_without_one() -> None:
    thanks = DialogueTurn(kind="courtesy", question="谢谢")
    assert judge("d", 2, thanks, reply("不客气。")).wrong == ""
    assert judge("d", 2, thanks, reply("八点 [1]", "boat")).wrong == "answered from boat"


def test_scores_by_kind() -> None:
    right, wrong = judge("d", 1, TURN, reply("八点", "boat")), judge("d", 2, TURN, reply("不知道"))
    scores = score_dialogues("zh", "dev", [[right, wrong], [right]])
    assert (scores.dialogues, scores.turns, scores.right, scores.kinds) == (2, 3, 2, {"what-about": (2, 3)})
    assert "2 of 3 turns right (0.667)" in format_scores(scores)
    assert "d.2 what-about: 那船呢？" in format_scores(scores)


def test_the_projects_own_sets() -> None:
    """Two languages, at least 40 dialogues of 3 or 4 turns each, every kind in both halves, at least eight documents."""
    sets = {each.name: each for each in dialogue_sets_of(OWN_SETS)}
    assert set(sets) == {"en", "zh"}
    for each in sets.values():
        assert len(each.dialogues) == len({dialogue.id for dialogue in each.dialogues}) >= 40
        assert {len(dialogue.turns) for dialogue in each.dialogues} <= {3, 4}
        assert len(each.corpus) >= 8
        halves = Counter((half_of(dialogue.id), turn.kind) for dialogue in each.dialogues for turn in dialogue.turns)
        kinds = {kind for _, kind in halves}
        assert len(kinds) == 11
        assert {kind for half, kind in halves if half == "dev"} == {kind for half, kind in halves if half == "held-out"} == kinds
        passages = {text.id: text.text for text in each.corpus}
        for turn in (turn for dialogue in each.dialogues for turn in dialogue.turns if turn.gold_doc_id):
            assert any(answer in passages[turn.gold_doc_id] or answer in turn.question for answer in turn.answers), turn


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has no dialogues\.jsonl"):
        dialogue_sets_of(tmp_path)
    (tmp_path / "corpus.jsonl").write_text(json.dumps(CORPUS[0]))
    (tmp_path / "dialogues.jsonl").write_text(json.dumps(DIALOGUE))
    with pytest.raises(ConfigurationError, match="dialogue one: cable is not in"):
        dialogue_sets_of(tmp_path)


@pytest.mark.timeout(240)
def test_a_folder_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, CORPUS)))
    (tmp_path / "dialogues.jsonl").write_text(json.dumps(DIALOGUE))
    made = subprocess.run(
        [sys.executable, "-m", "ops.cli", "eval", "dialogues", "--json", str(tmp_path)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "CLAW_HOME": str(tmp_path / "home")},
        capture_output=True,
        check=False,
        text=True,
        timeout=200,
    )
    assert made.returncode == 0, made.stderr
    (scores,) = json.loads(made.stdout)
    assert (scores["turns"], scores["right"]) == (3, 3), scores["wrong"]
