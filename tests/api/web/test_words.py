"""Every word of the pages is there in both languages; every word that modules name exists."""

import re
from pathlib import Path

import pytest

from api.web.static_files import FILES

DICTIONARIES = sorted(FILES.rglob("words.js"))
DICTIONARIES.remove(FILES / "core" / "words.js")
_LANGUAGE = re.compile(r"^  (zh|en): \{\n(.*?)^  \},", re.MULTILINE | re.DOTALL)
_KEY = re.compile(r"^    (\w+):", re.MULTILINE)
_VALUES = re.compile(r"\{(\w+)\}")
_IMPORT = re.compile(r"""from ["']([./\w]*words\.js)["']""")
_USE = re.compile(r"""\bt\(\s*["'](\w+)["']""")


def _read(file: Path) -> dict[str, dict[str, str]]:
    found = {}
    for language, body in _LANGUAGE.findall(file.read_text(encoding="utf-8")):
        starts = [*_KEY.finditer(body)]
        ends = [*(start.start() for start in starts[1:]), len(body)]
        found[language] = {start[1]: body[start.end() : end] for start, end in zip(starts, ends, strict=True)}
    return found


@pytest.mark.parametrize("file", DICTIONARIES, ids=lambda file: file.parent.name)
def test_both_languages_have_the_same_words_and_values(file: Path) -> None:
    words = _read(file)
    assert set(words["zh"]) == set(words["en"])
    assert {key: set(_VALUES.findall(text)) for key, text in words["zh"].items()} == {
        key: set(_VALUES.findall(text)) for key, text in words["en"].items()
    }


@pytest.mark.parametrize("file", DICTIONARIES, ids=lambda file: file.parent.name)
def test_words_that_modules_name_exist(file: Path) -> None:
    named = {
        key
        for module in file.parent.rglob("*.js")
        if file in {(module.parent / name).resolve() for name in _IMPORT.findall(module.read_text(encoding="utf-8"))}
        for key in _USE.findall(module.read_text(encoding="utf-8"))
    }
    assert named <= set(_read(file)["en"])
