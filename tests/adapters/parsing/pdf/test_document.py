"""PDF files written by hand go in; text in the order of reading comes out, every word once, each block with its page."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.parsing.core.blocks import Block, ParsedText
from adapters.parsing.core.source import Bounds, Entry
from adapters.parsing.pdf import ocr
from adapters.parsing.pdf.document import parse_pdf
from adapters.parsing.pdf.legibility import is_legible
from adapters.parsing.pdf.lines import join_lines
from adapters.parsing.pdf.ocr import likely_languages, read_tsv
from schemas.documents import Locator
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings
from tests.support.pdf_writer import Page, pdf

PROSE = (
    "The committee met in the spring of that year and agreed that every region would keep its own records. Nothing in the agreement said"
    " who would pay for the archive, and for a decade nobody asked. When the question came up at last, the records had been moved twice,"
    " and most of the people who could have answered were no longer there to be asked about any of it."
)
CHINESE = "本公司在报告期内完成了三项重要的工作，其中包括新产品的发布、研发中心的扩建以及海外市场的开拓，各项指标均达到了年初制定的目标。"


def read(data: bytes, password: str = "", **bounds: Any) -> ParsedText:
    limits = Bounds.of(DocumentSettings(**{name: value for name, value in bounds.items() if name != "ocr"}, ocr=bounds.get("ocr", "auto")))
    parsed = parse_pdf(Entry(data=data, bounds=limits, password=password))
    check(parsed)
    return parsed


def check(parsed: ParsedText) -> None:
    """What every parsed text keeps: blocks in order, all text in them, pages everywhere."""
    end = 0
    for block in parsed.blocks:
        assert block.start >= end
        assert not parsed.text[end : block.start].strip()
        assert block.place is not None
        assert block.place.page >= 1
        end = block.end
    assert end == len(parsed.text)


def refusal(data: bytes, password: str = "", **bounds: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        read(data, password, **bounds)
    return caught.value


def texts(parsed: ParsedText, kind: str = "") -> list[str]:
    return [parsed.text[block.start : block.end] for block in parsed.blocks if kind in ("", block.kind)]


def block_of(parsed: ParsedText, words: str) -> Block:
    return next(block for block in parsed.blocks if words in parsed.text[block.start : block.end])


def wrapped(text: str, width: int) -> list[str]:
    """Full lines, as a typesetter breaks them."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def scanned(page: Page, dpi: int = 150) -> tuple[int, int, bytes]:
    """A picture of the page: width, height, grey pixels."""
    document = pypdfium2.PdfDocument(pdf(page))
    sheet = document[0]
    bitmap = sheet.render(scale=dpi / 72, grayscale=True)
    pixels = bytes(bitmap.buffer)
    rows = [pixels[row * bitmap.stride : row * bitmap.stride + bitmap.width] for row in range(bitmap.height)]
    picture = bitmap.width, bitmap.height, b"".join(rows)
    for thing in (bitmap, sheet, document):
        thing.close()
    return picture


@pytest.fixture
def no_tesseract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def tesseract() -> None:
    program = shutil.which("tesseract")
    if program is None or "eng" not in ocr.available_languages(program):
        pytest.skip("no Tesseract with English on this machine")


def test_two_columns_are_read_one_after_the_other() -> None:
    left, right = wrapped(PROSE, 44), wrapped(PROSE.replace("The committee", "Another body"), 44)
    page = Page().text(60, 780, "A title that stands above both of the columns of this page and crosses the gutter", 10)
    for index in range(max(len(left), len(right))):  # row by row, as a bad printer driver would
        page.lines(60, 740 - 12 * index, left[index : index + 1])
        page.lines(310, 740 - 12 * index, right[index : index + 1])
    text = " ".join(read(pdf(page)).text.split())
    assert text.index("crosses the gutter") < text.index(PROSE) < text.index("Another body met in the spring")


def test_lines_become_paragraphs_and_a_broken_word_is_mended() -> None:
    page = Page().lines(
        60, 780, ["Retrieval systems keep an index of the docu-", "ments they have been given, and self-con-", "tained ones keep it."]
    )
    page.lines(60, 700, ["Another paragraph begins after a gap."])
    assert texts(read(pdf(page))) == [
        "Retrieval systems keep an index of the documents they have been given, and self-contained ones keep it.",
        "Another paragraph begins after a gap.",
    ]


def test_chinese_lines_are_joined_without_a_space() -> None:
    page = Page()
    for index in range(0, len(CHINESE), 22):
        page.text(60, 780 - index, CHINESE[index : index + 22], 11, "C1")
    assert texts(read(pdf(page))) == [CHINESE]


def test_headings_stand_out_by_size_and_weight() -> None:
    page = Page().text(60, 790, "Annual Report", 22).text(60, 750, "Results of the year", 15).lines(60, 725, wrapped(PROSE, 90))
    page.text(60, 640, "Outlook", 10, "F2").lines(60, 620, wrapped(PROSE, 90))
    parsed = read(pdf(page))
    assert [(texts(parsed)[index], block.level) for index, block in enumerate(parsed.blocks) if block.kind == "heading"] == [
        ("Annual Report", 1),
        ("Results of the year", 2),
        ("Outlook", 3),
    ]
    assert parsed.blocks[-1].headings == ("Annual Report", "Results of the year", "Outlook")
    assert parsed.title == "Annual Report"


def test_the_title_is_the_files_own_unless_a_program_wrote_it() -> None:
    page = Page().lines(60, 780, wrapped(PROSE, 90))
    assert read(pdf(page, title="年度报告")).title == "年度报告"
    assert read(pdf(page, title="Microsoft Word - final_v2.doc")).title == ""
    assert read(pdf(page, title="untitled")).title == ""


def test_a_ruled_table_keeps_its_rows_and_its_wrapped_cells_whole() -> None:
    page = Page().lines(60, 800, ["Prices of this year follow."])
    xs, ys = (60, 200, 300, 420), (760, 740, 700, 680)
    for x in xs:
        page.rule(x, ys[0], x, ys[-1])
    for y in ys:
        page.rule(xs[0], y, xs[-1], y)
    rows = [("Product", "Unit", "Price"), ("", "box", "12.50"), ("Paper", "ream", "3.99")]
    for (first, *rest), top in zip(rows, (746, 716, 686), strict=True):
        page.text(64, top, first).text(204, top, rest[0]).text(304, top, rest[1])
    page.text(64, 724, "Pencils, sharpened").text(64, 708, "and painted red")
    assert texts(read(pdf(page)), "table") == ["Product\tUnit\tPrice\nPencils, sharpened and painted red\tbox\t12.50\nPaper\tream\t3.99"]


def test_a_table_without_lines_keeps_its_rows() -> None:
    page = Page().lines(60, 800, wrapped(PROSE, 90))
    rows = [("Code", "Place", "Count"), ("SKU-8847", "A-12", "450"), ("SKU-9201", "", "780"), ("SKU-4563", "D-22", "156")]
    for index, row in enumerate(rows):
        for x, cell in zip((60, 180, 300), row, strict=True):
            if cell:
                page.text(x, 700 - 16 * index, cell)
    page.lines(60, 600, wrapped(PROSE, 90))
    assert texts(read(pdf(page)), "table") == ["Code\tPlace\tCount\nSKU-8847\tA-12\t450\nSKU-9201\t\t780\nSKU-4563\tD-22\t156"]


def test_a_ruled_table_goes_on_with_its_header_on_the_next_page() -> None:
    pages = []
    for number, rows in enumerate(([("Name", "Sum"), ("one", "1"), ("two", "2")], [("three", "3"), ("four", "4")])):
        page = Page()
        if number == 0:
            page.lines(60, 800, ["Sums of the year:"])
        top = 160 if number == 0 else 800
        for x in (60, 200, 300):
            page.rule(x, top, x, top - 20 * len(rows))
        for index in range(len(rows) + 1):
            page.rule(60, top - 20 * index, 300, top - 20 * index)
        for index, (name, total) in enumerate(rows):
            page.text(64, top - 14 - 20 * index, name).text(204, top - 14 - 20 * index, total)
        pages.append(page)
    assert texts(read(pdf(*pages)), "table") == ["Name\tSum\none\t1\ntwo\t2", "Name\tSum\nthree\t3\nfour\t4"]


def test_items_of_a_list_stay_apart_and_whole() -> None:
    page = Page().lines(60, 790, ["What is needed:"])
    page.text(70, 776, "•").text(84, 776, "A pump that works at forty degrees below zero for a day and")
    page.text(84, 764, "a night").text(70, 750, "•").text(84, 750, "Two valves").text(70, 736, "1. First of all, the manual")
    assert texts(read(pdf(page)), "list") == [
        "• A pump that works at forty degrees below zero for a day and a night",
        "• Two valves",
        "1. First of all, the manual",
    ]


def test_what_runs_through_all_pages_is_dropped_but_its_first_words_are_kept() -> None:
    pages = []
    for number in range(1, 6):
        page = Page().text(60, 810, f"Handbook of Pumps, chapter {number}", 8).text(290, 30, f"- {number} -", 8)
        page.lines(60, 760, wrapped(f"{WORDS[number].title()} says this. " + PROSE, 90)).text(60, 60, f"Total: {number * number} pumps")
        pages.append(page)
    text = read(pdf(*pages)).text
    assert text.count("Handbook of Pumps") == 1
    assert not re.search(r"- \d -", text)
    assert [f"Total: {number * number} pumps" in text for number in range(1, 6)] == [True] * 5
    assert all(f"{WORDS[number].title()} says this." in text for number in range(1, 6))


def test_a_chapters_page_numbers_are_dropped_and_other_numbers_stay() -> None:
    pages = [Page().lines(60, 760, wrapped(f"{WORDS[number].title()} says this. " + PROSE, 90)) for number in range(12)]
    for number in (4, 5, 6, 7):
        pages[number].text(60, 810, f"Chapter 3: Valves  {number + 90}", 8)
    for number, sign in enumerate(("# 5", "6 7", "8 #", "# 9", "1 1")):
        pages[number].text(60, 30, sign, 8)
    text = read(pdf(*pages)).text
    assert re.findall(r"Chapter 3: Valves\s+(\d+)", text) == ["94"]
    assert all(sign in text for sign in ("# 5", "6 7", "8 #", "# 9", "1 1"))


def test_a_paragraph_runs_on_over_the_end_of_a_page() -> None:
    lines = wrapped(PROSE, 60)
    parsed = read(pdf(Page().lines(60, 100, lines[:3]), Page().lines(60, 800, lines[3:])))
    assert texts(parsed) == [PROSE]
    assert parsed.blocks[0].place == Locator(page=1, page_last=2)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_turned_page_reads_like_an_upright_one(rotate: int) -> None:
    page = Page(rotate=rotate)
    matrix = {0: "1 0 0 1", 90: "0 1 -1 0", 180: "-1 0 0 -1", 270: "0 -1 1 0"}[rotate]
    for index, line in enumerate(wrapped(PROSE, 60)):
        x, y = {0: (60, 780 - 12 * index), 90: (60 + 12 * index, 60), 180: (540, 60 + 12 * index), 270: (540 - 12 * index, 780)}[rotate]
        page.text(x, y, line, matrix=matrix)
    assert texts(read(pdf(page))) == [PROSE]


def test_a_watermark_across_the_page_does_not_cut_its_lines() -> None:
    page = Page().lines(60, 780, wrapped(PROSE, 90)).text(100, 700, "CONFIDENTIAL", 60, matrix="0.7 0.7 -0.7 0.7")
    parsed = read(pdf(page))
    assert PROSE in texts(parsed)
    assert parsed.text.count("CONFIDENTIAL") == 1


def test_what_is_typed_into_a_form_is_text() -> None:
    page = Page(annotations=[(60, 600, "Signed by Ada")]).lines(60, 780, ["An application with one field"])
    assert texts(read(pdf(page))) == ["An application with one field", "Signed by Ada"]


def test_a_blank_page_is_no_scan_and_a_document_of_them_is_empty() -> None:
    parsed = read(pdf(Page(), Page().lines(60, 780, ["Only the second page says anything."])))
    assert parsed.notes == ()
    assert parsed.blocks[0].place == Locator(page=2)
    assert refusal(pdf(Page(), Page().rule(60, 700, 500, 700))).code == "document_empty"


@pytest.mark.usefixtures("no_tesseract")
def test_without_tesseract_a_scan_needs_it_and_a_mixed_document_says_which_pages_do() -> None:
    scan = Page().image(40, 40, bytes(1600))
    assert refusal(pdf(scan)).code == "ocr_required"
    parsed = read(pdf(Page().lines(60, 780, [PROSE[:80]]), scan, Page().lines(60, 780, [PROSE[80:160]]), scan))
    assert [(note.code, note.detail) for note in parsed.notes] == [("pages_need_ocr", "pages 2, 4")]


@pytest.mark.usefixtures("no_tesseract")
def test_a_text_layer_of_nameless_glyphs_is_a_scan() -> None:
    garbage = Page().lines(60, 780, wrapped(PROSE, 80), font="P1")
    assert refusal(pdf(garbage)).code == "ocr_required"
    assert refusal(pdf(garbage), ocr="off").code == "ocr_required"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PROSE, True),
        (CHINESE, True),
        ("Total 45", True),
        ("4,755,785.11 5,699,227.63 -16.55% " * 20, True),
        ("Überraschung: für große Höhen müssen Bürger äußerst geübt sein. " * 5, True),
        ("".join(chr(ord(char) - 29) if char.isalpha() else char for char in PROSE * 2), False),  # letters shifted by a font
        ("\ue001\ue002\ue003 \ue004\ue005", False),
        ("\x01\x02\x03\x04 a", False),
        ("\ufffd" * 50 + "abc", False),
        (CHINESE.encode("gbk").decode("latin-1") * 2, False),
        ("".join(chr(0x4E00 + 97 * index % 20_000) for index in range(300)), False),
        ("", False),
    ],
)
def test_garbage_is_told_from_text(text: str, expected: bool) -> None:
    assert is_legible(text) is expected


def test_glyphs_that_nobody_can_name_are_garbage() -> None:
    assert not is_legible(PROSE, [True] * 6 + [False] * 4)
    assert is_legible(PROSE, [True] + [False] * 9)


def test_an_encrypted_file_asks_for_its_password() -> None:
    data = pdf(Page().lines(60, 780, ["Behind a password"]), user="1234", owner="boss")
    assert refusal(data).code == "password_required"
    assert refusal(data, "4321").code == "password_wrong"
    assert texts(read(data, "1234")) == ["Behind a password"]
    assert texts(read(data, "boss")) == ["Behind a password"]


def test_a_file_that_only_its_owner_may_copy_is_read_and_says_so() -> None:
    data = pdf(Page().lines(60, 780, ["Anybody may read this"]), owner="boss", may_copy=False)
    parsed = read(data)
    assert texts(parsed) == ["Anybody may read this"]
    assert [note.code for note in parsed.notes] == ["copy_protected"]
    assert read(data, "not the password").text == "Anybody may read this"
    assert read(pdf(Page().lines(60, 780, ["Free"])), "needless").notes == ()


def test_a_broken_page_costs_only_itself() -> None:
    good = Page().lines(60, 780, ["This page is whole"])
    parsed = read(pdf(good, Page(broken=True), good))
    assert [(note.code, note.detail) for note in parsed.notes] == [("page_unreadable", "pages 2")]
    assert [block.place for block in parsed.blocks] == [Locator(page=1), Locator(page=3)]
    assert refusal(pdf(Page(broken=True))).code == "document_unreadable"


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n" + bytes(64), b"%PDF-1.7\n", pdf(Page())[:200]])
def test_what_is_no_pdf_is_unreadable(data: bytes) -> None:
    assert refusal(data).code == "document_unreadable"


def test_a_lost_table_of_objects_is_rebuilt() -> None:
    data = pdf(Page().lines(60, 780, ["Still here"]))
    start = data.index(b"xref")
    assert read(data[:start] + data[start:].replace(b"00000 n", b"00001 n").replace(b"startxref\n", b"startxref\n9")).text == "Still here"


def test_limits_are_named() -> None:
    page = Page().lines(60, 780, wrapped(PROSE * 4, 90))
    assert "CLAW_DOCUMENT_PAGES_MAX" in refusal(pdf(page, page, page), pages_max=2).detail
    many = refusal(pdf(page, page), text_chars_max=1_500)
    assert (many.code, "CLAW_DOCUMENT_TEXT_CHARS_MAX" in many.detail) == ("document_too_complex", True)


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


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["infor-", "mation"], "information"),
        (["in 2019-", "2020"], "in 2019-2020"),
        (["state-of-the-", "art"], "state-of-the-art"),
        (["本公司在", "报告期"], "本公司在报告期"),
        (["公司 2018", "年报"], "公司 2018 年报"),
        (["one \xad", "two"], "one \xad two"),
    ],
)
def test_lines_are_joined(lines: list[str], expected: str) -> None:
    assert join_lines(lines) == expected


WORDS = [f"{first}{second}{third}" for first in "bdfgklm" for second in "aeiou" for third in ("nter", "sol", "rim", "vak")]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 8), st.integers(0, 30), st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), st.sampled_from((8, 10, 14))
        ),
        min_size=1,
        max_size=60,
        unique_by=lambda piece: (piece[0] // 3, piece[1]),
    ),
    st.lists(st.tuples(st.integers(0, 10), st.integers(0, 30), st.booleans(), st.integers(2, 12)), max_size=12),
)
def test_every_word_comes_out_once_whatever_the_layout(
    pieces: list[tuple[int, int, list[str], int]], rules: list[tuple[int, int, bool, int]]
) -> None:
    page, expected = Page(width=700), Counter[str]()
    for column, row, words, size in pieces:
        page.text(40 + 215 * (column // 3) + 20 * (column % 3), 800 - 24 * row, " ".join(words), size)
        expected.update(words)
    for x, y, upright, length in rules:
        left, top = 38 + 50 * x, 815 - 24 * y
        page.rule(left, top, left + (0 if upright else 50 * length), top - (24 * length if upright else 0))
    assert Counter(read(pdf(page)).text.split()) == expected


def test_the_sample_files_say_what_they_should(data: Path) -> None:
    """Every PDF of the manifest, with Tesseract when it is there."""
    folder, reader = data / "documents", shutil.which("tesseract")
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines()]
    for row in (row for row in rows if row["kind"] == "pdf"):
        content = (folder / row["file"]).read_bytes()
        if row["expect"] == "password_required":
            assert refusal(content).code == "password_required", row["file"]
            assert refusal(content, "wrong").code == "password_wrong", row["file"]
        if row["expect"] == "ocr_text" and not reader:
            assert refusal(content).code == "ocr_required", row["file"]
            continue
        try:
            shown = "".join(read(content, row["password"] or "").text.split())
        except Refused as refused:
            if row["expect"] != "reject_or_partial":
                pytest.fail(f"{row['file']}: {refused.code}")
            continue
        assert [phrase for phrase in row["phrases"] if "".join(phrase.split()) not in shown] == [], row["file"]


def test_a_damaged_file_says_so():
    """What could be found is worth having, but nobody must take it for the whole."""
    page = Page()
    page.text(72, 700, "The ferry leaves at noon.")
    whole = pdf(page)
    assert read(whole).notes == ()
    moved = whole.replace(b"startxref\n", b"startxref\n9")
    assert {note.code for note in read(moved).notes} == {"file_repaired"}
    looping = whole.replace(b"%%EOF", b"99 0 obj\n<< /Length 99 0 R >>\nstream\nendstream\nendobj\n%%EOF")
    assert "file_repaired" in {note.code for note in read(looping).notes}
