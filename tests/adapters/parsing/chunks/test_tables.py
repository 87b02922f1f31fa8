"""Chunks carry their rows as data: every row once, in the right column, under the right header, however the table is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.parsing.chunks.chunking import chunk
from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.markup.markdown import parse_markdown
from adapters.text.table_rows import read_rows
from schemas.documents import Chunk, Locator

CELL = st.text(alphabet="abc甲乙12 .", max_size=6).map(str.strip)


def chunks(parsed: ParsedText, target: int = 60) -> list[Chunk]:
    return chunk(parsed, title="t", target_tokens=target, max_tokens=2 * target, chunks_max=500)


def rows_by_table(made: list[Chunk]) -> dict[int, dict[int, tuple[str, ...]]]:
    found: dict[int, dict[int, tuple[str, ...]]] = {}
    for each in made:
        for part in each.tables:
            for offset, cells in enumerate(read_rows(each.text, part)):
                found.setdefault(part.number, {})[part.first + offset] = cells
    return found


@given(st.lists(st.tuples(CELL, CELL, CELL).filter(any), min_size=1, max_size=60), st.integers(20, 200))
def test_every_row_comes_back_in_its_columns(rows: list[tuple[str, str, str]], target: int) -> None:
    assembly = Assembly(100_000)
    assembly.add_paragraph("Before the table.")
    assembly.add_table([("一", "二", "三"), *rows], header_rows=1)
    assembly.add_paragraph("Behind it.")
    found = rows_by_table(chunks(assembly.build(), target))
    wanted = {number: tuple(" ".join(cell.split()) for cell in row) for number, row in enumerate(rows)}
    got = {number: (*cells, "", "", "")[:3] for number, cells in found.get(1, {}).items()}
    assert got == wanted


def test_parts_of_a_long_table_know_their_place_and_its_header() -> None:
    assembly = Assembly(100_000)
    assembly.add_table([("城市", "2024", "2024"), ("", "Q1", "Q2"), *((f"城市{n}", str(n), str(2 * n)) for n in range(200))], header_rows=2)
    made = chunks(assembly.build())
    assert len(made) > 3
    parts = [part for each in made for part in each.tables]
    assert {(part.number, part.total, part.columns) for part in parts} == {(1, 200, ("城市", "2024 / Q1", "2024 / Q2"))}
    assert rows_by_table(made)[1][137] == ("城市137", "137", "274")
    assert parts[0].header > 0
    assert {part.header for part in parts[1:]} == {0}


def test_a_form_has_no_header_and_every_row_is_said() -> None:
    assembly = Assembly(100_000)
    rows = [(f"第{n}联系人：", f"王{n}", "电话：", f"66{n:03}") for n in range(60)]
    assembly.add_table(rows)
    made = chunks(assembly.build())
    assert len(made) > 1
    parts = [part for each in made for part in each.tables]
    assert {(part.total, part.columns, part.header) for part in parts} == {(60, ("",) * 4, 0)}
    assert all(each.headings == () for each in made), "the first row is no name of the others"
    assert rows_by_table(made)[1][0] == rows[0]


@pytest.mark.parametrize("title", [("年度统计",), ("年度统计", "", "")])
def test_a_title_row_is_no_header(title: tuple[str, ...]) -> None:
    assembly = Assembly(100_000)
    assembly.add_table([title, ("城市", "区号", "省份"), ("北京", "010", "北京")])
    (part,) = chunks(assembly.build())[0].tables
    assert (part.columns, part.total, part.caption) == (("城市", "区号", "省份"), 1, "年度统计")


def test_the_empty_corner_of_a_cross_table_is_a_column() -> None:
    assembly = Assembly(100_000)
    assembly.add_table([("", "东区", "西区"), ("面积", "12", "30")])
    (part,) = chunks(assembly.build())[0].tables
    assert part.columns == ("", "东区", "西区")


def test_a_first_row_of_numbers_above_numbers_is_data() -> None:
    assembly = Assembly(100_000)
    assembly.add_table([("螺丝", "12"), ("螺母", "30")])
    (part,) = chunks(assembly.build())[0].tables
    assert (part.columns, part.total) == (("", ""), 2)


def test_a_table_that_goes_on_behind_a_page_break_is_one_table() -> None:
    assembly = Assembly(100_000)
    for page in (1, 2):
        assembly.add_table([("编号", "数量"), *((f"A{page}{n}", str(n)) for n in range(40))], Locator(page=page))
    made = chunks(assembly.build())
    found = rows_by_table(made)
    assert list(found) == [1]
    assert {part.total for each in made for part in each.tables} == {80}
    assert found[1][40] == ("A20", "0")


def test_two_tables_are_two() -> None:
    assembly = Assembly(100_000)
    assembly.add_table([("编号", "数量"), ("A", "1")])
    assembly.add_paragraph("Another one.")
    assembly.add_table([("编号", "数量"), ("B", "2")])
    assert {number: len(rows) for number, rows in rows_by_table(chunks(assembly.build())).items()} == {1: 1, 2: 1}


def test_markdown_tables_and_lists() -> None:
    text = "# Fees\n\nPer day:\n\n| Tool | Fee |\n|---|---|\n| Drill | 12 |\n| Saw | 9 |\n\n## Not allowed here\n\n- pets\n- open fire\n"
    made = chunks(parse_markdown(text), 200)
    found = rows_by_table(made)
    assert found == {1: {0: ("Drill", "12"), 1: ("Saw", "9")}, 2: {0: ("pets",), 1: ("open fire",)}}
    parts = [part for each in made for part in each.tables]
    assert [(part.columns, part.caption) for part in parts] == [(("Tool", "Fee"), "Per day:"), ((), "Not allowed here")]
