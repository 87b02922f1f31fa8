"""``claw eval documents``: what counts as right, and the real thing on small folders and on the sample data."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.children.worker import ParsedDocument
from ops.evaluation.cases import Case, cases_of
from ops.evaluation.documents import evaluate, find_fault
from schemas.documents import Chunk, Note
from schemas.errors import Problem
from schemas.settings import Settings

ROOT = Path(__file__).parents[3]
SAMPLES_S_MAX = 600


def case(expect, *phrases) -> Case:
    return Case(path=Path("file"), category="c", expect=expect, phrases=phrases)


def outcome(*texts: str, notes=()) -> ParsedDocument:
    return ParsedDocument("Title", "text/plain", 0, [Chunk(ordinal=n, text=text) for n, text in enumerate(texts)], [], notes)


def failed(code: str) -> Problem:
    return Problem(code=code, detail="why")


PARTIAL = (Note("page_unreadable", "page 2"),)


@pytest.mark.parametrize(
    ("given", "got", "ocr", "right"),
    [
        (case("text", "two words"), outcome("here tw", "o\nwords"), "rapidocr", True),
        (case("text", "title"), outcome("nothing"), "rapidocr", False),
        (case("text", "words"), failed("document_unreadable"), "rapidocr", False),
        (case("ocr_text", "words"), failed("ocr_required"), "", True),
        (case("ocr_text", "words"), failed("ocr_required"), "rapidocr", False),
        (case("ocr_text", "words"), outcome("words"), "rapidocr", True),
        (case("password_required"), failed("password_required"), "rapidocr", True),
        (case("password_required"), failed("document_unreadable"), "rapidocr", False),
        (case("password_required"), outcome("secret"), "rapidocr", False),
        (case("password", "secret"), outcome("secret"), "rapidocr", True),
        (case("password", "secret"), failed("password_wrong"), "rapidocr", False),
        (case("reject_or_partial"), failed("document_too_complex"), "rapidocr", True),
        (case("reject_or_partial"), outcome("half", notes=PARTIAL), "rapidocr", True),
        (case("reject_or_partial"), outcome("half"), "rapidocr", False),
        (case("reject_or_partial", "all"), outcome("all"), "rapidocr", True),
        (case("hostile"), outcome("anything"), "rapidocr", True),
        (case("hostile"), failed("document_crashed_parser"), "rapidocr", True),
        (case("hostile"), failed("internal_error"), "rapidocr", False),
    ],
)
def test_what_is_right(given, got, ocr, right):
    """White space does not count, names do."""
    assert (find_fault(given, got, ocr=ocr) == "") == right


def claw(*arguments: str) -> tuple[int, str]:
    made = subprocess.run([sys.executable, "-m", "ops.cli", *arguments], cwd=ROOT, capture_output=True, check=False, timeout=100, text=True)
    return made.returncode, made.stdout


def test_a_folder_on_the_command_line(tmp_path):
    """A table, a summary, and an exit code that says whether all is right."""
    (tmp_path / "note.md").write_text("# Guide\n\nThe pool holds one hundred connections.")
    (tmp_path / "picture.psd").write_bytes(b"8BPS\0\1" + bytes(64))
    code, shown = claw("eval", "documents", str(tmp_path))
    assert code == 0
    assert "hostile: 2 of 2 right" in shown
    assert "document_type_unsupported" in shown
    rows = [
        {"file": "note.md", "category": "text", "expect": "text", "phrases": ["one hundred"]},
        {"file": "picture.psd", "category": "text", "expect": "text", "phrases": ["no"]},
    ]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, shown = claw("eval", "documents", "--json", str(tmp_path))
    report = json.loads(shown)
    assert code == 1
    assert (report["files"], report["right"]) == ({"text": 2}, {"text": 1})
    assert [verdict["got"] for verdict in report["verdicts"]] == ["text", "document_type_unsupported"]
    assert claw("eval", "documents", str(tmp_path / "nowhere"))[0] == 2


@pytest.mark.timeout(SAMPLES_S_MAX)
async def test_the_sample_documents(data):
    """Every file of the sample data comes out as its manifest says."""
    report = await evaluate(Settings(), cases_of(data / "documents"))
    assert {verdict.file: verdict.wrong for verdict in report.verdicts if verdict.wrong} == {}


@pytest.mark.timeout(SAMPLES_S_MAX)
async def test_hostile_files(data, tmp_path):
    """Bombs, loops and traps end with a name, in time, in memory, and the worker serves on."""
    made = [sys.executable, str(data / "synth_hostile.py"), str(tmp_path), "--seed", "11"]
    subprocess.run(made, check=True, capture_output=True, timeout=SAMPLES_S_MAX)  # noqa: ASYNC221
    report = await evaluate(Settings(), cases_of(tmp_path))
    assert {verdict.file: verdict.wrong for verdict in report.verdicts if verdict.wrong} == {}
