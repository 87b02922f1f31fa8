"""What CONTRIBUTING.md says and no other test checks; the rest is in ``tests/test_architecture.py``, ``tests/test_mirror.py``."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def imports(folder: str) -> Iterator[tuple[str, str]]:
    """Path and name of every import below a folder."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if isinstance(node, ast.Import):
                yield from ((str(path.relative_to(ROOT)), alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((str(path.relative_to(ROOT)), f"{node.module}.{alias.name}") for alias in node.names)


def test_no_test_uses_mocks() -> None:
    """Ports of the tests are small classes; Kafka and Redis are real."""
    seen = list(imports("tests"))
    assert ("tests/docs/test_contributing.py", "pathlib.Path") in seen
    assert [(path, name) for path, name in seen if name.split(".")[0] == "mock" or name.startswith("unittest.mock")] == []


def test_every_check_that_is_named_exists() -> None:
    """A rule whose test was renamed or removed is checked by nothing."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.partition("## Rules that a tool checks")[2].partition("\n## ")[0]
    named = re.findall(r"`(tests/[\w/]+\.py)`", table)
    assert len(named) > len(set(named)) > 5
    assert [path for path in named if not (ROOT / path).is_file()] == []
