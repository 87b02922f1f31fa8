"""Tesseract: which languages are tried, what becomes of its table."""

from pathlib import Path

import pytest

from adapters.parsing.pdf.tesseract import find_tesseract, likely_languages, read_tsv


def test_languages_that_are_not_installed_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tesseract"
    program.write_text("#!/bin/sh\nprintf 'List of available languages (2):\\neng\\nosd\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_tesseract("chi_sim+chi_tra+eng") is not None
    assert find_tesseract("chi_sim") is None


def test_fewer_languages_are_tried_for_what_a_page_says() -> None:
    every = ("chi_sim", "chi_tra", "eng")
    assert likely_languages("An English page with one stray 人 in all of its many letters", every) == [("eng",)]
    assert likely_languages("报告期内完成", every) == [("chi_sim", "eng"), ("chi_tra", "eng")]
    assert likely_languages("", every) == []
    assert likely_languages("English", ("eng",)) == []


def test_tesseracts_table_becomes_lines_without_noise() -> None:
    rows = [
        "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext",
        "4\t1\t1\t1\t1\t0\t100\t100\t600\t40\t-1\t",
        "5\t1\t1\t1\t1\t1\t100\t100\t60\t40\t95.1\t东北",
        "5\t1\t1\t1\t1\t2\t165\t100\t60\t40\t93.0\t电气",
        "5\t1\t1\t1\t1\t3\t500\t100\t200\t40\t91.0\t2018",
        "4\t1\t2\t1\t1\t0\t10\t900\t30\t20\t-1\t",
        "5\t1\t2\t1\t1\t1\t10\t900\t30\t20\t12.0\t~;",
    ]
    reading = read_tsv("\n".join(rows), 0.5)
    assert [(span.text, span.x0, span.x1) for span in reading.spans] == [("东北电气", 50.0, 112.5), ("2018", 250.0, 350.0)]
    assert reading.confidence > 90
