"""A table is whole whatever chunk it is read from, and never more than the bounds allow."""

import asyncio

import pytest

from adapters.index.port import Hit
from adapters.parsing.core.assembly import Assembly
from domain.retrieval.tables.reading import join_hits, read_hits
from schemas.documents import Locator
from tests.support.read_tables import hits_of, read_whole


def long_table(rows: int, target: int = 40) -> list[Hit]:
    assembly = Assembly(10_000_000)
    assembly.add_paragraph("An introduction before it. " * 20)
    assembly.add_table([("编号", "数量"), *((f"N-{n}", str(n)) for n in range(rows))])
    assembly.add_paragraph("What follows it. " * 40)
    return hits_of(assembly.build(), target=target)


@pytest.mark.parametrize("start", [0, 9, 57, 110])
def test_every_chunk_leads_to_the_whole_table(start: int) -> None:
    hits = long_table(1_500)
    assert len(hits) > 120
    table = read_whole(hits, start)
    assert table.whole
    assert [row.cells[1] for row in table.rows] == [str(n) for n in range(1_500)]
    assert all(row.line in table.chunks[row.chunk].text for row in table.rows)


def test_many_chunks_before_and_behind_are_found() -> None:
    """More than one call's worth on either side."""
    hits = long_table(9_000)
    assert len(hits) > 600
    assert read_whole(hits, 400).whole


def test_rows_and_cells_are_bounded() -> None:
    hits = long_table(500)
    assert len(read_whole(hits, rows_max=100).rows) == 100
    part = next(part for hit in hits for part in hit.tables)
    cut = join_hits(hits, part.number, rows_max=1_000, cells_max=50)
    assert cut is not None
    assert (len(cut.rows), cut.whole) == (25, False)


def test_a_missing_chunk_leaves_the_table_incomplete() -> None:
    hits = long_table(500)
    assert not read_whole([hit for hit in hits if hit.ordinal != 12]).whole


def test_a_row_longer_than_a_chunk_is_one_row() -> None:
    assembly = Assembly(1_000_000)
    assembly.add_table([("编号", "说明"), ("A", "词" * 300), ("B", "短")])
    table = read_whole(hits_of(assembly.build(), target=64))
    assert [row.cells[0] for row in table.rows] == ["A", "B"]
    assert table.rows[0].cells[1].replace(" ", "") == "词" * 300


def test_a_merged_cell_holds_behind_a_break_of_chunks_and_pages() -> None:
    assembly = Assembly(1_000_000)
    for page in (1, 2):
        rows = [("区域", "门牌", "面积"), *(("东区" if page == 1 else "西区", f"{page}-{n}", str(n)) for n in range(80))]
        assembly.add_table(rows, Locator(page=page))
    table = read_whole(hits_of(assembly.build(), target=64))
    assert len(table.rows) == 160
    assert {row.cells[0] for row in table.rows[:80]} == {"东区"}
    assert {row.cells[0] for row in table.rows[80:]} == {"西区"}


def test_an_index_out_of_reach_is_not_hidden() -> None:
    hits = long_table(500)
    hit = next(each for each in hits if each.tables)

    async def read(_of: Hit, _first: int, _limit: int) -> list[Hit]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(read_hits(hit, hit.tables[0], read, rows_max=1_000))
