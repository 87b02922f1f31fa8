"""What runs through all pages is dropped."""

import re

from tests.support.pdf_reading import PROSE, WORDS, read, wrapped
from tests.support.pdf_writer import Page, pdf


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
