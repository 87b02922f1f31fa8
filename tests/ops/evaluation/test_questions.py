"""``claw eval retrieval`` and ``answers``: reading sets, judging, and once the real thing on a tiny set."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.evaluation.answers import contains, score_answers, wordings
from ops.evaluation.pipeline import PipelineReply
from ops.evaluation.questions import EvaluationQuestion, join_sets, sets_of
from schemas.chats import Turn
from schemas.errors import ConfigurationError

ROOT = Path(__file__).parents[3]
CORPUS = [
    {"id": "tower#1", "title": "灯塔", "text": "阿姆鲁姆灯塔高41.8米，建于1875年。"},
    {"id": "ferry/2", "title": "Ferry", "text": "The ferry to Amrum leaves Dagebüll at nine in the morning."},
]
QUESTIONS = [
    {
        "id": "1",
        "question": "阿姆鲁姆灯塔有多高？",
        "answers": ["41.8 米"],
        "gold_doc_id": "tower#1",
        "question_hans": "阿姆鲁姆灯塔有多高？",
    },
    {"id": "2", "question": "When does the ferry to Amrum leave?", "answers": ["at nine"], "gold_doc_id": "ferry/2"},
]
LEFT_OUT = [{"id": "3", "question": "When does the ferry to Amrum leave Dagebüll?", "answers": [], "left_out_doc_id": "ferry/2"}]


def written(folder: Path, **files: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return folder


def test_sets_of_a_folder(tmp_path):
    """One set, or all below; wordings that a set does not have are not asked."""
    written(tmp_path / "retrieval" / "zh", corpus=CORPUS, questions=QUESTIONS, unanswerable_if_left_out=LEFT_OUT)
    (only,) = sets_of(tmp_path)
    assert [only] == sets_of(tmp_path / "retrieval") == sets_of(tmp_path / "retrieval" / "zh")
    assert {name: len(asked) for name, asked in only.questions.items()} == {"question": 2, "question_hans": 1}
    assert only.left_out == {"ferry/2"}
    assert [each.text for each in only.unanswerable] == [LEFT_OUT[0]["question"]]
    assert {name: [each.gold for each in asked] for name, asked in wordings(only).items()} == {
        "question": [{"tower#1"}],
        "question_hans": [{"tower#1"}],
    }
    assert len(sets_of(tmp_path, limit=1)[0].questions["question"]) == 1


def test_sets_together_have_each_source_once(tmp_path):
    """A passage that another set has in translation goes, with its questions; two passages of one id are refused."""
    written(tmp_path / "a", corpus=CORPUS, questions=QUESTIONS)
    translated = {"id": "4", "question": "渡轮几点开？", "gold_doc_id": "zh-ferry", "parallel_en_doc_id": "ferry/2"}
    written(tmp_path / "b", corpus=[{"id": "zh-ferry", "text": "渡轮早上九点开。"}], questions=[translated])
    joined = join_sets(sets_of(tmp_path))
    assert [text.id for text in joined.corpus] == ["tower#1", "zh-ferry"]
    assert {name: [one.gold for one in asked] for name, asked in joined.questions.items()} == {
        "a question": [{"tower#1"}],
        "a question_hans": [{"tower#1"}],
        "b question": [{"zh-ferry"}],
    }
    written(tmp_path / "c", corpus=CORPUS, questions=QUESTIONS)
    with pytest.raises(ConfigurationError, match="same id"):
        join_sets([each for each in sets_of(tmp_path) if each.name != "b"])


def test_conversations_are_asked_with_and_without_what_was_said(tmp_path):
    rows: list[dict[str, Any]] = [
        {
            "question": "And when?",
            "gold_doc_ids": ["a", "b"],
            "history": [{"role": "user", "text": "Where?"}],
            "answerability": "ANSWERABLE",
        },
        {"question": "Why?", "gold_doc_ids": [], "history": [], "answerability": "UNANSWERABLE"},
        {"question": "What?", "gold_doc_ids": [], "history": [], "answerability": "UNDERSPECIFIED"},
    ]
    (only,) = sets_of(written(tmp_path / "mt", corpus=CORPUS, questions=rows))
    assert only.questions["question"] == (EvaluationQuestion(text="And when?", gold=frozenset("ab")),)
    assert only.questions["with history"][0].history == (Turn("user", "Where?"),)
    assert [each.text for each in only.unanswerable] == ["Why?"]
    assert list(wordings(only)) == ["with history"]


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="no folder"):
        sets_of(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="no set"):
        sets_of(tmp_path)
    written(tmp_path / "zh", corpus=CORPUS, questions=[{"id": 1}])
    with pytest.raises(ConfigurationError, match=r"questions\.jsonl, line 1"):
        sets_of(tmp_path)
    with pytest.raises(ConfigurationError, match="called en: there are zh"):
        sets_of(tmp_path, name="en")


def test_answers_are_judged_by_what_they_cite():
    """A failed answer is neither right nor a refusal."""
    gold = [EvaluationQuestion(text="q", gold=frozenset("a"), answers=("資料 庫",)) for _ in range(4)]
    replies = [
        PipelineReply("completed", "是资料库 [1]", ("a",)),
        PipelineReply("completed", "x [1][2]", ("a", "b")),
        PipelineReply("completed", "not found", ()),
        PipelineReply("failed", "", ()),
    ]
    made = score_answers(
        "s", "question", "local", gold, replies, [PipelineReply("completed", "no", ()), PipelineReply("completed", "yes [1]", ("b",))]
    )
    assert (made.citations, made.precision, made.exact, made.contains) == (3, 0.6667, 0.25, 0.25)
    assert (made.false_refusals, made.refused, made.failed) == (0.25, 0.5, 1)
    assert not contains("anything", ("", " "))


def claw(home: Path, *arguments: str) -> list[dict[str, Any]]:
    made = subprocess.run(
        [sys.executable, "-m", "ops.cli", "eval", *arguments, "--json"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=1_100,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "CLAW_HOME": str(home)},
    )
    found: list[dict[str, Any]] = json.loads(made.stdout)
    return found


@pytest.mark.timeout(300)
def test_a_tiny_set_through_the_whole_pipeline(tmp_path):
    """Documents through Kafka, answers over HTTP, refusals where the source was left out; nothing is left behind."""
    folder = written(tmp_path / "zh", corpus=CORPUS, questions=QUESTIONS, unanswerable_if_left_out=LEFT_OUT)
    made, hans = claw(tmp_path / "home", "answers", str(folder), "--limit", "1")
    assert (made["precision"], made["exact"], made["contains"], made["false_refusals"]) == (1.0, 1.0, 1.0, 0.0)
    assert (made["refused"], made["failed"]) == (1.0, 0)
    assert (hans["wording"], hans["unanswerable"], hans["precision"]) == ("question_hans", 0, 1.0)
    assert not (tmp_path / "home" / "eval").exists()


LEAST = {
    ("zh_cmrc2018", "question"): 0.975,
    ("zh_tw_drcd", "question"): 0.918,
    ("zh_tw_drcd", "question_hans"): 0.918,
    ("en_squad", "question"): 0.84,
    ("en_mtrag_un", "with history"): 0.80,
}


@pytest.mark.timeout(1200)
def test_the_sample_sets(data, tmp_path):
    """What the product promises of retrieval."""
    made = {(each["set"], each["wording"]): each for each in claw(tmp_path, "retrieval", str(data))}
    assert {key: made[key]["legs"]["fused"]["hit1"] >= least for key, least in LEAST.items()} == dict.fromkeys(LEAST, True)
    assert [key for key, each in made.items() if not each["best"]] == []
