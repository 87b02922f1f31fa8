"""Tables for the tests of table answers: parsed, chunked and read back as a question reads them."""

import asyncio
from collections.abc import Sequence

from adapters.index.port import Hit
from adapters.parsing.chunks.chunking import chunk
from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.markup.delimited import parse_rows
from domain.retrieval.tables.reading import join_hits, read_hits
from domain.retrieval.tables.table import Table
from tests.support.office_files import BOUNDS

ROWS_MAX, CELLS_MAX = 10_000, 100_000


def hits_of(parsed: ParsedText, title: str = "表", target: int = 320) -> list[Hit]:
    """The chunks of a document as a search finds them."""
    made = chunk(parsed, title=title, target_tokens=target, max_tokens=2 * target, chunks_max=5_000)
    return [
        Hit(
            id=f"chunk-{each.ordinal}",
            collection="kb",
            document_id="document",
            version=3,
            ordinal=each.ordinal,
            title=title,
            headings=each.headings,
            text=each.text,
            score=1.0,
            bm25=1.0,
            dense=0.0,
            place=each.place,
            overlap=each.overlap,
            tables=each.tables,
        )
        for each in made
    ]


def table_of(header: Sequence[str], rows: Sequence[Sequence[str]], title: str = "表", target: int = 320) -> Table:
    """A table from end to end: as blocks, chunks, and whole again."""
    assembly = Assembly(10_000_000)
    assembly.add_table([header, *rows])
    return read_whole(hits_of(assembly.build(), title, target))


def csv_table(text: str, title: str = "表") -> Table:
    """The table of a CSV text."""
    return read_whole(hits_of(parse_rows(text, BOUNDS), title))


def read_whole(hits: Sequence[Hit], start: int = -1, *, rows_max: int = ROWS_MAX) -> Table:
    """The first table of these chunks, read from the one at ``start``, or the first that has rows."""
    having = [hit for hit in hits if hit.tables]
    hit = having[0] if start < 0 else next(each for each in having if each.ordinal >= start)

    async def read(_of: Hit, first: int, limit: int) -> list[Hit]:
        return [each for each in hits if first <= each.ordinal < first + limit]

    found = asyncio.run(read_hits(hit, hit.tables[0], read, rows_max=rows_max))
    table = join_hits(found, hit.tables[0].number, rows_max=rows_max, cells_max=CELLS_MAX)
    assert table is not None
    return table
