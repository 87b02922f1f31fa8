"""PDF files written by hand go in; text in the order of reading comes out, every word once, each block with its page."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.parsing.pdf.ocr import find_engine
from schemas.documents import Locator
from schemas.errors import Refused
from tests.support.pdf_reading import CHINESE, PROSE, WORDS, read, refusal, texts, wrapped
from tests.support.pdf_writer import Page, pdf


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
    for program in ("about:blank", "无标题", "新建 Microsoft Word 文档"):  # a browser's print, a template's
        assert read(pdf(page, title=program)).title == ""


def test_items_of_a_list_stay_apart_and_whole() -> None:
    page = Page().lines(60, 790, ["What is needed:"])
    page.text(70, 776, "•").text(84, 776, "A pump that works at forty degrees below zero for a day and")
    page.text(84, 764, "a night").text(70, 750, "•").text(84, 750, "Two valves").text(70, 736, "1. First of all, the manual")
    assert texts(read(pdf(page)), "list") == [
        "• A pump that works at forty degrees below zero for a day and a night",
        "• Two valves",
        "1. First of all, the manual",
    ]


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


@pytest.mark.usefixtures("no_ocr")
def test_without_an_engine_a_scan_needs_one_and_a_mixed_document_says_which_pages_do() -> None:
    scan = Page().image(40, 40, bytes(1600))
    assert refusal(pdf(scan)).code == "ocr_required"
    parsed = read(pdf(Page().lines(60, 780, [PROSE[:80]]), scan, Page().lines(60, 780, [PROSE[80:160]]), scan))
    assert [(note.code, note.detail) for note in parsed.notes] == [("pages_need_ocr", "pages 2, 4")]


@pytest.mark.usefixtures("no_ocr")
def test_a_text_layer_of_nameless_glyphs_is_a_scan() -> None:
    garbage = Page().lines(60, 780, wrapped(PROSE, 80), font="P1")
    assert refusal(pdf(garbage)).code == "ocr_required"
    assert refusal(pdf(garbage), ocr="off").code == "ocr_required"


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
    found = Counter(read(pdf(page)).text.split())
    assert found.keys() == expected.keys()
    if rules:  # they may enclose a merged cell, whose text is said in every row and column that it covers
        assert found >= expected
    else:
        assert found == expected


def test_the_sample_files_say_what_they_should(data: Path) -> None:
    """Every PDF of the manifest; scans with the engine that is there."""
    folder, reader = data / "documents", find_engine("auto", "chi_sim+chi_tra+eng")
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


def test_an_xfa_form_is_named_not_indexed_by_its_placeholder() -> None:
    """Its pages say that another program is needed; a form that keeps pages beside its XFA part is read by them."""
    page = Page().text(60, 780, "Please wait while the program loads this form", 10)

    def form(*, dynamic: bool) -> bytes:
        rendering = b"/NeedsRendering true" if dynamic else b""
        return pdf(page).replace(b"/Type/Catalog", b"/Type/Catalog/AcroForm<</XFA[(template)(x)]/Fields[]>>" + rendering)

    assert b"/AcroForm" in form(dynamic=True)
    failure = refusal(form(dynamic=True))
    assert (failure.code, "XFA" in failure.detail) == ("document_type_unsupported", True)
    assert "Please wait" in read(form(dynamic=False)).text
