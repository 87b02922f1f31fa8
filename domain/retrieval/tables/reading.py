"""Tables read whole from the index: the chunks of a version that hold rows of one table, in the order of its rows."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import zip_longest

from adapters.index.port import Hit
from adapters.parsing.core.assembly import CELL_SEPARATOR
from adapters.text.table_rows import read_rows
from domain.retrieval.tables.table import Row, Table, make_table
from schemas.documents import TablePart

CHUNKS_PER_CALL = 256
ABOVE_CHARS_MAX = 200  # of the text above a table that tells what it is about

ReadChunks = Callable[[Hit, int, int], Awaitable[list[Hit]]]  # of the hit's version: from an ordinal, at most so many


async def read_hits(hit: Hit, part: TablePart, read: ReadChunks, *, rows_max: int) -> list[Hit]:
    """The chunks with rows of the table that ``part`` of ``hit`` belongs to, as far as ``rows_max`` goes; raises what ``read`` raises."""
    found = {hit.ordinal: hit}
    if _count([hit], part.number) >= part.total:
        return [hit]
    here = max(1, len(read_rows(hit.text, part)))
    before = part.first // here + 2 if part.first else 0  # an estimate; the loops below correct it
    first = max(0, hit.ordinal - min(before * 2, CHUNKS_PER_CALL // 2))
    while True:
        portion = await read(hit, first, CHUNKS_PER_CALL)
        found.update((each.ordinal, each) for each in portion if part_of(each, part.number) is not None)
        ended = len(portion) < CHUNKS_PER_CALL or part_of(portion[-1], part.number) is None
        if ended or _count(found.values(), part.number) >= min(rows_max, part.total):
            break
        first += CHUNKS_PER_CALL
    low = min(found)
    while low > 0 and _first_row(found[low], part.number) > 0 and _count(found.values(), part.number) < rows_max:
        begin = max(0, low - CHUNKS_PER_CALL)
        portion = [each for each in await read(hit, begin, low - begin) if part_of(each, part.number) is not None]
        if not portion:
            break
        found.update((each.ordinal, each) for each in portion)
        low = min(found)
    return [found[ordinal] for ordinal in sorted(found)]


def part_of(hit: Hit, number: int) -> TablePart | None:
    """The rows of that table in a chunk."""
    return next((part for part in hit.tables if part.number == number), None)


def join_hits(hits: Sequence[Hit], number: int, *, rows_max: int, cells_max: int) -> Table | None:
    """The table of these chunks, at most so many rows and cells of it; None when they hold none. A row cut in two is one again."""
    rows: list[Row] = []
    used: list[Hit] = []
    first_part: TablePart | None = None
    cells = 0
    captions: list[str] = []
    for hit in hits:
        for part in (each for each in hit.tables if each.number == number):
            first_part = first_part or part
            used.append(hit)
            captions.append(part.caption)
            lines = hit.text[part.start : part.end].split("\n")
            for offset, (line, values) in enumerate(zip(lines, read_rows(hit.text, part), strict=True)):
                at = part.first + offset
                if rows and rows[-1].number == at:
                    rows[-1] = _mend(rows[-1], values, line)
                    continue
                cells += len(values)
                if len(rows) >= rows_max or cells > cells_max:
                    break
                rows.append(Row(at, values, line, len(used) - 1))
    if first_part is None:
        return None
    head = used[0]
    above = head.text[max(0, first_part.start - first_part.header - ABOVE_CHARS_MAX) : first_part.start]
    context = "\n".join((head.title, *head.headings, *dict.fromkeys(captions), above))
    return make_table(rows, used, first_part, context)


def _mend(row: Row, rest: tuple[str, ...], line: str) -> Row:
    """A row whose line was cut: ``rest`` has empty cells up to the one that goes on."""
    goes_on = next((index for index, cell in enumerate(rest) if cell), 0)
    cells = [" ".join(filter(None, pair)) for pair in zip_longest(row.cells, rest, fillvalue="")]
    between = " " if goes_on < len(row.cells) and row.cells[goes_on] else CELL_SEPARATOR
    return Row(row.number, tuple(cells), f"{row.line}{between}{line}", row.chunk)


def _count(hits: Iterable[Hit], number: int) -> int:
    """Rows of the table in these chunks."""
    return sum(hit.text.count("\n", part.start, part.end) + 1 for hit in hits for part in hit.tables if part.number == number)


def _first_row(hit: Hit, number: int) -> int:
    return min((part.first for part in hit.tables if part.number == number), default=0)
