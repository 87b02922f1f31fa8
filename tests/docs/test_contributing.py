"""Rules of CONTRIBUTING.md about the tests themselves; those about the source are in ``tests/test_architecture.py``."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "adapters", "streams", "domain", "agents", "api", "ops", "benchmarks")


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


def test_tests_lie_where_their_source_lies() -> None:
    """``tests/<package>/<area>`` tests ``<package>/<area>``."""
    folders = [path for package in PACKAGES for path in (ROOT / "tests" / package).rglob("*") if any(path.glob("test_*.py"))]
    assert folders
    assert [path for path in folders if not (ROOT / path.relative_to(ROOT / "tests")).is_dir()] == []
