"""Tables of a page, ruled or not."""

from collections.abc import Sequence

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


def ruled(
    page: Page,
    top: int,
    xs: tuple[int, ...],
    rows: Sequence[tuple[str, ...]],
    open_below: set[tuple[int, int]],
    open_right: set[tuple[int, int]],
) -> Page:
    """A grid of rows 20 points high, without the rule below or at the right of the named cells (row, column)."""
    for number, row in enumerate(rows):
        y = top - 20 * number
        for column, text in enumerate(row):
            left, right = xs[column], xs[column + 1]
            if (number - 1, column) not in open_below:
                page.rule(left, y, right, y)
            if (number, column - 1) not in open_right:
                page.rule(left, y, left, y - 20)
            if text:
                page.text(left + 4, y - 14, text)
        page.rule(xs[-1], y, xs[-1], y - 20)
    page.rule(xs[0], top - 20 * len(rows), xs[-1], top - 20 * len(rows))
    return page


XS = (60, 160, 240, 320)


def test_a_merged_cell_is_said_in_every_row_that_it_covers() -> None:
    rows = [("Line", "Plan", "Fee"), ("Cloud", "basic", "12"), ("", "plus", "20"), ("Rock", "basic", "15")]
    page = ruled(Page(), 780, XS, rows, {(1, 0)}, set())
    assert texts(read(pdf(page)), "table") == ["Line\tPlan\tFee\nCloud\tbasic\t12\nCloud\tplus\t20\nRock\tbasic\t15"]


def test_a_header_of_two_levels_is_filled() -> None:
    rows = [("Dome", "2024", ""), ("", "spring", "autumn"), ("Kite", "12", "30"), ("Polar", "9", "14")]
    page = ruled(Page(), 780, XS, rows, {(0, 0)}, {(0, 1)})
    assert texts(read(pdf(page)), "table") == ["Dome\t2024\t2024\nDome\tspring\tautumn\nKite\t12\t30\nPolar\t9\t14"]


def test_a_merged_cell_holds_behind_a_page_break() -> None:
    """Its text stands on the first page only; the rows on the next one are of it, up to the next cell with a text."""
    first = ruled(
        Page().lines(60, 800, ["Fees of the year:"]),
        140,
        XS,
        [("Line", "Plan", "Fee"), ("Cloud", "a", "1"), ("", "b", "2")],
        {(1, 0)},
        set(),
    )
    second = ruled(Page(), 800, XS, [("", "c", "3"), ("", "d", "4"), ("Rock", "e", "5")], {(0, 0)}, set())
    assert texts(read(pdf(first, second)), "table") == [
        "Line\tPlan\tFee\nCloud\ta\t1\nCloud\tb\t2",
        "Line\tPlan\tFee\nCloud\tc\t3\nCloud\td\t4\nRock\te\t5",
    ]


def test_an_empty_cell_at_the_top_of_a_page_is_empty() -> None:
    first = ruled(
        Page().lines(60, 800, ["Fees of the year:"]),
        140,
        XS,
        [("Line", "Plan", "Fee"), ("Cloud", "a", "1"), ("Rock", "b", "2")],
        set(),
        set(),
    )
    second = ruled(Page(), 800, XS, [("", "c", "3"), ("Sand", "d", "4")], set(), set())
    assert texts(read(pdf(first, second)), "table")[1] == "Line\tPlan\tFee\n\tc\t3\nSand\td\t4"


def boxed(rows: Sequence[tuple[str, ...]], leading: int = 16) -> Page:
    """A ruled header over one ruled box with all rows."""
    page = Page().lines(60, 800, ["Prices of this year follow."])
    bottom = 740 - leading * (len(rows) - 1) - 4
    for x in (60, 200, 300, 420):
        page.rule(x, 760, x, bottom)
    for y in (760, 740, bottom):
        page.rule(60, y, 420, y)
    for index, row in enumerate(rows):
        for x, cell in zip((64, 204, 304), row, strict=True):
            page.text(x, 746 if index == 0 else 742 - leading * index, cell)
    return page


def test_rows_without_lines_between_them_are_not_merged() -> None:
    rows = [
        ("Product", "Unit", "Price"),
        ("Pencil", "box", "12.50"),
        ("Paper", "ream", "3.99"),
        ("Ink", "bottle", "4.20"),
        ("Glue", "tube", "1.10"),
    ]
    for count in (5, 3):
        assert texts(read(pdf(boxed(rows[:count]))), "table") == ["\n".join("\t".join(row) for row in rows[:count])]


def test_lines_of_a_full_cell_are_one_row() -> None:
    rows = [
        ("Product", "Delivery", "Remark"),
        ("Pencils that are sharpened", "by rail and then", "kept in the northern"),
        ("and painted in red colour", "by lorry to us", "store until winter"),
        ("for the schools", "in boxes", "comes"),
    ]
    (table,) = texts(read(pdf(boxed(rows, 12))), "table")
    assert len(table.splitlines()) == 2


def test_a_header_of_two_lines_is_one_row() -> None:
    page = Page().lines(60, 800, ["Prices of this year follow."])
    for x in (60, 200, 300, 420):
        page.rule(x, 760, x, 704)
    for y in (760, 728, 704):
        page.rule(60, y, 420, y)
    for x, first, second, value in zip(
        (64, 204, 304), ("Weight", "Price", "Size"), ("(kg)", "(EUR)", "(cm)"), ("12", "3.50", "40"), strict=True
    ):
        page.text(x, 748, first).text(x, 734, second).text(x, 712, value)
    assert texts(read(pdf(page)), "table") == ["Weight (kg)\tPrice (EUR)\tSize (cm)\n12\t3.50\t40"]


def test_what_is_printed_twice_to_look_bold_comes_once() -> None:
    page = Page()
    for shift in (0, 0.4):
        page.lines(60 + shift, 780, wrapped(PROSE, 80))
    assert texts(read(pdf(page))) == [PROSE]
