"""Scanned pages are recognised: which languages are tried, what becomes of Tesseract's table."""

import shutil
from pathlib import Path

import pytest

from adapters.parsing.pdf import ocr
from adapters.parsing.pdf.ocr import likely_languages, read_tsv
from schemas.documents import Locator
from tests.support.pdf_reading import PROSE, block_of, read, refusal, scanned, texts, wrapped
from tests.support.pdf_writer import Page, pdf


@pytest.mark.usefixtures("tesseract")
def test_a_scan_is_read_with_its_columns_of_numbers() -> None:
    page = Page().text(60, 760, "Quarterly inventory of the northern warehouse", 18)
    for index, row in enumerate(
        [("Article", "Count", "Price"), ("Pump", "120", "45.10"), ("Valve", "3,500", "7.25"), ("Hose", "800", "2.40")]
    ):
        for x, cell in zip((60, 260, 420), row, strict=True):
            page.text(x, 690 - 30 * index, cell, 14)
    picture = scanned(page)
    parsed = read(pdf(Page().image(*picture), Page().lines(60, 780, ["The second page has text."])), ocr_languages="eng")
    assert "Quarterly inventory of the northern warehouse" in parsed.text
    assert texts(parsed, "table") == ["Article\tCount\tPrice\nPump\t120\t45.10\nValve\t3,500\t7.25\nHose\t800\t2.40"]
    assert [(note.code, note.detail) for note in parsed.notes] == [("read_by_ocr", "pages 1")]
    assert block_of(parsed, "second page").place == Locator(page=2)


@pytest.mark.usefixtures("tesseract")
def test_a_page_with_a_wrong_text_layer_is_read_as_it_looks() -> None:
    """The picture of a page says something else than the layer of nameless glyphs on it."""
    picture = scanned(Page().lines(60, 760, ["Minutes of the meeting", "held in the town hall"], 20, leading=30))
    page = Page().image(*picture)
    page.operators.insert(0, b"3 Tr")
    page.lines(60, 760, wrapped(PROSE, 70), font="P1")
    page.operators[1:-1] = [operator.replace(b"BT ", b"BT 3 Tr ") for operator in page.operators[1:-1]]
    parsed = read(pdf(page), ocr_languages="eng")
    assert "Minutes of the meeting" in parsed.text
    assert [note.code for note in parsed.notes] == ["read_by_ocr"]


@pytest.mark.usefixtures("tesseract")
def test_a_scan_that_lies_on_its_side_is_turned() -> None:
    page = Page()
    for index, line in enumerate(wrapped(PROSE * 2, 50)):
        page.text(100 + 24 * index, 60, line, 14, matrix="0 1 -1 0")
    if "osd" not in ocr.available_languages(shutil.which("tesseract") or ""):
        pytest.skip("Tesseract cannot tell which side is up here: no osd")
    parsed = read(pdf(Page().image(*scanned(page))), ocr_languages="eng")
    assert "The committee met in the spring" in " ".join(parsed.text.split())


@pytest.mark.usefixtures("tesseract")
def test_more_scans_than_are_read_are_refused_or_named() -> None:
    scan = Page().image(*scanned(Page().text(60, 700, "Scanned words", 24), 100))
    assert "CLAW_DOCUMENT_OCR_PAGES_MAX" in refusal(pdf(scan, scan), ocr_pages_max=1).detail
    parsed = read(pdf(Page().lines(60, 780, ["A page with text of its own."]), scan, scan), ocr_pages_max=1, ocr_languages="eng")
    assert [(note.code, note.detail) for note in parsed.notes] == [("read_by_ocr", "pages 2"), ("pages_need_ocr", "pages 3")]


def test_languages_that_are_not_installed_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "tesseract"
    program.write_text("#!/bin/sh\nprintf 'List of available languages (2):\\neng\\nosd\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ocr.find_recogniser("chi_sim+chi_tra+eng") is not None
    assert ocr.find_recogniser("chi_sim") is None


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
