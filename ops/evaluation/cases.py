"""Documents with known outcomes: a folder with ``manifest.jsonl`` and files, or a folder of hostile files without one."""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from schemas.errors import ConfigurationError

MANIFEST = "manifest.jsonl"
Expectation = Literal["text", "ocr_text", "password_required", "password", "reject_or_partial", "hostile"]


class Case(Struct, frozen=True, kw_only=True):
    """One file, opened with ``password``.

    ``text``: the phrases come out. ``ocr_text``: they do when pictures are read, else ``ocr_required``. ``password_required``: that error;
    ``password``: the phrases. ``reject_or_partial``: a named error, or text with notes on missing parts. ``hostile``: error or text.
    """

    path: Path
    category: str
    expect: Expectation
    phrases: tuple[str, ...] = ()
    password: str = ""


class _CaseRow(Struct, frozen=True, kw_only=True):
    file: str
    category: str
    expect: Literal["text", "ocr_text", "password_required", "reject_or_partial"]
    phrases: tuple[str, ...] = ()
    password: str | None = None


def cases_of(folder: Path) -> list[Case]:
    """All cases of a folder, in the manifest's order, else by name. Raises ConfigurationError for a folder that cannot be used."""
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder")
    if not (folder / MANIFEST).is_file():
        return [Case(path=path, category="hostile", expect="hostile") for path in sorted(folder.iterdir()) if path.is_file()]
    cases: list[Case] = []
    for number, line in enumerate((folder / MANIFEST).read_bytes().splitlines(), 1):
        try:
            row = msgspec.json.decode(line, type=_CaseRow)
        except msgspec.MsgspecError as error:
            raise ConfigurationError(f"{folder / MANIFEST}, line {number}: {error}") from error
        made = Case(path=folder / row.file, category=row.category, expect=row.expect, phrases=row.phrases)
        if not made.path.is_file():
            raise ConfigurationError(f"{folder / MANIFEST}, line {number}: {made.path} does not exist")
        cases.append(made)
        if row.password and row.expect == "password_required":
            cases.append(msgspec.structs.replace(made, expect="password", password=row.password))
    return cases
