"""Pages that only a picture shows are recognised, by each engine that is there; what was not read is named."""

import shutil
from collections.abc import Callable

import pytest

from adapters.parsing.pdf import scans
from adapters.parsing.pdf.ocr import OcrResult, Picture
from adapters.parsing.pdf.scans import agreement
from adapters.parsing.pdf.tesseract import available_languages
from adapters.parsing.pdf.text import TextSpan
from schemas.documents import Locator
from tests.support.pdf_reading import PROSE, block_of, page_with_hole, read, refusal, scanned, texts, wrapped
from tests.support.pdf_writer import Page, pdf

FIRST, SECOND = wrapped(PROSE, 60)[:2]


class Reader:
    """Says the same of every page, sure of itself or not, and counts them."""

    name, dpi_min = "reader", 72.0

    def __init__(self, said: str, confidence: float = 95.0, *, complete: bool = True) -> None:
        self.pages = 0
        self.seen: list[Picture] = []
        self._said, self._confidence, self._complete = said, confidence, complete

    def read(self, picture: Picture, seconds: float) -> OcrResult:
        self.pages += 1
        self.seen.append(picture)
        spans = [TextSpan(text, 60, 500, 50 + 12 * n, 60 + 12 * n, 60 + 12 * n, 10) for n, text in enumerate(wrapped(self._said, 60))]
        return OcrResult(tuple(spans), self._confidence, complete=self._complete)


@pytest.fixture
def use_reader(monkeypatch: pytest.MonkeyPatch) -> Callable[[Reader], Reader]:
    def use(reader: Reader) -> Reader:
        monkeypatch.setattr(scans, "find_recogniser", lambda _: reader)
        return reader

    return use


def layered(picture: tuple[int, int, bytes], lines: list[str], font: str = "F1") -> Page:
    """A picture over the whole page, and under it a text that nobody sees."""
    page = Page().image(*picture)
    drawn = len(page.operators)
    page.lines(60, 760, lines, font=font)
    page.operators[drawn:] = [operator.replace(b"BT ", b"BT 3 Tr ") for operator in page.operators[drawn:]]
    return page


def test_a_scan_is_read_with_its_columns_of_numbers(engine: str) -> None:
    page = Page().text(60, 760, "Quarterly inventory of the northern warehouse", 18)
    for index, row in enumerate(
        [("Article", "Count", "Price"), ("Pump", "120", "45.10"), ("Valve", "3,500", "7.25"), ("Hose", "800", "2.40")]
    ):
        for x, cell in zip((60, 260, 420), row, strict=True):
            page.text(x, 690 - 30 * index, cell, 14)
    scan = Page().image(*scanned(page))
    parsed = read(pdf(scan, Page().lines(60, 780, ["The second page has text."])), ocr_languages="eng", ocr=engine)
    assert "Quarterly inventory of the northern warehouse" in parsed.text
    assert texts(parsed, "table") == ["Article\tCount\tPrice\nPump\t120\t45.10\nValve\t3,500\t7.25\nHose\t800\t2.40"]
    assert [(note.code, note.detail) for note in parsed.notes] == [("read_by_ocr", "pages 1")]
    assert block_of(parsed, "second page").place == Locator(page=2)


def test_a_page_with_a_wrong_text_layer_is_read_as_it_looks(engine: str) -> None:
    """The picture of a page says something else than the layer of nameless glyphs on it, or than a legible one."""
    picture = scanned(Page().lines(60, 760, ["Minutes of the meeting", "held in the town hall"], 20, leading=30))
    for font in ("P1", "F1"):
        parsed = read(pdf(layered(picture, wrapped(PROSE, 70), font)), ocr_languages="eng", ocr=engine)
        assert "Minutes of the meeting" in parsed.text
        assert "committee" not in parsed.text
        assert [note.code for note in parsed.notes] == ["read_by_ocr"]


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_scan_that_lies_on_its_side_is_turned(engine: str, quarter: int) -> None:
    page = Page()
    matrix = {1: "0 -1 1 0", 2: "-1 0 0 -1", 3: "0 1 -1 0"}[quarter]
    for index, line in enumerate(wrapped(PROSE * 2, 50)):
        x, y = {1: (500 - 24 * index, 780), 2: (540, 60 + 24 * index), 3: (100 + 24 * index, 60)}[quarter]
        page.text(x, y, line, 14, matrix=matrix)
    if engine == "tesseract" and "osd" not in available_languages(shutil.which("tesseract") or ""):
        pytest.skip("Tesseract cannot tell which side is up here: no osd")
    parsed = read(pdf(Page().image(*scanned(page))), ocr_languages="eng", ocr=engine)
    assert "The committee met in the spring of that year and agreed" in " ".join(parsed.text.split())


def test_more_scans_than_are_read_are_refused_or_named(use_reader) -> None:
    use_reader(Reader("Scanned words"))
    scan = Page().image(*scanned(Page().text(60, 700, "Scanned words", 24), 50))
    assert "CLAW_DOCUMENT_OCR_PAGES_MAX" in refusal(pdf(scan, scan), ocr_pages_max=1).detail
    parsed = read(pdf(Page().lines(60, 780, ["A page with text of its own."]), scan, scan), ocr_pages_max=1)
    assert [(note.code, note.detail.partition(":")[0]) for note in parsed.notes] == [
        ("read_by_ocr", "pages 2"),
        ("pages_need_ocr", "pages 3"),
    ]
    assert "CLAW_DOCUMENT_OCR_PAGES_MAX" in parsed.notes[1].detail


def test_scans_for_which_no_time_is_left_are_named(use_reader) -> None:
    reader = use_reader(Reader("Scanned words"))
    scan = Page().image(*scanned(Page().text(60, 700, "Scanned words", 24), 50))
    late = refusal(pdf(scan, scan), ocr_wall_s=0.000001)
    assert (late.code, "CLAW_DOCUMENT_OCR_WALL_S" in late.detail) == ("document_too_complex", True)
    parsed = read(pdf(Page().lines(60, 780, ["A page with text of its own."]), scan), ocr_wall_s=0.000001)
    assert [(note.code, "pages 2" in note.detail) for note in parsed.notes] == [("pages_need_ocr", True)]
    assert reader.pages == 0


def test_a_page_that_was_read_in_part_says_so(use_reader) -> None:
    use_reader(Reader("Scanned words", complete=False))
    parsed = read(pdf(Page().image(*scanned(Page().text(60, 700, "Scanned words", 24), 50))))
    assert [note.code for note in parsed.notes] == ["read_by_ocr", "ocr_incomplete"]
    assert "CLAW_DOCUMENT_OCR_PAGE_S" in parsed.notes[1].detail


def test_a_picture_with_too_many_pixels_is_named(use_reader) -> None:
    reader = use_reader(Reader("Scanned words"))
    large = Page().image(200, 100, bytes(20_000))
    failure = refusal(pdf(large), picture_pixels_max=10_000)
    assert (failure.code, "CLAW_DOCUMENT_PICTURE_PIXELS_MAX" in failure.detail) == ("document_too_complex", True)
    parsed = read(pdf(Page().lines(60, 780, ["A page with text of its own."]), large), picture_pixels_max=10_000)
    assert [(note.code, "pages 2" in note.detail) for note in parsed.notes] == [("pages_need_ocr", True)]
    assert reader.pages == 0


def test_a_right_layer_stays_and_its_document_is_tried_only_in_part(use_reader) -> None:
    reader = use_reader(Reader(PROSE))
    parsed = read(pdf(*[layered((40, 40, bytes(1600)), wrapped(PROSE, 90))] * 6))
    assert parsed.notes == ()
    assert reader.pages == 3
    assert PROSE in " ".join(parsed.text.split())


def test_a_wrong_layer_is_replaced_on_every_page(use_reader) -> None:
    reader = use_reader(Reader("What the picture shows is something else altogether, and it is long enough to be believed by anybody."))
    parsed = read(pdf(*[layered((40, 40, bytes(1600)), wrapped(PROSE, 90))] * 5))
    assert reader.pages == 5
    assert "committee" not in parsed.text
    assert [(note.code, note.detail) for note in parsed.notes] == [("read_by_ocr", "pages 1, 2, 3, 4, 5")]


def test_an_unsure_reading_replaces_no_layer(use_reader) -> None:
    use_reader(Reader("q;:x zzv ~~ jr", 40.0))
    parsed = read(pdf(layered((40, 40, bytes(1600)), wrapped(PROSE, 90))))
    assert PROSE in " ".join(parsed.text.split())


def test_a_page_with_a_hole_is_read_as_it_looks_when_that_is_better(use_reader) -> None:
    page = page_with_hole()
    use_reader(Reader(f"{PROSE} The town of Fohr met."))
    parsed = read(pdf(page))
    assert "The town of Fohr met." in parsed.text
    assert [note.code for note in parsed.notes] == ["read_by_ocr"]
    use_reader(Reader("less", 95.0))
    assert [note.code for note in read(pdf(page)).notes] == ["glyphs_without_text"]


def test_holes_that_recognition_does_not_fill_are_tried_on_a_few_pages(use_reader) -> None:
    reader = use_reader(Reader("less"))
    page = page_with_hole()
    parsed = read(pdf(*[page] * 8))
    assert reader.pages == 5
    assert [(note.code, note.detail.partition(":")[0]) for note in parsed.notes] == [
        ("glyphs_without_text", "pages 1, 2, 3, 4, 5, 6, 7, 8")
    ]


def test_a_scanned_form_keeps_what_is_typed_into_it(use_reader) -> None:
    use_reader(Reader("Application for a permit to fish in the upper lake, to be filled in and signed"))
    page = Page().image(40, 40, bytes(1600)).field((300, 600, 500, 616), b"/FT/Tx/T(name)/V(Ada Byron)")
    parsed = read(pdf(page))
    assert "Application for a permit" in parsed.text
    assert "Ada Byron" in parsed.text


def test_the_picture_is_as_fine_as_the_scan(use_reader) -> None:
    """A page is drawn at the resolution it was scanned with, within bounds."""
    reader = use_reader(Reader("Scanned words"))
    for dpi in (100, 250, 600):
        read(pdf(Page(width=100, height=100).image(100 * dpi // 72, 100 * dpi // 72, bytes((100 * dpi // 72) ** 2))))
    assert [round(picture.dpi / 10) * 10 for picture in reader.seen] == [100, 250, 300]


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        (PROSE, PROSE.upper(), 1.0, 1.0),
        (PROSE, PROSE.replace("q", "g").replace("y", "v").replace("w", "vv"), 0.5, 0.95),
        (PROSE, PROSE[:100], 1.0, 1.0),
        (PROSE[:100], PROSE, 0.0, 0.4),
        (PROSE, "What the picture shows is something else altogether, and it is long enough to be believed.", 0.0, 0.3),
        ("完全不同的内容", "这里写着另外一件事情", 0.0, 0.2),
        ("", "anything", 0.0, 0.0),
    ],
)
def test_how_far_two_texts_agree(one: str, other: str, least: float, most: float) -> None:
    assert least <= agreement(one, other) <= most
