"""docs/glossary.md: every path and every name of the code that it mentions exists, and no term is explained twice."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "adapters", "streams", "domain", "agents", "api", "ops")
CODE = re.compile(r"`([^`]+)`")
NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)?")


def rows() -> list[tuple[str, str, str, str]]:
    """Term, meaning, where, on the wire."""
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    cells = [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines if line.startswith("| ")]
    found = [row for row in cells if row[0] != "term"]
    assert all(len(row) == 4 for row in found), [row for row in found if len(row) != 4]
    return found  # type: ignore[return-value]


@cache
def names_in(path: str) -> frozenset[str]:
    """What a module, or every module of a package, defines at its top, and the attributes of its classes as ``Class.name``."""
    target = ROOT / path
    files = [target] if target.is_file() else sorted(target.rglob("*.py"))
    found = set()
    for file in files:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(node.name)
            for each in node.body if isinstance(node, ast.ClassDef) else ():
                assert isinstance(node, ast.ClassDef)
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                    found.add(f"{node.name}.{each.name}")
                elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                    found.add(f"{node.name}.{each.target.id}")
            targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
            found.update(each.id for each in targets if isinstance(each, ast.Name))
    return frozenset(found)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_term_is_where_it_says(row: tuple[str, str, str, str]) -> None:
    term, meaning, where, _ = row
    assert meaning.endswith("."), f"{term}: a sentence"
    paths: list[str] = []
    for code in CODE.findall(where):
        if "/" in code:
            assert list(ROOT.glob(code.rstrip("/"))), f"{term}: {code} does not exist"
            paths += [str(path.relative_to(ROOT)) for path in ROOT.glob(code.rstrip("/"))]
        else:
            assert NAME.fullmatch(code), f"{term}: {code} is neither a path nor a name"
            assert paths, f"{term}: {code} stands before its path"
            assert any(code in names_in(path) for path in paths), f"{term}: {code} is not defined in {', '.join(paths)}"
    assert paths, f"{term}: no path"


def test_a_term_has_one_line() -> None:
    terms = [row[0] for row in rows()]
    assert len(terms) >= 40
    assert len(terms) == len(set(terms))


def test_capitalised_names_in_meanings_exist() -> None:
    """Class names in the second column are defined somewhere in the product."""
    known = {name for package in PACKAGES for name in names_in(package)}
    named = {code for _, meaning, _, _ in rows() for code in CODE.findall(meaning) if re.fullmatch(r"[A-Z][a-z]\w+", code)}
    assert named - known == set()
