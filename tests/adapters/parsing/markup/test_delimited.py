"""Tables as text: any separator, any quotes, any length; one block whose lines are its rows."""

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.parsing.core.source import Bounds
from adapters.parsing.dispatch import parse_text
from adapters.parsing.markup.delimited import parse_rows
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings

BOUNDS = Bounds.of(DocumentSettings())


def rows(text):
    parsed = parse_rows(text, BOUNDS)
    return [line.split("\t") for line in parsed.text.split("\n")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_separators(delimiter):
    """Also when the others stand inside cells."""
    text = "\n".join(
        delimiter.join(row)
        for row in (["姓名", "金额", "备注"], ["张三", "1.5", "好：甲 乙"], ["李四", "2,5" if delimiter != "," else "2", "a b"])
    )
    parsed = parse_rows(text, BOUNDS)
    assert rows(text)[2][:2] == ["李四", "2,5" if delimiter != "," else "2"]
    assert [(block.kind, str(block.place)) for block in parsed.blocks] == [("table", "A1:C3")]


def test_decimal_commas_do_not_separate():
    """Every row has as many commas as semicolons; the header has not."""
    assert rows("name;a;b\n" + "x;1,5;2,5\n" * 50)[1] == ["x", "1,5", "2,5"]


def test_the_separator_that_a_file_declares():
    """As spreadsheets write it; the cells are counted from the file's first line."""
    parsed = parse_rows("sep=;\na,b;c\n1;2\n", BOUNDS)
    assert parsed.text == "a,b\tc\n1\t2"
    assert str(parsed.blocks[0].place) == "A2:B3"


def test_quotes():
    """Separators, quotes and line ends inside them are text."""
    assert rows('a,b\n"x, y","say ""hi"""\n"two\nlines",z\n') == [["a", "b"], ["x, y", 'say "hi"'], ["two lines", "z"]]


def test_a_quote_that_is_never_closed_swallows_nothing():
    """Rows stay rows, before and after it; a cell of two lines stays one."""
    found = rows('a,b\n"two\nlines",z\n1,"never closed\n' + "row,of text\n" * 10_000)
    assert found[:4] == [["a", "b"], ["two lines", "z"], ["1", '"never closed'], ["row", "of text"]]
    assert len(found) == 10_003


def test_formulas_are_text():
    """Nothing is calculated, nothing is left out."""
    assert rows("姓名,备注\n张三,=cmd|'/c calc'!A1\n李四,@SUM(1+1)\n")[1:] == [["张三", "=cmd|'/c calc'!A1"], ["李四", "@SUM(1+1)"]]


def test_limits():
    """Cells are counted, and so are characters."""
    for text, bounds, name in (
        ("a,b\n" * 60, replace(BOUNDS, cells_max=100), "CELLS"),
        ("x" * 2_000, replace(BOUNDS, chars_max=1_000), "TEXT_CHARS"),
    ):
        with pytest.raises(Refused) as refused:
            parse_text(text, "text/csv", bounds)
        assert refused.value.code == "document_too_complex"
        assert f"CLAW_DOCUMENT_{name}_MAX" in refused.value.detail


@pytest.mark.parametrize(
    "text",
    [",".join(map(str, range(900_000))), '"' * 500_000, ('"\n' + "x\n" * 49) * 5_000, "a" * 3_000_000, "|;\t," * 400_000, "\n" * 1_000_000],
)
def test_hostile_tables_take_bounded_time(text):
    started = time.process_time()
    parse_rows(text, BOUNDS)
    assert time.process_time() - started < 8


CELL = st.text(st.sampled_from('ab,;|"\n 好1.'), min_size=1, max_size=8).map(lambda cell: "k" + cell)


@given(st.integers(2, 5).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=12)))
def test_what_was_written_is_read(table):
    """Every cell, in its row."""
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(table)
    assert rows(buffer.getvalue()) == [[" ".join(cell.split()) for cell in row] for row in table]


@given(st.text(max_size=200))
def test_any_text_keeps_its_words(text):
    """Whatever quotes and separators do to the rows."""
    parsed = parse_rows("".join(character for character in text if character.isprintable() or character == "\n"), BOUNDS)
    kept = [character for character in parsed.text if character.isalnum()]
    assert kept == [character for character in text if character.isalnum()]
