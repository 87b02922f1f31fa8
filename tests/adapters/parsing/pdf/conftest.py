"""With each engine of recognition, and without any."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from adapters.parsing.pdf import ocr
from adapters.parsing.pdf import tesseract as tesseract_engine

FOUND = importlib.util.find_spec


@pytest.fixture
def no_tesseract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def no_rapidocr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "rapidocr" else FOUND(name))


@pytest.fixture
def no_ocr(no_tesseract: None, no_rapidocr: None) -> None:
    """A machine that reads no pictures."""


@pytest.fixture(scope="session")
def rapidocr() -> None:
    if not ocr.find_engine("rapidocr", ""):
        pytest.skip("the extra ocr is not installed")


@pytest.fixture
def tesseract() -> None:
    program = shutil.which("tesseract")
    if program is None or "eng" not in tesseract_engine.available_languages(program):
        pytest.skip("no Tesseract with English on this machine")


@pytest.fixture(params=["rapidocr", "tesseract"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine that this machine has."""
    request.getfixturevalue(request.param)
    return str(request.param)
