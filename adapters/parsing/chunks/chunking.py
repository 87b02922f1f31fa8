"""Chunks: consecutive slices of the parsed text, of bounded size, under one heading path, ending where sentences end.

Together the chunks are the whole text but for white space between them: nothing is lost, nothing stands in two, except that a part cut
out of the middle of long prose begins with the last sentences of the part before (``Chunk.overlap`` characters). Sizes are tokens as
``adapters.text.language.estimated_tokens`` counts them, kept in exact eighths of a token so that they add up.

Where several cuts would do, the text around them decides, not how much came before: after a change in the middle of a document the
cuts behind it soon fall where they fell before, and those chunks are not embedded again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import zip_longest

from msgspec.structs import replace

from adapters.parsing.chunks.splitting import EIGHTHS, ChunkBudget, anchor, size_of, split_block
from adapters.parsing.chunks.tables import TableFinder
from adapters.parsing.core.assembly import CELL_SEPARATOR
from adapters.parsing.core.blocks import HEADING_CHARS_MAX, Block, ParsedText
from adapters.parsing.core.cell_ranges import is_separate, locate_rows, merge_places
from adapters.text.language import estimate_tokens
from schemas.documents import Chunk, Locator, TablePart
from schemas.errors import Refused

HASH_BYTES = 16
HEADER_CHARS_MAX = 8 * HEADING_CHARS_MAX  # of a table's header of several levels, before it is folded


@dataclass(frozen=True, slots=True)
class _Unit:
    """The smallest part of a chunk: headings with what follows them, or a part of a block. ``size`` in eighths of a token.

    A chunk that begins with this unit begins at ``lead``, where the end of the unit before is said again; that costs ``lead_size``.
    """

    start: int
    end: int
    size: int
    headings: tuple[str, ...]
    place: Locator | None
    opens_section: bool
    lead: int
    lead_size: int = 0


def chunk(parsed: ParsedText, *, title: str, target_tokens: int, max_tokens: int, chunks_max: int) -> list[Chunk]:
    """Chunks of about ``target_tokens``, never over ``max_tokens``. ``title`` is the document's.

    Raises Refused("document_too_large") beyond ``chunks_max`` chunks.
    """
    limit = max_tokens * EIGHTHS
    budget = ChunkBudget(min(target_tokens * EIGHTHS, limit), limit)
    chunks: list[Chunk] = []
    tables = TableFinder(parsed)
    for units in _pack_units(parsed.text, list(_units(parsed, budget)), budget.target):
        if len(chunks) == chunks_max:
            raise Refused("document_too_large", f"the document makes more than {chunks_max:,} chunks")
        rows = tables.parts(units[0].lead, units[-1].end)
        chunks.append(_make_chunk(len(chunks), parsed.text, units, title, rows))
    return chunks


def searchable_text(title: str, chunk: Chunk) -> str:
    """The text of a chunk that is embedded and searched: title and headings, then its text; a heading that begins it is not repeated."""
    headings = [
        heading for heading in dict.fromkeys((title, *chunk.headings)) if heading and heading not in chunk.text[: 4 * len(heading) + 8]
    ]
    return "\n".join((*headings, chunk.text))


def _make_chunk(ordinal: int, text: str, units: list[_Unit], title: str, tables: tuple[TablePart, ...]) -> Chunk:
    first = units[0]
    shown = text[first.lead : units[-1].end]
    headings = units[0].headings
    for unit in units:
        headings = _common_prefix(headings, unit.headings)
    made = Chunk(
        ordinal=ordinal,
        text=shown,
        headings=headings,
        start=first.lead,
        tokens=estimate_tokens(shown),
        overlap=len(text[first.lead : first.start].rstrip()),
        place=merge_places(unit.place for unit in units),
        tables=tables,
    )
    digest = blake2b(searchable_text(title, made).encode("utf-8", "replace"), digest_size=HASH_BYTES)
    return replace(made, hash=digest.hexdigest())


def _pack_units(text: str, units: list[_Unit], target: int) -> Iterator[list[_Unit]]:
    """The units of every chunk, up to the target; a small section joins its neighbour under the same heading."""
    sections = _section_sizes(text, units)
    pile = _ChunkBuilder(text)
    for index, unit in enumerate(units):
        while pile.units and not pile.fits(unit, sections[index] if unit.opens_section else unit.size, target):
            yield pile.take_first(pile.best_cut(unit, target))
        pile.add(unit)
    if pile.units:
        yield pile.units


class _ChunkBuilder:
    """Units collected for a chunk, their total size and the headings that they share."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.units: list[_Unit] = []
        self._size = 0
        self._path: tuple[str, ...] = ()

    def add(self, unit: _Unit) -> None:
        if self.units:
            self._size += self._gap(unit) + unit.size
            self._path = _common_prefix(self._path, unit.headings)
        else:
            self._size, self._path = unit.lead_size + unit.size, unit.headings
        self.units.append(unit)

    def fits(self, unit: _Unit, size: int, target: int) -> bool:
        """Whether the unit, which adds ``size``, belongs into this chunk."""
        return self._is_related(unit) and self._size + self._gap(unit) + size <= target

    def best_cut(self, unit: _Unit, target: int) -> int:
        """How many units make a chunk when this one does not fit: all of them, or those before a better boundary in the second half."""
        if not self._is_related(unit):
            return len(self.units)
        best, lowest, size = len(self.units), anchor(self._text, unit.start), self._size
        for index in range(len(self.units) - 1, 0, -1):
            candidate = self.units[index]
            size -= candidate.size + size_of(self._text[self.units[index - 1].end : candidate.start])
            if 2 * size < target:
                break
            value = anchor(self._text, candidate.start)
            if value < lowest and candidate.opens_section >= unit.opens_section:
                best, lowest = index, value
        return best

    def take_first(self, count: int) -> list[_Unit]:
        """Remove the first ``count`` units."""
        given, rest = self.units[:count], self.units[count:]
        self.units = []
        for unit in rest:
            self.add(unit)
        return given

    def _is_related(self, unit: _Unit) -> bool:
        """A section without a heading in common, another file, sheet or slide begins a chunk of its own."""
        return not is_separate(self.units[-1].place, unit.place) and (
            not unit.opens_section or len(_common_prefix(self._path, unit.headings)) > 0
        )

    def _gap(self, unit: _Unit) -> int:
        return size_of(self._text[self.units[-1].end : unit.start])


def _section_sizes(text: str, units: list[_Unit]) -> list[int]:
    """For each unit the size from it to the end of its section."""
    sizes = [unit.size for unit in units]
    for index in range(len(units) - 2, -1, -1):
        if not units[index + 1].opens_section:
            sizes[index] += size_of(text[units[index].end : units[index + 1].start]) + sizes[index + 1]
    return sizes


def _common_prefix(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    if one == other:
        return one
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return one[:count]


def _units(parsed: ParsedText, budget: ChunkBudget) -> Iterator[_Unit]:
    """Blocks, or parts of long ones; headings wait for what they head."""
    waiting: _Unit | None = None
    for block in parsed.blocks:
        for unit in _block_units(parsed.text, block, budget):
            made = unit
            if waiting is not None:
                size = waiting.size + size_of(parsed.text[waiting.end : unit.start]) + unit.size
                if size <= budget.limit and not is_separate(waiting.place, unit.place):
                    place = merge_places((waiting.place, unit.place))
                    made = _Unit(waiting.start, unit.end, size, unit.headings, place, opens_section=True, lead=waiting.start)
                else:
                    yield waiting
            waiting = made if block.kind == "heading" else None
            if waiting is None:
                yield made
    if waiting is not None:
        yield waiting


def _block_units(text: str, block: Block, budget: ChunkBudget) -> Iterator[_Unit]:
    """Later parts of a table carry its first row as their last heading; each has the place of just its rows."""
    headings, place, opens = block.headings, block.place, block.kind == "heading"
    lines = text.count("\n", block.start, block.end) + 1 if block.kind == "table" and place is not None and place.cells else 0
    line, read = 0, block.start
    for part in split_block(text, block, budget):
        if lines:
            line += text.count("\n", read, part.start)
            read = part.start
            place = locate_rows(block.place, line, line + text.count("\n", part.start, part.end), lines)
        size = size_of(text[part.start : part.end])
        yield _Unit(part.start, part.end, size, headings, place, opens, part.lead, size_of(text[part.lead : part.start]))
        if block.kind == "table" and headings is block.headings:
            headings = (*headings, header) if (header := _table_header(text, block)) else headings


def _table_header(text: str, block: Block) -> str:
    """The names of a table's columns on one line; of a header of several levels each column with all of its levels; "" of a form."""
    if not block.header_lines:
        return ""
    if block.header_lines == 1:
        return " ".join(text[block.start : block.start + HEADING_CHARS_MAX].strip().partition("\n")[0].split())
    lines = text[block.start : min(block.end, block.start + HEADER_CHARS_MAX)].split("\n", block.header_lines)[: block.header_lines]
    columns = zip_longest(*(line.split(CELL_SEPARATOR) for line in lines), fillvalue="")
    names = (" ".join(dict.fromkeys(filter(None, levels))) for levels in columns)
    return " ".join(filter(None, names))[:HEADING_CHARS_MAX].strip()
