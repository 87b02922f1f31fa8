"""docs/asyncapi.md: its program checks events, and its names are in the document."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from api.http.asyncapi.document import document
from schemas.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "asyncapi.md").read_text(encoding="utf-8")
RECORDED = ROOT / "tests" / "golden" / "claw.document.progressed.v1.json"


@pytest.fixture
def check(tmp_path, monkeypatch) -> Callable[[bytes | None], list[str]]:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "claw.asyncapi.json").write_bytes(msgspec.json.encode(document(Settings())))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Callable[[bytes | None], list[str]]] = {}
    exec(program, names)
    return names["check"]


def test_the_program_checks_events(check):
    assert check(RECORDED.read_bytes()) == []
    assert check(None) == []
    (mistake,) = check(RECORDED.read_bytes().replace(b'"indexed"', b'"sung"'))
    assert mistake.startswith("$.data.state: 'sung' is not one of [")
    assert check(b'{"type": "claw.document.sung.v1"}') == ["claw.document.sung.v1: an event of a later release"]


def test_the_messages_that_the_page_names_are_in_the_document():
    messages = document(Settings())["components"]["messages"]
    named = set(re.findall(r"^\| (?:of an event, such as )?`([A-Z]\w+)`", PAGE, re.MULTILINE))
    assert {"DocumentProgressed", "InboxFile", "DeadLetter"} <= named <= set(messages)
