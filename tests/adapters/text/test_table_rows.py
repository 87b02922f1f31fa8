"""Rows are read back from the text of chunks, and told with their columns."""

from adapters.text.table_rows import find_lines, read_rows, split_cells, tell_row
from schemas.documents import TablePart


def part(text: str, **other: object) -> TablePart:
    values: dict[str, object] = {"number": 1, "start": 0, "end": len(text), "total": 9, "columns": ("a", "b")}
    return TablePart(**(values | other))  # type: ignore[arg-type]


def test_rows_are_cells_between_tabs() -> None:
    text = "head\tline\nx\t1\ny\t2"
    assert read_rows(text, part(text, start=10)) == [("x", "1"), ("y", "2")]


def test_empty_cells_that_the_text_lost_come_back_on_the_first_row() -> None:
    text = "1\tx\n\t2"
    assert read_rows(text, part(text, indent=1)) == [("", "1", "x"), ("", "2")]


def test_markdown_rows_have_bars_around_them() -> None:
    assert split_cells(r"| a \| b | c |  |", "|") == ("a | b", "c", "")
    assert split_cells("a | b", "|") == ("a", "b")


def test_items_of_a_list_have_no_marks() -> None:
    text = "- pens\n* paper\n3. ink\n（4）glue\n5、tape"
    assert read_rows(text, part(text, columns=(), separator="")) == [("pens",), ("paper",), ("ink",), ("glue",), ("tape",)]


def test_a_row_is_told_as_pairs_in_the_readers_punctuation() -> None:
    assert tell_row(("城市", "区号"), ("北京", "010"), "zh") == "城市：北京；区号：010"
    assert tell_row(("City", "", "Code"), ("Oslo", "big", "", "extra"), "en") == "City: Oslo; big; extra"
    assert len(tell_row(("a",), ("x" * 2_000,), "en")) < 700


def test_lines_of_the_header_are_known() -> None:
    text = "above\nname\tage\nAnn\t4"
    found = [(text[start:end], header) for start, end, _, header in find_lines(text, [part(text, start=15, header=9)])]
    assert found == [("name\tage", True), ("Ann\t4", False)]
