"""Rules of CONTRIBUTING.md that no other tool checks, held against the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "adapters", "streams", "domain", "agents", "api", "ops")
BLIND = {"streams/runtime/wrapper.py", "adapters/index/embedded.py"}
EMPTY_NAMES = {"utils", "helpers", "manager", "common"}


def sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Every module below these folders: its path in the repository, and its tree."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"), str(path))


def blind_handlers(tree: ast.Module) -> Iterator[int]:
    """Lines of handlers that catch every exception."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(kind is None or (isinstance(kind, ast.Name) and kind.id == "Exception") for kind in kinds):
                yield node.lineno


def test_every_exception_is_caught_in_two_modules_only() -> None:
    assert {path for path, tree in sources(*PACKAGES) if any(blind_handlers(tree))} == BLIND


def test_no_test_uses_mocks() -> None:
    imported = {
        (path, name)
        for path, tree in sources("tests", "benchmarks")
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (*(alias.name for alias in node.names), getattr(node, "module", "") or "")
    }
    assert imported
    assert {(path, name) for path, name in imported if name.partition(".")[0] == "mock" or name.startswith("unittest")} == set()


def test_nothing_has_an_empty_name() -> None:
    found = [
        f"{path}: {name}"
        for path, tree in sources(*PACKAGES)
        for name in (
            Path(path).stem,
            *(node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)),
        )
        if name.lower() in EMPTY_NAMES or name.startswith("handle_")
    ]
    assert found == []


def test_tests_lie_where_their_source_lies() -> None:
    folders = [path for package in PACKAGES for path in (ROOT / "tests" / package).rglob("*") if path.is_dir() and any(path.glob("*.py"))]
    assert folders
    assert [path for path in folders if not (ROOT / path.relative_to(ROOT / "tests")).is_dir()] == []


def test_contributing_names_the_exempt_modules() -> None:
    """The page and the test say the same."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert all(f"`{path}`" in page for path in BLIND)
