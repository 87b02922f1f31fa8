"""With Tesseract, and without."""

import shutil
from pathlib import Path

import pytest

from adapters.parsing.pdf import ocr


@pytest.fixture
def no_tesseract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def tesseract() -> None:
    program = shutil.which("tesseract")
    if program is None or "eng" not in ocr.available_languages(program):
        pytest.skip("no Tesseract with English on this machine")
