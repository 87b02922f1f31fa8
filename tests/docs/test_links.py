"""What the documentation refers to exists: linked files and headings; paths, settings and commands that are named."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import cli
from ops.commands import reference
from schemas.settings.variables import variables

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "clients").rglob("*.md")])
PACKAGES = ("schemas", "adapters", "streams", "domain", "agents", "api", "ops", "tests", "docs", "deploy", "benchmarks", "clients")
SETTINGS = {variable.name for section in reference.SETTINGS for variable in variables(section)}
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(rf"(?:{'|'.join(PACKAGES)})/[\w/.-]*")
COMMAND = re.compile(r"\bclaw ([a-z]+)(?: ([a-z]+))?")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {"".join(c for c in each.lower().replace(" ", "-") if c.isalnum() or c in "-_") for each in headings}


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands() -> dict[str, set[str]]:
    """Every command of ``claw`` with its subcommands and literal arguments."""
    found: dict[str, set[str]] = {}
    for action in cli.parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            found = {name: set(subcommands(parser)) for name, parser in action.choices.items()}
    return found


def subcommands(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.choices or () if not action.option_strings else ()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
class TestPage:
    def test_links_resolve(self, page: Path) -> None:
        broken = []
        for target in LINK.findall(prose(page)):
            if "://" in target or target.startswith("mailto:"):
                continue
            name, _, anchor = target.partition("#")
            linked = (page.parent / name).resolve() if name else page
            if not linked.exists() or (anchor and anchor not in anchors(linked)):
                broken.append(target)
        assert broken == []

    def test_paths_exist(self, page: Path) -> None:
        """A path in code font that begins with a folder of ours; names with a blank to fill in are not paths."""
        named = [code for code in CODE.findall(prose(page)) if PATH.fullmatch(code)]
        assert [path for path in named if not (ROOT / path).exists()] == []

    def test_settings_exist(self, page: Path) -> None:
        """Variables of the tests and of `make audit` aside; a name that ends in ``_`` is the prefix of a section."""
        names = set(re.findall(r"\bCLAW_[A-Z0-9_]*[A-Z0-9]\b(?!_)", page.read_text(encoding="utf-8")))
        assert {name for name in names if not name.startswith("CLAW_TEST_")} - SETTINGS - {"CLAW_AUDIT_DB"} == set()

    def test_commands_exist(self, page: Path) -> None:
        known = commands()
        wrong = []
        for code in CODE.findall(prose(page)):
            if (said := COMMAND.match(code)) is None:
                continue
            command, word = said.groups()
            if command not in known or (word and known[command] and word not in known[command]):
                wrong.append(code)
        assert wrong == []


def test_there_is_something_to_check() -> None:
    assert any(LINK.search(prose(page)) for page in PAGES)
    assert any(PATH.fullmatch(code) for page in PAGES for code in CODE.findall(prose(page)))
    assert {"create", "list", "schema"} <= commands()["inbox"]
