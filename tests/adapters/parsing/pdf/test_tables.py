"""Tables of a page, ruled or not."""

from tests.support.pdf_reading import PROSE, read, texts, wrapped
from tests.support.pdf_writer import Page, pdf


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
